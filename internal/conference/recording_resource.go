package conference

import (
	"time"

	"parley/internal/wire"
)

// RecordingResource is a recording as the API writes it: the original's fields, then ours.
type RecordingResource struct {
	recordingHead
	recordingTail
}

type recordingHead struct {
	ID            string          `json:"id"`
	CustomerID    string          `json:"customer_id"`
	OwnerType     string          `json:"owner_type"`
	OwnerID       string          `json:"owner_id"`
	ActiveflowID  string          `json:"activeflow_id"`
	ReferenceType string          `json:"reference_type"`
	ReferenceID   string          `json:"reference_id"`
	Status        RecordingStatus `json:"status"`
	Format        string          `json:"format"`
	OnEndFlowID   string          `json:"on_end_flow_id"`
	Start         wire.Time       `json:"tm_start"`
	End           wire.Time       `json:"tm_end"`
	Create        wire.Time       `json:"tm_create"`
	Update        wire.Time       `json:"tm_update"`
	Delete        wire.Time       `json:"tm_delete"`
}

type recordingTail struct {
	ConferenceID  string          `json:"conference_id"`
	Paused        bool            `json:"paused"`
	PauseBehavior string          `json:"pause_behavior"`
	Duration      int64           `json:"duration"` // limit in seconds
	Notice        string          `json:"notice"`
	EndReason     RecordingReason `json:"end_reason"`
	Size          int64           `json:"size"`
	Milliseconds  int64           `json:"duration_ms"`
	SHA256        string          `json:"sha256"`
}

// Resource returns the recording as the API writes it.
func (r *Recording) Resource() RecordingResource {
	return RecordingResource{
		recordingHead: recordingHead{
			ID: wire.UUID(r.ID), CustomerID: wire.UUID(r.CustomerID), OwnerID: wire.UUID(""), ActiveflowID: wire.UUID(r.ActiveflowID),
			ReferenceType: "conference", ReferenceID: wire.UUID(string(r.ConferenceID)), Status: r.Status, Format: r.Format,
			OnEndFlowID: wire.UUID(r.OnEndFlowID), Start: wire.Time(r.Started), End: wire.Time(r.RecordingTimes.Stopped),
			Create: wire.Time(r.Created), Update: wire.Time(r.Updated), Delete: wire.Time(r.RecordingTimes.Deleted),
		},
		recordingTail: recordingTail{
			ConferenceID: wire.UUID(string(r.ConferenceID)), Paused: r.Paused != "", PauseBehavior: r.Paused,
			Duration: int64(r.Duration / time.Second), Notice: r.Notice, EndReason: r.EndReason, Size: r.Size,
			Milliseconds: r.Length.Milliseconds(), SHA256: r.SHA256,
		},
	}
}
