package flow

import (
	"encoding/json"
	"fmt"
	"time"

	"parley/internal/fault"
	"parley/internal/wire"
)

// Type says what a flow is for.
type Type string

// Script is the type of flows that people make and see in lists.
const Script Type = "flow"

// Flow is a script as a record. It may be copied freely: nothing in it is written to. Its JSON is the store's form; Resource is the API's.
type Flow struct {
	ID               string
	CustomerID       string
	Type             Type
	Name, Detail     string
	Actions          []Action
	DirectHash       string // 12 hex digits; "" once deleted
	OnCompleteFlowID string // "" for none
	Times
}

// Times of a flow in UTC; zero when it has not happened.
type Times struct{ Created, Updated, Deleted time.Time }

// Patch changes what is not nil.
type Patch struct {
	Name, Detail     *string
	Actions          *[]Action // as read by ReadActions
	OnCompleteFlowID *string
}

// New returns a flow with the settings of the patch; the ids are the caller's.
func New(at time.Time, id, customer, hash string, p Patch) (Flow, error) {
	f := Flow{ID: id, CustomerID: customer, Type: Script, DirectHash: hash, Times: Times{Created: Time(at)}}
	return f, f.set(p)
}

func (f *Flow) set(p Patch) error {
	if p.Name != nil {
		f.Name = *p.Name
	}
	if p.Detail != nil {
		f.Detail = *p.Detail
	}
	if p.Actions != nil {
		f.Actions = *p.Actions
	}
	if err := wire.Text(f.Name, 255); err != nil {
		return invalid("name", err)
	}
	if err := wire.Text(f.Detail, 4096); err != nil {
		return invalid("detail", err)
	}
	if p.OnCompleteFlowID != nil {
		id, err := wire.OptionalUUID(*p.OnCompleteFlowID)
		if err != nil {
			return invalid("on_complete_flow_id", err)
		}
		f.OnCompleteFlowID = id
	}
	return nil
}

// Update returns the changed flow. A deleted one is not changed any more.
func (f Flow) Update(at time.Time, p Patch) (Flow, error) {
	if err := f.alive(); err != nil {
		return f, err
	}
	f.Updated = Time(at)
	return f, f.set(p)
}

// SetDirectHash returns the flow with another direct hash.
func (f Flow) SetDirectHash(at time.Time, hash string) (Flow, error) {
	f.Updated, f.DirectHash = Time(at), hash
	return f, f.alive()
}

// Delete returns the deleted flow, which has no direct hash. What runs it goes on: a run has its own copy. Repeated, it changes nothing.
func (f Flow) Delete(at time.Time) Flow {
	if f.Deleted.IsZero() {
		f.Updated, f.Deleted, f.DirectHash = Time(at), Time(at), ""
	}
	return f
}

func (f *Flow) alive() error {
	if f.Deleted.IsZero() {
		return nil
	}
	return fault.New(fault.Conflict, "STATE_INVALID", "this flow has been deleted and cannot be changed any more")
}

func invalid(field string, err error) error {
	return fault.New(fault.Invalid, "INVALID_ARGUMENT", "%s", fmt.Sprintf("%s: %v", field, err))
}

// Resource is a flow as the API writes it: the original's fields, none of them left out.
type Resource struct {
	ID               string    `json:"id"`
	CustomerID       string    `json:"customer_id"`
	Type             Type      `json:"type"`
	Name             string    `json:"name"`
	Detail           string    `json:"detail"`
	Actions          []Action  `json:"actions"`
	DirectHash       string    `json:"direct_hash"` // with the prefix direct., "" for none
	OnCompleteFlowID string    `json:"on_complete_flow_id"`
	Created          wire.Time `json:"tm_create"`
	Updated          wire.Time `json:"tm_update"`
	Deleted          wire.Time `json:"tm_delete"`
}

// Resource returns the flow as the API writes it.
func (f *Flow) Resource() Resource {
	hash := f.DirectHash
	if hash != "" {
		hash = "direct." + hash
	}
	actions := f.Actions
	if actions == nil {
		actions = []Action{}
	}
	return Resource{
		ID: f.ID, CustomerID: f.CustomerID, Type: f.Type, Name: f.Name, Detail: f.Detail, Actions: actions, DirectHash: hash,
		OnCompleteFlowID: wire.UUID(f.OnCompleteFlowID),
		Created:          wire.Time(f.Created), Updated: wire.Time(f.Updated), Deleted: wire.Time(f.Deleted),
	}
}

// Data returns the JSON that events carry.
func (f *Flow) Data() ([]byte, error) { return json.Marshal(f.Resource()) }
