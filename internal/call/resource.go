package call

import (
	"encoding/json"

	"parley/internal/wire"
)

// Resource is a call as the API writes it: the original's fields in the original's order, then ours. Nothing is left out: unset ids are
// nil UUIDs, unset times null, lists []; source and destination leave out what is empty.
type Resource struct {
	identity
	parties
	ending
	additions
}

type identity struct {
	ID             string   `json:"id"`
	CustomerID     string   `json:"customer_id"`
	OwnerType      string   `json:"owner_type"`
	OwnerID        string   `json:"owner_id"`
	FlowID         string   `json:"flow_id"`
	ActiveflowID   string   `json:"activeflow_id"`
	Type           Type     `json:"type"`
	MasterCallID   string   `json:"master_call_id"`
	ChainedCallIDs []string `json:"chained_call_ids"`
	RecordingID    string   `json:"recording_id"`
	RecordingIDs   []string `json:"recording_ids"`
	GroupcallID    string   `json:"groupcall_id"`
}

type parties struct {
	Source        Address         `json:"source"`
	Destination   Address         `json:"destination"`
	Status        Status          `json:"status"`
	Action        json.RawMessage `json:"action"`
	Metadata      json.RawMessage `json:"metadata"`
	Direction     Direction       `json:"direction"`
	MuteDirection string          `json:"mute_direction"`
}

type ending struct {
	HangupBy     Side         `json:"hangup_by"`
	HangupReason HangupReason `json:"hangup_reason"`
	Progressing  wire.Time    `json:"tm_progressing"`
	Ringing      wire.Time    `json:"tm_ringing"`
	Hangup       wire.Time    `json:"tm_hangup"`
	Create       wire.Time    `json:"tm_create"`
	Update       wire.Time    `json:"tm_update"`
	Delete       wire.Time    `json:"tm_delete"`
}

type additions struct {
	ConferenceID     string   `json:"conference_id"`
	ConferencecallID string   `json:"conferencecall_id"`
	SIPCallID        string   `json:"sip_call_id"`
	HangupDetail     string   `json:"hangup_detail"`
	Quality          *Quality `json:"quality"`
}

// noAction is the action of a call that no flow is working on.
var noAction = json.RawMessage(`{"id":"` + wire.NilUUID + `","next_id":"` + wire.NilUUID + `","type":"","option":{},"tm_execute":null}`)

// Resource returns the call as the API writes it.
func (c *Call) Resource() Resource {
	action, metadata := c.Action, c.Metadata
	if len(action) == 0 {
		action = noAction
	}
	if len(metadata) == 0 {
		metadata = json.RawMessage("{}")
	}
	return Resource{
		identity: identity{
			ID: wire.UUID(string(c.ID)), CustomerID: wire.UUID(c.CustomerID), OwnerType: c.OwnerType, OwnerID: wire.UUID(c.OwnerID),
			FlowID: wire.UUID(c.FlowID), ActiveflowID: wire.UUID(c.ActiveflowID), Type: c.Type,
			MasterCallID: wire.UUID(c.MasterCallID), ChainedCallIDs: wire.IDs(c.ChainedCallIDs),
			RecordingID: wire.UUID(c.RecordingID), RecordingIDs: wire.IDs(c.RecordingIDs), GroupcallID: wire.UUID(c.GroupcallID),
		},
		parties: parties{
			Source: c.Source, Destination: c.Destination, Status: c.Status, Action: action, Metadata: metadata,
			Direction: c.Direction, MuteDirection: c.MuteDirection,
		},
		ending: ending{
			HangupBy: c.HangupBy, HangupReason: c.HangupReason,
			Progressing: wire.Time(c.Times.Progressing), Ringing: wire.Time(c.Times.Ringing), Hangup: wire.Time(c.Times.Ended),
			Create: wire.Time(c.Created), Update: wire.Time(c.Updated), Delete: wire.Time(c.Deleted),
		},
		additions: additions{
			ConferenceID: wire.UUID(c.ConferenceID), ConferencecallID: wire.UUID(c.ConferencecallID), SIPCallID: c.SIPCallID,
			HangupDetail: c.HangupDetail, Quality: c.Quality,
		},
	}
}

// Data returns the JSON that the log and its readers carry: the resource as it was right after the change.
func (e Event) Data() ([]byte, error) { return json.Marshal(e.Call.Resource()) }
