package active

import (
	"encoding/json"
	"maps"
	"time"

	"parley/internal/flow"
	"parley/internal/flow/run"
)

// Status of an activeflow. It only moves forward.
type Status string

// The states.
const (
	Running Status = "running"
	Ended   Status = "ended"
)

// The references that a run can have.
const (
	OnCall         = "call"
	ByAPI          = "api"
	AfterRecording = "recording"
)

// Activeflow is the record. It may be copied freely: what it shows is replaced, never written to. Its JSON is the store's form; Resource is the
// API's. The zero Activeflow is one that does not exist.
type Activeflow struct {
	ID, CustomerID string
	Origin
	Status    Status
	EndReason string // see run.End; "" while running
	Progress
	Created, Updated, Deleted time.Time
}

// Origin says what a run was started for. Ids are "" for none.
type Origin struct {
	FlowID                string // "" for actions that are no flow's
	ReferenceType         string // call, api, recording or ""
	ReferenceID           string
	ReferenceActiveflowID string // whose end started this one
	OnCompleteFlowID      string
	CompleteCount         int
	CallCount             int
	WebhookURI            string
	WebhookMethod         string // POST, GET, PUT, DELETE or ""
}

// Progress is how far a run is. Records that follow each other share what has not changed.
type Progress struct {
	Current   flow.Action
	Executed  []*Executed // none is nil
	Variables map[string]string
}

// Executed is an action of the past, or the present one, with what came of it.
type Executed struct {
	Action  flow.Action
	Outcome run.Outcome
	Reason  string
}

// ProgressOf returns how far a run is. Of a run that goes on, the record keeps its own copy.
func ProgressOf(r *run.Run) Progress { return Progress{}.Now(r) }

// Now returns how far the run of p is now. It shares with p what has not changed.
func (p Progress) Now(r *run.Run) Progress {
	now := Progress{Current: r.Current(), Executed: make([]*Executed, len(r.Executed)), Variables: p.Variables}
	known := copy(now.Executed, p.Executed)
	for i := range r.Executed {
		v := &r.Executed[i]
		if i >= known || now.Executed[i].Outcome != v.Outcome || now.Executed[i].Reason != v.Reason { // only the newest ones change
			now.Executed[i] = &Executed{v.Action, v.Outcome, v.Reason}
		}
	}
	if now.Variables == nil || !maps.Equal(now.Variables, r.Vars) {
		now.Variables = make(map[string]string, len(r.Vars))
		maps.Copy(now.Variables, r.Vars)
	}
	return now
}

// EventType names what happened to a record.
type EventType string

// The events.
const (
	Created EventType = "activeflow_created"
	Updated EventType = "activeflow_updated"
	Deleted EventType = "activeflow_deleted"
)

// Event is a change that happened, with the record right after it.
type Event struct {
	Type       EventType
	At         time.Time
	Activeflow Activeflow
}

// Data returns the JSON that the log and its readers carry.
func (e Event) Data() ([]byte, error) { return json.Marshal(e.Activeflow.Resource()) }
