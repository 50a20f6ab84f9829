package setting

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"

	"parley/internal/wire"
)

// Limits of what a client may store.
const (
	NameMax    = 255
	detailMax  = 4096
	dataMax    = 64 << 10 // bytes
	dialInMax  = 64
	pinMax     = 16
	timeoutMin = time.Minute
	timeoutMax = math.MaxInt32 * time.Second // clients read 32 bits
	// What a timeout too short to be meant becomes in the compatibility mode.
	timeoutCompat = 24 * time.Hour
)

// Admission says who may enter.
type Admission string

// The admissions.
const (
	Open             Admission = "open"
	WaitForModerator Admission = "wait_for_moderator"
	Lobby            Admission = "lobby"
	Locked           Admission = "locked"
)

// Settings is what POST and PUT set. Lengths are in characters.
type Settings struct {
	Name, Detail          string          // at most 255 and 4096
	Data                  json.RawMessage // object of at most 64 KiB; nil means {}
	Timeout               time.Duration   // whole seconds, 0 for none, at most 2^31-1 s
	PreFlowID, PostFlowID string          // UUID or ""
	MaxParticipants       int             // 0: no limit but the server's
	Admission             Admission
	DialIn                string // alias or number; unique; "" for none
	MuteNewcomers         bool
	PIN, ModeratorPIN     string // up to 16 digits, write only
	EndOnModeratorLeave   bool
	EntryTone             string // none; beep; chime, which tells coming from going
	WaitMusic             string // for those that wait or are held: music, silence or the URL of a sound
	Keypad                string // which keys do what: none, freeswitch, asterisk, consumer
	RecordingNotice       string // none, announce, press_1
	Video                 string // off, on
}

// Patch of a conference; nil keeps the value.
type Patch struct {
	Name, Detail           *string
	Data                   *[]byte // JSON object
	Timeout                *time.Duration
	PreFlowID, PostFlowID  *string
	MaxParticipants        *int
	Admission              *Admission
	DialIn                 *string
	MuteNewcomers          *bool
	PIN, ModeratorPIN      *string
	EndOnModeratorLeave    *bool
	EntryTone, WaitMusic   *string
	Keypad                 *string
	RecordingNotice, Video *string
}

// Apply returns the settings with the patch. Only Data is checked here: it is normal already where the patch leaves it alone.
func (p Patch) Apply(s Settings) (Settings, error) {
	Put(&s.Name, p.Name)
	Put(&s.Detail, p.Detail)
	Put(&s.Timeout, p.Timeout)
	Put(&s.PreFlowID, p.PreFlowID)
	Put(&s.PostFlowID, p.PostFlowID)
	Put(&s.MaxParticipants, p.MaxParticipants)
	Put(&s.Admission, p.Admission)
	Put(&s.DialIn, p.DialIn)
	Put(&s.MuteNewcomers, p.MuteNewcomers)
	Put(&s.PIN, p.PIN)
	Put(&s.ModeratorPIN, p.ModeratorPIN)
	Put(&s.EndOnModeratorLeave, p.EndOnModeratorLeave)
	Put(&s.EntryTone, p.EntryTone)
	Put(&s.WaitMusic, p.WaitMusic)
	Put(&s.Keypad, p.Keypad)
	Put(&s.RecordingNotice, p.RecordingNotice)
	Put(&s.Video, p.Video)
	if p.Data == nil {
		return s, nil
	}
	return s, s.SetData(*p.Data)
}

// SetData checks a JSON object and keeps it in its shortest form; nil is {}.
func (s *Settings) SetData(data []byte) (err error) {
	var v Verdict
	s.Data, err = wire.Object(data, dataMax)
	v.On("data", err)
	return v.Err
}

// Equal reports whether nothing differs.
func (s Settings) Equal(o Settings) bool {
	same := bytes.Equal(s.Data, o.Data)
	s.Data, o.Data = nil, nil
	return same && reflect.DeepEqual(s, o)
}

// Normalize checks everything but Data and gives every choice its explicit value. compat makes timeouts of 1 to 59 s 24 h instead of an error.
func (s *Settings) Normalize(compat bool) error {
	var v Verdict
	v.Text("name", s.Name, NameMax)
	v.Text("detail", s.Detail, detailMax)
	v.UUID("pre_flow_id", &s.PreFlowID)
	v.UUID("post_flow_id", &s.PostFlowID)
	Choose(&v, "entry_tone", &s.EntryTone, "none", "beep", "chime")
	v.On("wait_music", s.normalMusic())
	Choose(&v, "keypad", &s.Keypad, "none", "freeswitch", "asterisk", "consumer")
	Choose(&v, "recording_notice", &s.RecordingNotice, "none", "announce", "press_1")
	Choose(&v, "video", &s.Video, "off", "on")
	Choose(&v, "admission", &s.Admission, Open, Locked, Lobby, WaitForModerator)
	v.On("pin", checkPIN(s.PIN))
	v.On("moderator_pin", checkPIN(s.ModeratorPIN))
	v.On("dial_in", checkDialIn(s.DialIn))
	var err error
	s.Timeout, err = normalTimeout(s.Timeout, compat)
	v.On("timeout", err)
	if s.MaxParticipants < 0 || s.MaxParticipants > math.MaxInt32 {
		v.On("max_participants", fmt.Errorf("%d is outside 0..%d; 0 means no limit of its own", s.MaxParticipants, math.MaxInt32))
	}
	if s.PIN != "" && s.PIN == s.ModeratorPIN {
		v.On("moderator_pin", errors.New("it must differ from pin"))
	}
	return v.Err
}

// normalMusic gives "" its meaning. That a URL leads to a sound shows when somebody waits.
func (s *Settings) normalMusic() error {
	switch s.WaitMusic {
	case "":
		s.WaitMusic = "music"
		return nil
	case "music", "silence":
		return nil
	}
	if wire.Sound(s.WaitMusic) != nil {
		return errors.New("it is not music, silence, an http or https URL, or blob:<key>")
	}
	return nil
}

func normalTimeout(t time.Duration, compat bool) (time.Duration, error) {
	switch {
	case t < 0:
		return 0, errors.New("it must not be negative; 0 means none")
	case t > timeoutMax:
		return 0, fmt.Errorf("it must not exceed %d seconds; 0 means none", int64(timeoutMax/time.Second))
	case t%time.Second != 0:
		return 0, errors.New("it must be whole seconds")
	case t == 0 || t >= timeoutMin:
		return t, nil
	case compat:
		return timeoutCompat, nil
	}
	return 0, fmt.Errorf("%d is less than 60 seconds; 0 means none", int64(t/time.Second))
}

func checkPIN(pin string) error {
	if len(pin) > pinMax || strings.Trim(pin, "0123456789") != "" {
		return fmt.Errorf("it must be up to %d digits", pinMax)
	}
	return nil
}

const dialInChars = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._+-"

// checkDialIn keeps aliases apart from the other things that the user part of a SIP address can be.
func checkDialIn(alias string) error {
	if len(alias) > dialInMax || strings.Trim(alias, dialInChars) != "" {
		return fmt.Errorf("%q is not 1 to %d of the characters A-Z a-z 0-9 . _ + -", alias, dialInMax)
	}
	if _, isID := wire.ParseUUID(alias); isID || strings.HasPrefix(strings.ToLower(alias), "direct.") {
		return fmt.Errorf("%q looks like a conference id or a direct hash; choose another alias", alias)
	}
	return nil
}
