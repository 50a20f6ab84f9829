package active

import (
	"parley/internal/flow"
	"parley/internal/wire"
)

// Resource is an activeflow as the API writes it: the original's fields in the original's order, then ours. Nothing is left out.
type Resource struct {
	ID                    string        `json:"id"`
	CustomerID            string        `json:"customer_id"`
	FlowID                string        `json:"flow_id"`
	Status                Status        `json:"status"`
	ReferenceType         string        `json:"reference_type"`
	ReferenceID           string        `json:"reference_id"`
	ReferenceActiveflowID string        `json:"reference_activeflow_id"`
	OnCompleteFlowID      string        `json:"on_complete_flow_id"`
	WebhookURI            string        `json:"webhook_uri"`
	WebhookMethod         string        `json:"webhook_method"`
	CurrentAction         flow.Action   `json:"current_action"`
	ForwardActionID       string        `json:"forward_action_id"` // nobody is ever forwarded: always the nil UUID
	ExecutedActions       []flow.Action `json:"executed_actions"`
	Created               wire.Time     `json:"tm_create"`
	Updated               wire.Time     `json:"tm_update"`
	Deleted               wire.Time     `json:"tm_delete"`
	additions
}

type additions struct {
	EndReason string            `json:"end_reason"`
	Outcomes  []Outcome         `json:"outcomes"` // of executed_actions, in the same order
	Variables map[string]string `json:"variables"`
}

// Outcome is what came of an action: done, failed, skipped, or "" while it runs.
type Outcome struct {
	ActionID string `json:"action_id"`
	Outcome  string `json:"outcome"`
	Reason   string `json:"reason"`
}

// Resource returns the activeflow as the API writes it.
func (a *Activeflow) Resource() Resource {
	r := Resource{
		ID: a.ID, CustomerID: a.CustomerID, FlowID: wire.UUID(a.FlowID), Status: a.Status, ReferenceType: a.ReferenceType,
		ReferenceID: wire.UUID(a.ReferenceID), ReferenceActiveflowID: wire.UUID(a.ReferenceActiveflowID),
		OnCompleteFlowID: wire.UUID(a.OnCompleteFlowID), WebhookURI: a.WebhookURI, WebhookMethod: a.WebhookMethod,
		CurrentAction: a.Current, ForwardActionID: wire.NilUUID, ExecutedActions: []flow.Action{},
		Created: wire.Time(a.Created), Updated: wire.Time(a.Updated), Deleted: wire.Time(a.Deleted),
		additions: additions{EndReason: a.EndReason, Outcomes: []Outcome{}, Variables: a.Variables},
	}
	if r.Variables == nil {
		r.Variables = map[string]string{}
	}
	for _, e := range a.Executed {
		r.ExecutedActions = append(r.ExecutedActions, e.Action)
		r.Outcomes = append(r.Outcomes, Outcome{wire.UUID(e.Action.ID), string(e.Outcome), e.Reason})
	}
	return r
}
