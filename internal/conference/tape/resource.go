package tape

import (
	"time"

	"parley/internal/wire"
)

// Resource is a recording as the API writes it: the original's fields, then ours.
type Resource struct {
	resourceHead
	resourceTail
}

type resourceHead struct {
	ID            string    `json:"id"`
	CustomerID    string    `json:"customer_id"`
	OwnerType     string    `json:"owner_type"`
	OwnerID       string    `json:"owner_id"`
	ActiveflowID  string    `json:"activeflow_id"`
	ReferenceType string    `json:"reference_type"`
	ReferenceID   string    `json:"reference_id"`
	Status        Status    `json:"status"`
	Format        string    `json:"format"`
	OnEndFlowID   string    `json:"on_end_flow_id"`
	Start         wire.Time `json:"tm_start"`
	End           wire.Time `json:"tm_end"`
	Create        wire.Time `json:"tm_create"`
	Update        wire.Time `json:"tm_update"`
	Delete        wire.Time `json:"tm_delete"`
}

type resourceTail struct {
	ConferenceID  string `json:"conference_id"`
	Paused        bool   `json:"paused"`
	PauseBehavior string `json:"pause_behavior"`
	Duration      int64  `json:"duration"` // limit in seconds
	Notice        string `json:"notice"`
	EndOfSilence  int64  `json:"end_of_silence"` // in seconds
	EndOfKey      string `json:"end_of_key"`
	EndReason     Reason `json:"end_reason"`
	Size          int64  `json:"size"`
	Milliseconds  int64  `json:"duration_ms"`
	SHA256        string `json:"sha256"`
}

// Reference returns what is recorded, in the API's words: its type, and its id.
func (r *Recording) Reference() (kind, id string) {
	if r.CallID != "" {
		return "call", r.CallID
	}
	return "conference", r.ConferenceID
}

// Resource returns the recording as the API writes it.
func (r *Recording) Resource() Resource {
	kind, id := r.Reference()
	return Resource{
		resourceHead: resourceHead{
			ID: wire.UUID(r.ID), CustomerID: wire.UUID(r.CustomerID), OwnerID: wire.UUID(""), ActiveflowID: wire.UUID(r.ActiveflowID),
			ReferenceType: kind, ReferenceID: wire.UUID(id), Status: r.Status, Format: r.Format,
			OnEndFlowID: wire.UUID(r.OnEndFlowID), Start: wire.Time(r.Started), End: wire.Time(r.Stopped),
			Create: wire.Time(r.Created), Update: wire.Time(r.Updated), Delete: wire.Time(r.Deleted),
		},
		resourceTail: resourceTail{
			ConferenceID: wire.UUID(r.ConferenceID), Paused: r.Paused != "", PauseBehavior: r.Paused,
			Duration: int64(r.Duration / time.Second), Notice: r.Notice, EndOfSilence: int64(r.EndOfSilence / time.Second), EndOfKey: r.EndOfKey,
			EndReason: r.EndReason, Size: r.Size, Milliseconds: r.Length.Milliseconds(), SHA256: r.SHA256,
		},
	}
}
