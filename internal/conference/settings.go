package conference

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"net/url"
	"reflect"
	"strings"
	"time"

	"parley/internal/wire"
)

// Limits of what a client may store.
const (
	nameMax    = 255
	detailMax  = 4096
	dataMax    = 64 << 10 // bytes
	dialInMax  = 64
	pinMax     = 16
	urlMax     = 2048
	timeoutMin = time.Minute
	timeoutMax = math.MaxInt32 * time.Second // clients read 32 bits
	// What a timeout too short to be meant becomes in the compatibility mode.
	timeoutCompat = 24 * time.Hour
)

func put[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// apply returns the settings with the patch. Only Data is checked here: it is normal already where the patch leaves it alone.
func (p Patch) apply(s Settings) (Settings, error) {
	put(&s.Name, p.Name)
	put(&s.Detail, p.Detail)
	put(&s.Timeout, p.Timeout)
	put(&s.PreFlowID, p.PreFlowID)
	put(&s.PostFlowID, p.PostFlowID)
	put(&s.MaxParticipants, p.MaxParticipants)
	put(&s.Admission, p.Admission)
	put(&s.DialIn, p.DialIn)
	put(&s.MuteNewcomers, p.MuteNewcomers)
	put(&s.PIN, p.PIN)
	put(&s.ModeratorPIN, p.ModeratorPIN)
	put(&s.EndOnModeratorLeave, p.EndOnModeratorLeave)
	put(&s.EntryTone, p.EntryTone)
	put(&s.WaitMusic, p.WaitMusic)
	put(&s.Keypad, p.Keypad)
	put(&s.RecordingNotice, p.RecordingNotice)
	put(&s.Video, p.Video)
	if p.Data == nil {
		return s, nil
	}
	return s, s.setData(*p.Data)
}

func (s *Settings) setData(data []byte) (err error) {
	if s.Data, err = wire.Object(data, dataMax); err != nil {
		return invalid("data", "%v", err)
	}
	return nil
}

func (s Settings) equal(o Settings) bool {
	same := bytes.Equal(s.Data, o.Data)
	s.Data, o.Data = nil, nil
	return same && reflect.DeepEqual(s, o)
}

// normalize checks everything but Data and gives every choice its explicit value.
func (s *Settings) normalize(l Limits) error {
	var v verdict
	v.text("name", s.Name, nameMax)
	v.text("detail", s.Detail, detailMax)
	v.uuid("pre_flow_id", &s.PreFlowID)
	v.uuid("post_flow_id", &s.PostFlowID)
	choose(&v, "entry_tone", &s.EntryTone, "none", "beep", "chime")
	v.on("wait_music", s.normalMusic())
	choose(&v, "keypad", &s.Keypad, "none", "freeswitch", "asterisk", "consumer")
	choose(&v, "recording_notice", &s.RecordingNotice, "none", "announce", "press_1")
	choose(&v, "video", &s.Video, "off", "on")
	choose(&v, "admission", &s.Admission, Open, Locked, Lobby, WaitForModerator)
	v.on("pin", checkPIN(s.PIN))
	v.on("moderator_pin", checkPIN(s.ModeratorPIN))
	v.on("dial_in", checkDialIn(s.DialIn))
	var err error
	s.Timeout, err = normalTimeout(s.Timeout, l.TimeoutCompat)
	v.on("timeout", err)
	if s.MaxParticipants < 0 || s.MaxParticipants > math.MaxInt32 {
		v.on("max_participants", fmt.Errorf("%d is outside 0..%d; 0 means no limit of its own", s.MaxParticipants, math.MaxInt32))
	}
	if s.PIN != "" && s.PIN == s.ModeratorPIN {
		v.on("moderator_pin", errors.New("it must differ from pin"))
	}
	return v.err
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
	if at, err := url.Parse(s.WaitMusic); err != nil || at.Scheme != "http" && at.Scheme != "https" || at.Host == "" {
		return errors.New("it is not music, silence or an http or https URL")
	}
	return wire.Text(s.WaitMusic, urlMax)
}

// verdict collects checks; the first failure stays.
type verdict struct{ err error }

func (v *verdict) on(field string, err error) {
	if v.err == nil && err != nil {
		v.err = invalid(field, "%v", err)
	}
}

func (v *verdict) text(field, s string, most int) { v.on(field, wire.Text(s, most)) }

// uuid is one that may be left out.
func (v *verdict) uuid(field string, s *string) {
	id, err := wire.OptionalUUID(*s)
	*s = id
	v.on(field, err)
}

// choose gives "" its meaning, the first of the allowed values.
func choose[S ~string](v *verdict, field string, s *S, allowed ...S) {
	value, err := wire.OneOf(*s, allowed...)
	*s = value
	v.on(field, err)
}

func (v *verdict) media(m Media) {
	choose(v, "media.kind", &m.Kind, "", "sip", "webrtc")
	v.text("media.codec", m.Codec, nameMax)
	v.text("media.address", m.Address, nameMax)
}

func (v *verdict) leaveReason(r *LeaveReason, fallback LeaveReason) {
	if *r == "" {
		*r = fallback
	}
	choose(v, "leave_reason", r, LeftHangup, LeftKicked, LeftTerminated, LeftTimeout, LeftPeer, LeftMediaTimeout,
		LeftCallEnded, LeftMaxDuration, LeftRefused, LeftLost, LeftModeratorGone, LeftDenied, LeftMoved)
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

func checkDirectHash(hash string) error {
	if hash != "" && (len(hash) != 12 || strings.Trim(hash, "0123456789abcdef") != "") {
		return errors.New("it must be 12 lower-case hex digits")
	}
	return nil
}
