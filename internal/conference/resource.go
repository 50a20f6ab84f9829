package conference

import (
	"encoding/json"
	"fmt"
	"time"

	"parley/internal/wire"
)

// listMax is how many conferencecall ids an event carries; beyond it the event says where the list is, so that events of large
// conferences stay small.
const listMax = 100

// Resource is a conference as the API writes it: the original's fields in the original's order, then ours. Nothing is left out:
// unset ids are nil UUIDs, unset times null, lists [] and data {}. PINs never appear.
type Resource struct {
	head
	activities
	ends
	room
}

type head struct {
	ID         string          `json:"id"`
	CustomerID string          `json:"customer_id"`
	Type       Type            `json:"type"`
	Status     Status          `json:"status"`
	Name       string          `json:"name"`
	Detail     string          `json:"detail"`
	Data       json.RawMessage `json:"data"`
	Timeout    int64           `json:"timeout"` // seconds
	PreFlowID  string          `json:"pre_flow_id"`
	PostFlowID string          `json:"post_flow_id"`
}

type activities struct {
	ConferencecallIDs []string `json:"conferencecall_ids"`
	RecordingID       string   `json:"recording_id"`
	RecordingIDs      []string `json:"recording_ids"`
	TranscribeID      string   `json:"transcribe_id"`
	TranscribeIDs     []string `json:"transcribe_ids"`
	DirectHash        string   `json:"direct_hash"`
}

type ends struct {
	End    wire.Time `json:"tm_end"`
	Create wire.Time `json:"tm_create"`
	Update wire.Time `json:"tm_update"`
	Delete wire.Time `json:"tm_delete"`
}

type room struct {
	MaxParticipants     int       `json:"max_participants"`
	Admission           Admission `json:"admission"`
	EndOnModeratorLeave bool      `json:"end_on_moderator_leave"`
	EntryTone           string    `json:"entry_tone"`
	WaitMusic           string    `json:"wait_music"`
	Keypad              string    `json:"keypad"`
	RecordingNotice     string    `json:"recording_notice"`
	DialIn              string    `json:"dial_in"`
	Video               string    `json:"video"`
	EndReason           EndReason `json:"end_reason"`
	ConferencecallCount int       `json:"conferencecall_count"` // of conferencecall_ids, also where the list is left out
	ConferencecallsURL  string    `json:"conferencecalls_url,omitempty"`
}

// Resource returns the conference as the API writes it.
func (c *Conference) Resource() Resource {
	data := c.Data
	if len(data) == 0 {
		data = json.RawMessage("{}")
	}
	hash := c.DirectHash
	if hash != "" {
		hash = "direct." + hash
	}
	return Resource{
		head: head{
			ID: wire.UUID(string(c.ID)), CustomerID: wire.UUID(c.CustomerID), Type: c.Type, Status: c.Status, Name: c.Name,
			Detail: c.Detail, Data: data, Timeout: int64(c.Timeout / time.Second),
			PreFlowID: wire.UUID(c.PreFlowID), PostFlowID: wire.UUID(c.PostFlowID),
		},
		activities: activities{
			ConferencecallIDs: wire.IDs(c.Joined),
			RecordingID:       wire.UUID(c.Recordings.Active), RecordingIDs: wire.IDs(c.Recordings.All),
			TranscribeID: wire.UUID(c.Transcribes.Active), TranscribeIDs: wire.IDs(c.Transcribes.All),
			DirectHash: hash,
		},
		ends: ends{
			End: wire.Time(c.Ended), Create: wire.Time(c.Created), Update: wire.Time(c.Updated), Delete: wire.Time(c.Times.Deleted),
		},
		room: room{
			MaxParticipants: c.MaxParticipants, Admission: c.Admission, EndOnModeratorLeave: c.EndOnModeratorLeave,
			EntryTone: c.EntryTone, WaitMusic: c.WaitMusic, Keypad: c.Keypad, RecordingNotice: c.RecordingNotice, DialIn: c.DialIn, Video: c.Video,
			EndReason: c.EndReason, ConferencecallCount: len(c.Joined),
		},
	}
}

// ParticipantResource is a participant as the API writes it, the conferencecall: the original's fields in the original's order, then ours.
type ParticipantResource struct {
	reference
	seat
}

type reference struct {
	ID            string            `json:"id"`
	CustomerID    string            `json:"customer_id"`
	ActiveflowID  string            `json:"activeflow_id"`
	ConferenceID  string            `json:"conference_id"`
	ReferenceType string            `json:"reference_type"`
	ReferenceID   string            `json:"reference_id"`
	Status        ParticipantStatus `json:"status"`
	Create        wire.Time         `json:"tm_create"`
	Update        wire.Time         `json:"tm_update"`
	Delete        wire.Time         `json:"tm_delete"` // records of participants are never deleted
}

type seat struct {
	Name        string      `json:"name"`
	Role        Role        `json:"role"`
	Muted       bool        `json:"muted"`
	Deaf        bool        `json:"deaf"`
	Held        bool        `json:"held"` // by the API or by its own side
	RemoteHeld  bool        `json:"remote_held"`
	Speaking    bool        `json:"speaking"`
	Volume      int         `json:"volume"`
	CanHear     *[]string   `json:"can_hear,omitempty"`
	CanSpeak    *[]string   `json:"can_speak,omitempty"`
	Waiting     Waiting     `json:"waiting"`
	LeaveReason LeaveReason `json:"leave_reason"`
	Joined      wire.Time   `json:"tm_joined"`
	Leaved      wire.Time   `json:"tm_leaved"`
	Media       Media       `json:"media"`
}

// Resource returns the participant as the API writes it.
func (p *Participant) Resource() ParticipantResource {
	return ParticipantResource{
		reference: reference{
			ID: wire.UUID(string(p.ID)), CustomerID: wire.UUID(p.CustomerID), ActiveflowID: wire.UUID(p.ActiveflowID),
			ConferenceID: wire.UUID(string(p.ConferenceID)), ReferenceType: "call", ReferenceID: wire.UUID(p.CallID),
			Status: p.Status, Create: wire.Time(p.Created), Update: wire.Time(p.Updated),
		},
		seat: seat{
			Name: p.Name, Role: p.Role, Muted: p.Muted, Deaf: p.Deaf, Held: p.Held || p.RemoteHeld, RemoteHeld: p.RemoteHeld, Speaking: p.Speaking, Volume: p.Volume,
			CanHear: list(p.CanHear), CanSpeak: list(p.CanSpeak), Waiting: p.Waiting,
			LeaveReason: p.LeaveReason, Joined: wire.Time(p.ParticipantTimes.Joined), Leaved: wire.Time(p.ParticipantTimes.Leaved),
			Media: p.Media,
		},
	}
}

// list keeps nobody apart from everybody, which is left out.
func list(ids []string) *[]string {
	if ids == nil {
		return nil
	}
	return &ids
}

// Data returns the JSON that the log and its readers carry: the resource as it was right after the change. More than 100
// conferencecall ids are left out; conferencecall_count and conferencecalls_url stand in for them.
func (e Event) Data() ([]byte, error) {
	switch {
	case e.Conference != nil:
		r := e.Conference.Resource()
		if len(r.ConferencecallIDs) > listMax {
			r.ConferencecallIDs = []string{}
			r.ConferencecallsURL = "/v1.0/conferences/" + r.ID + "/conferencecalls?status=joined"
		}
		return json.Marshal(r)
	case e.Participant != nil && e.Digit != "":
		return json.Marshal(struct {
			ParticipantResource
			Digit string `json:"digit"`
		}{e.Participant.Resource(), e.Digit})
	case e.Participant != nil:
		return json.Marshal(e.Participant.Resource())
	case e.Announcement != nil:
		return e.Announcement.Data()
	case e.Recording != nil:
		return json.Marshal(e.Recording.Resource())
	case e.Notice != nil:
		return e.Notice.Data()
	}
	return nil, fmt.Errorf("write event %s: it is about nothing", e.Type)
}
