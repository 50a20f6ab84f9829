package active

import (
	"fmt"
	"net/url"
	"slices"
	"time"

	"parley/internal/fault"
	"parley/internal/flow"
	"parley/internal/flow/run"
	"parley/internal/wire"
)

// Command is a wish, or a fact that whoever runs the flow reports. The set is closed; every command carries its time.
type Command interface{ at() time.Time }

type (
	// Create makes the record of a run that begins.
	Create struct {
		At             time.Time
		ID, CustomerID string
		Origin
		Progress
	}
	// Advance says how far the run is. It is an event only when another action runs than before. After the end it is refused.
	Advance struct {
		At time.Time
		Progress
	}
	// End says that the run is over. Repeated, it changes nothing.
	End struct {
		At     time.Time
		Reason string
		*Progress
	}
	// Delete hides the record from lists; a run that goes on ends as stopped. Repeated, it changes nothing.
	Delete struct{ At time.Time }
	// Recover ends a run that a dead process left behind, as lost: its call is gone. Repeated, it changes nothing.
	Recover struct{ At time.Time }
)

func (c Create) at() time.Time  { return c.At }
func (c Advance) at() time.Time { return c.At }
func (c End) at() time.Time     { return c.At }
func (c Delete) at() time.Time  { return c.At }
func (c Recover) at() time.Time { return c.At }

// Decide returns what the command does to the record, in order; none when it changes nothing.
func Decide(a Activeflow, c Command) ([]Event, error) {
	d := decision{next: a, at: flow.Time(c.at())}
	if create, ok := c.(Create); ok {
		return d.events, d.create(create)
	}
	if a.ID == "" {
		return nil, fault.New(fault.NotFound, "ACTIVEFLOW_NOT_FOUND", "there is no such activeflow; check the id")
	}
	switch c := c.(type) {
	case Advance:
		return d.advance(c)
	case End:
		d.end(c.Reason, c.Progress)
	case Delete:
		d.end(run.Stopped, nil)
		if d.next.Deleted.IsZero() {
			d.next.Deleted = d.at
			d.record(Deleted)
		}
	case Recover:
		d.end(run.Lost, nil)
	}
	return d.events, nil
}

type decision struct {
	next   Activeflow
	at     time.Time
	events []Event
}

func (d *decision) record(t EventType) {
	if t != Created {
		d.next.Updated = d.at
	}
	d.events = append(d.events, Event{t, d.at, d.next})
}

func (d *decision) create(c Create) error {
	if d.next.ID != "" {
		return fault.New(fault.Conflict, "ALREADY_EXISTS", "activeflow %s exists", c.ID)
	}
	for field, id := range map[string]*string{
		"flow_id": &c.FlowID, "reference_id": &c.ReferenceID, "reference_activeflow_id": &c.ReferenceActiveflowID,
		"on_complete_flow_id": &c.OnCompleteFlowID,
	} {
		var err error
		if *id, err = wire.OptionalUUID(*id); err != nil {
			return fault.New(fault.Invalid, "INVALID_ARGUMENT", "%s: %v", field, err)
		}
	}
	if err := webhook(&c.Origin); err != nil {
		return err
	}
	d.next = Activeflow{ID: c.ID, CustomerID: c.CustomerID, Origin: c.Origin, Status: Running, Progress: c.Progress, Created: d.at}
	d.record(Created)
	return nil
}

func webhook(o *Origin) error {
	if _, err := wire.OneOf(o.WebhookMethod, "", "POST", "GET", "PUT", "DELETE"); err != nil {
		return fault.New(fault.Invalid, "INVALID_WEBHOOK_METHOD", "webhook_method: %v", err)
	}
	if o.WebhookURI == "" {
		return nil
	}
	u, err := url.Parse(o.WebhookURI)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || len(o.WebhookURI) > 2048 {
		return fault.New(fault.Invalid, "INVALID_WEBHOOK_URI", "webhook_uri: it must be an http or https URL with a host, of at most 2048 characters")
	}
	return nil
}

func (d *decision) advance(c Advance) ([]Event, error) {
	if d.next.Status == Ended {
		return nil, fault.New(fault.Conflict, "ACTIVEFLOW_ALREADY_STOPPED", "activeflow %s has ended (%s)", d.next.ID, d.next.EndReason)
	}
	moved := len(c.Executed) != len(d.next.Executed) || c.Current.ID != d.next.Current.ID
	if d.next.Progress = c.Progress; moved {
		d.record(Updated)
	}
	return d.events, nil
}

func (d *decision) end(reason string, last *Progress) {
	if d.next.Status == Ended {
		return
	}
	if last != nil {
		d.next.Progress = *last
	}
	d.next.Progress.close(reason)
	d.next.Status, d.next.EndReason = Ended, reason
	d.record(Updated)
}

// close says of an action that still ran that it did not get to its end, and that none runs any more.
func (p *Progress) close(reason string) {
	p.Current = flow.Action{ID: flow.FinishID}
	n := len(p.Executed)
	if n == 0 || p.Executed[n-1].Outcome != run.Running {
		return
	}
	p.Executed = slices.Clone(p.Executed) // others may show the old one
	p.Executed[n-1] = &Executed{p.Executed[n-1].Action, run.Failed, reason}
}

// String says what an event is, for logs.
func (e Event) String() string {
	return fmt.Sprintf("%s %s %s", e.Type, e.Activeflow.ID, e.Activeflow.Status)
}
