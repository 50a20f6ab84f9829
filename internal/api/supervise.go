package api

import (
	"bytes"
	"encoding/json"
	"fmt"

	"parley/internal/api/rest"
	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/store"
)

// hearers is a list of conferencecall ids, or "all".
type hearers struct{ ids []string }

// UnmarshalJSON implements json.Unmarshaler. null does not get here: a pointer to hearers stays nil.
func (h *hearers) UnmarshalJSON(text []byte) error {
	if bytes.Equal(text, []byte(`"all"`)) {
		h.ids = nil
		return nil
	}
	h.ids = []string{}
	if err := json.Unmarshal(text, &h.ids); err != nil {
		return fmt.Errorf("it must be a list of conferencecall ids or \"all\": %w", err)
	}
	return nil
}

// list returns what a patch takes: nil keeps the list, a nil list is everybody.
func (h *hearers) list() *[]string {
	if h == nil {
		return nil
	}
	return &h.ids
}

// supervision is the body of POST /conferencecalls/{id}/supervise.
type supervision struct {
	Mode string   `json:"mode"`
	IDs  []string `json:"conferencecall_ids"`
}

// patch returns what the mode means for who hears whom.
func (s *supervision) patch() (p conference.ParticipantPatch, err error) {
	everybody, nobody := []string(nil), []string{}
	ids := append([]string{}, s.IDs...)
	switch s.Mode {
	case "none", "barge":
		p.CanHear, p.CanSpeak = &everybody, &everybody
	case "monitor":
		if p.CanHear, p.CanSpeak = &everybody, &nobody; len(ids) > 0 {
			p.CanHear = &ids
		}
	case "whisper", "coach":
		if len(ids) == 0 {
			return p, fault.New(fault.Invalid, "INVALID_ARGUMENT", "conferencecall_ids: a %s needs to know who hears it", s.Mode)
		}
		p.CanHear, p.CanSpeak = &everybody, &ids
	default:
		return p, fault.New(fault.Invalid, "INVALID_ARGUMENT", "mode: %.64q is unknown; use monitor, whisper, coach, barge or none", s.Mode)
	}
	return p, nil
}

// supervise sets who hears a participant and whom it hears, in one word.
func (d *Door) supervise(r *rest.Request) (rest.Reply, error) {
	if _, err := r.Owned(store.Conferencecall); err != nil {
		return rest.Reply{}, err
	}
	var in supervision
	if err := r.Parse(&in); err != nil {
		return rest.Reply{}, err
	}
	patch, err := in.patch()
	if err != nil {
		return rest.Reply{}, err
	}
	return d.setParticipant(patch)(r)
}
