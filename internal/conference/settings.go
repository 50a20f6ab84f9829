package conference

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"parley/internal/fault"
	"parley/internal/wire"
)

// Limits of what a client may store.
const (
	nameMax    = 255
	detailMax  = 4096
	dataMax    = 64 << 10 // bytes
	dialInMax  = 64
	pinMax     = 16
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
	put(&s.RecordingNotice, p.RecordingNotice)
	put(&s.Video, p.Video)
	var err error
	if p.Data != nil {
		s.Data, err = normalData(*p.Data)
	}
	return s, err
}

func (s Settings) equal(o Settings) bool {
	same := bytes.Equal(s.Data, o.Data)
	s.Data, o.Data = nil, nil
	return same && reflect.DeepEqual(s, o)
}

// normalize checks the settings and gives every choice its explicit value.
func (s *Settings) normalize(l Limits) (err error) {
	for _, t := range []struct {
		field, value string
		most         int
	}{
		{"name", s.Name, nameMax},
		{"detail", s.Detail, detailMax},
		{"entry_tone", s.EntryTone, nameMax},
		{"wait_music", s.WaitMusic, nameMax},
	} {
		if err := checkText(t.field, t.value, t.most); err != nil {
			return err
		}
	}
	if s.Timeout, err = normalTimeout(s.Timeout, l.TimeoutCompat); err != nil {
		return err
	}
	if s.PreFlowID, err = optionalUUID("pre_flow_id", s.PreFlowID); err != nil {
		return err
	}
	if s.PostFlowID, err = optionalUUID("post_flow_id", s.PostFlowID); err != nil {
		return err
	}
	if s.MaxParticipants < 0 || s.MaxParticipants > math.MaxInt32 {
		return invalid("max_participants", "%d is outside 0..%d; 0 means no limit of its own", s.MaxParticipants, math.MaxInt32)
	}
	if err := s.normalizeEntry(); err != nil {
		return err
	}
	if s.RecordingNotice, err = choice("recording_notice", s.RecordingNotice, "none", "announce", "press_1"); err != nil {
		return err
	}
	s.Video, err = choice("video", s.Video, "off", "on")
	return err
}

// normalizeEntry is the part about how people get in.
func (s *Settings) normalizeEntry() error {
	switch s.Admission {
	case "":
		s.Admission = Open
	case Open, Locked:
	case WaitForModerator, Lobby:
		// Refused rather than stored: nobody would be held back.
		return fault.New(fault.Invalid, "ADMISSION_UNSUPPORTED", "admission: %s is not available in this version; use open or locked", s.Admission)
	default:
		return invalid("admission", "%q is unknown; use open or locked", s.Admission)
	}
	if err := checkPIN("pin", s.PIN); err != nil {
		return err
	}
	if err := checkPIN("moderator_pin", s.ModeratorPIN); err != nil {
		return err
	}
	if s.PIN != "" && s.PIN == s.ModeratorPIN {
		return invalid("moderator_pin", "it must differ from pin")
	}
	return checkDialIn(s.DialIn)
}

func normalTimeout(t time.Duration, compat bool) (time.Duration, error) {
	switch {
	case t < 0:
		return 0, invalid("timeout", "it must not be negative; 0 means none")
	case t > timeoutMax:
		return 0, invalid("timeout", "it must not exceed %d seconds; 0 means none", int64(timeoutMax/time.Second))
	case t%time.Second != 0:
		return 0, invalid("timeout", "it must be whole seconds")
	case t == 0 || t >= timeoutMin:
		return t, nil
	case compat:
		return timeoutCompat, nil
	}
	return 0, invalid("timeout", "%d is less than 60 seconds; 0 means none", int64(t/time.Second))
}

// normalData returns the compact form, which is the same again after a way through the store. null and nothing are {}.
func normalData(data []byte) (json.RawMessage, error) {
	if len(data) > dataMax {
		return nil, invalid("data", "it has %d bytes; at most %d are kept", len(data), dataMax)
	}
	if len(data) == 0 {
		return json.RawMessage("{}"), nil
	}
	compact, err := json.Marshal(json.RawMessage(data))
	if err != nil || !utf8.Valid(data) {
		return nil, invalid("data", "it is not JSON in UTF-8")
	}
	if string(compact) == "null" {
		return json.RawMessage("{}"), nil
	}
	if compact[0] != '{' {
		return nil, invalid("data", "it must be a JSON object")
	}
	return compact, nil
}

func knownType(t Type) (Type, error) {
	switch t {
	case "", Standard:
		return Standard, nil
	case Connect:
		return Connect, nil
	}
	return "", invalid("type", "%q is unknown; use conference or connect", t)
}

func knownRole(r Role) (Role, error) {
	switch r {
	case "":
		return Member, nil
	case Moderator, Member, Listener:
		return r, nil
	}
	return "", invalid("role", "%q is unknown; use moderator, participant or listener", r)
}

func knownLeaveReason(r, fallback LeaveReason) (LeaveReason, error) {
	switch r {
	case "":
		return fallback, nil
	case LeftHangup, LeftKicked, LeftTerminated, LeftTimeout, LeftPeer, LeftMediaTimeout, LeftCallEnded, LeftMaxDuration,
		LeftRefused, LeftLost, LeftModeratorGone:
		return r, nil
	}
	return "", invalid("leave_reason", "%q is not a reason for a leave", r)
}

// choice returns the value if it is one of the allowed ones; "" is the first of them.
func choice(field, value string, allowed ...string) (string, error) {
	if value == "" {
		return allowed[0], nil
	}
	if !slices.Contains(allowed, value) {
		return "", invalid(field, "%q is unknown; use %s", value, strings.Join(allowed, ", "))
	}
	return value, nil
}

func checkText(field, s string, most int) error {
	if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return invalid(field, "it is not text in UTF-8, or has a NUL in it")
	}
	if n := utf8.RuneCountInString(s); n > most {
		return invalid(field, "it has %d characters; at most %d are kept", n, most)
	}
	return nil
}

// optionalUUID returns "" for nothing and for the nil UUID.
func optionalUUID(field, s string) (string, error) {
	if s == "" {
		return "", nil
	}
	id, ok := wire.ParseUUID(s)
	if !ok {
		return "", invalid(field, "%q is not a UUID", s)
	}
	if id == wire.NilUUID {
		return "", nil
	}
	return id, nil
}

func checkMedia(m Media) error {
	if _, err := choice("media.kind", m.Kind, "", "sip", "webrtc"); err != nil {
		return err
	}
	if err := checkText("media.codec", m.Codec, nameMax); err != nil {
		return err
	}
	return checkText("media.address", m.Address, nameMax)
}

func checkPIN(field, pin string) error {
	if len(pin) > pinMax || strings.Trim(pin, "0123456789") != "" {
		return invalid(field, "it must be up to %d digits", pinMax)
	}
	return nil
}

// checkDialIn keeps aliases apart from the other things that the user part of a SIP address can be.
func checkDialIn(alias string) error {
	if alias == "" {
		return nil
	}
	if len(alias) > dialInMax || strings.ContainsFunc(alias, func(r rune) bool {
		return !('0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || strings.ContainsRune("._+-", r))
	}) {
		return invalid("dial_in", "%q is not 1 to %d of the characters A-Z a-z 0-9 . _ + -", alias, dialInMax)
	}
	if _, isID := wire.ParseUUID(alias); isID || strings.HasPrefix(strings.ToLower(alias), "direct.") {
		return invalid("dial_in", "%q looks like a conference id or a direct hash; choose another alias", alias)
	}
	return nil
}

func checkDirectHash(hash string) error {
	if hash == "" {
		return nil
	}
	if len(hash) != 12 || strings.Trim(hash, "0123456789abcdef") != "" {
		return invalid("direct_hash", "it must be 12 lower-case hex digits")
	}
	return nil
}
