package api

import (
	"bytes"
	"encoding/json"
	"math"
	"time"

	"parley/internal/conference"
	"parley/internal/fault"
)

// newConference is the body of POST /conferences.
type newConference struct {
	ID   string `json:"id"`
	Type string `json:"type"`
	conferencePatch
}

// conferencePatch is the body of PUT /conferences/{id}: what is absent or null keeps its value.
type conferencePatch struct {
	Name                *string         `json:"name"`
	Detail              *string         `json:"detail"`
	Data                json.RawMessage `json:"data"`
	Timeout             *int64          `json:"timeout"` // seconds
	PreFlowID           *string         `json:"pre_flow_id"`
	PostFlowID          *string         `json:"post_flow_id"`
	MaxParticipants     *int            `json:"max_participants"`
	Admission           *string         `json:"admission"`
	DialIn              *string         `json:"dial_in"`
	EndOnModeratorLeave *bool           `json:"end_on_moderator_leave"`
	RecordingNotice     *string         `json:"recording_notice"`
	PIN                 *string         `json:"pin"`
	ModeratorPIN        *string         `json:"moderator_pin"`
	EntryTone           *string         `json:"entry_tone"`
	WaitMusic           *string         `json:"wait_music"`
	Keypad              *string         `json:"keypad"`
	unavailable
}

// unavailable are settings of the API that this version does not act on. Who asks for one is told so.
type unavailable struct {
	Video string `json:"video"`
}

func (u *unavailable) check() error {
	for _, s := range []struct{ field, value, none string }{
		{"video", u.Video, "off"},
	} {
		if s.value != "" && s.value != s.none {
			return unsupported(s.field)
		}
	}
	return nil
}

func unsupported(field string) error {
	return fault.New(fault.Invalid, "SETTING_UNSUPPORTED", "%s: it is not available in this version; leave it out", field)
}

// patch returns the change; a value outside of what the type can carry is refused here, everything else by the rules.
func (in *conferencePatch) patch() (p conference.Patch, err error) {
	if err := in.unavailable.check(); err != nil {
		return p, err
	}
	p = conference.Patch{
		Name: in.Name, Detail: in.Detail, PreFlowID: in.PreFlowID, PostFlowID: in.PostFlowID, MaxParticipants: in.MaxParticipants,
		Admission: (*conference.Admission)(in.Admission), DialIn: in.DialIn, EndOnModeratorLeave: in.EndOnModeratorLeave, RecordingNotice: in.RecordingNotice,
		PIN: in.PIN, ModeratorPIN: in.ModeratorPIN, EntryTone: in.EntryTone, WaitMusic: in.WaitMusic, Keypad: in.Keypad,
	}
	if len(in.Data) > 0 && !bytes.Equal(in.Data, []byte("null")) {
		p.Data = (*[]byte)(&in.Data)
	}
	if in.Timeout != nil {
		if *in.Timeout < 0 || *in.Timeout > math.MaxInt32 {
			return p, fault.New(fault.Invalid, "INVALID_ARGUMENT", "timeout: %d is outside 0..%d seconds; 0 means none", *in.Timeout, math.MaxInt32)
		}
		timeout := time.Duration(*in.Timeout) * time.Second
		p.Timeout = &timeout
	}
	return p, nil
}

// settings returns what a new conference is to be like.
func (in *newConference) settings() (s conference.Settings, err error) {
	p, err := in.patch()
	if err != nil {
		return s, err
	}
	put(&s.Name, p.Name)
	put(&s.Detail, p.Detail)
	if p.Data != nil {
		s.Data = *p.Data
	}
	put(&s.Timeout, p.Timeout)
	put(&s.PreFlowID, p.PreFlowID)
	put(&s.PostFlowID, p.PostFlowID)
	put(&s.MaxParticipants, p.MaxParticipants)
	put(&s.Admission, p.Admission)
	put(&s.DialIn, p.DialIn)
	put(&s.EndOnModeratorLeave, p.EndOnModeratorLeave)
	put(&s.PIN, p.PIN)
	put(&s.ModeratorPIN, p.ModeratorPIN)
	put(&s.EntryTone, p.EntryTone)
	put(&s.WaitMusic, p.WaitMusic)
	put(&s.Keypad, p.Keypad)
	put(&s.RecordingNotice, p.RecordingNotice)
	return s, nil
}

func put[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}
