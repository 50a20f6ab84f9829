package group

import (
	"fmt"
	"slices"
	"time"

	"parley/internal/call"
	"parley/internal/fault"
	"parley/internal/wire"
)

// Event is a fact: the new value of the groupcall, under the type that the log gives it.
type Event struct {
	Type      string
	At        time.Time
	Groupcall *Groupcall
}

// The types of events.
const (
	GroupcallCreated     = "groupcall_created"
	GroupcallUpdated     = "groupcall_updated"
	GroupcallProgressing = "groupcall_progressing" // it has been answered
	GroupcallHangup      = "groupcall_hangup"
	GroupcallDeleted     = "groupcall_deleted"
)

// Decide returns the events that follow from cmd, none when nothing changes. It does not change g: fold the events with Apply once they are
// written. An error is a refusal of package fault, and then there are no events.
func (g *Groupcall) Decide(cmd Command) ([]Event, error) {
	d := &decision{next: *g}
	if err := d.run(cmd); err != nil {
		return nil, err
	}
	if d.at.IsZero() && len(d.events) > 0 {
		return nil, fmt.Errorf("decide: %T without a time", cmd)
	}
	return d.events, nil
}

// Apply folds an event into the groupcall. It never fails.
func (g *Groupcall) Apply(e Event) { *g = *e.Groupcall }

// decision is one Decide under way: a private copy of the groupcall that is always what the events so far lead to.
type decision struct {
	next   Groupcall
	at     time.Time
	events []Event
}

func (d *decision) run(cmd Command) error {
	if cmd, ok := cmd.(Create); ok {
		return d.on(cmd.At).create(cmd)
	}
	if d.next.ID == "" {
		return fault.New(fault.NotFound, "GROUPCALL_NOT_FOUND", "there is no such groupcall; check the id")
	}
	switch cmd := cmd.(type) {
	case Dialed:
		return d.on(cmd.At).dialed(cmd)
	case Answered:
		return d.on(cmd.At).answered(cmd)
	case CallEnded:
		return d.on(cmd.At).ended(cmd)
	case Hangup:
		return d.on(cmd.At).hangup()
	case Recover:
		return d.on(cmd.At).abandon()
	case Delete:
		return d.on(cmd.At).delete()
	}
	return fmt.Errorf("decide: unknown command %T", cmd)
}

// on sets the time of the decision in the precision of the log, so that a groupcall from the log equals one from memory.
func (d *decision) on(at time.Time) *decision {
	d.at = at.UTC().Truncate(time.Microsecond)
	return d
}

// emit records an event that leads to the value.
func (d *decision) emit(kind string, g Groupcall) {
	e := Event{Type: kind, At: d.at, Groupcall: &g}
	d.events = append(d.events, e)
	d.next.Apply(e)
}

// change records a change, and with it the end if the change leads there.
func (d *decision) change(kind string, change func(*Groupcall)) {
	g := d.next
	change(&g)
	g.Updated = d.at
	g.turn()
	if g.Status != Ended && g.live() == 0 && (g.Status == HangingUp || g.AnswerCallID != "" || len(g.Dial()) == 0) {
		g.Status, kind = Ended, GroupcallHangup
	}
	d.emit(kind, g)
}

// turn gives a linear groupcall's turn to the next destination when the one that had it is through.
func (g *Groupcall) turn() {
	if g.Ring != Linear || g.Status != Progressing || g.AnswerCallID != "" || g.live() > 0 {
		return
	}
	for g.DialIndex < len(g.Destinations)-1 && slices.Contains(g.Dialed, g.DialIndex) {
		g.DialIndex++
	}
}

func (d *decision) create(c Create) error {
	if d.next.ID != "" {
		return fault.New(fault.Conflict, "ALREADY_EXISTS", "groupcall %s exists; choose another id", c.ID)
	}
	if err := c.check(); err != nil {
		return err
	}
	d.emit(GroupcallCreated, Groupcall{
		ID: c.ID, CustomerID: c.CustomerID, Status: Progressing, FlowID: c.FlowID, Source: c.Source,
		Methods: c.Methods, Links: c.Links, Destinations: slices.Clone(c.Destinations), Created: d.at,
	})
	return nil
}

// check brings ids into their one form and refuses what cannot be stored.
func (c *Create) check() error {
	id, err := wire.RequiredUUID(string(c.ID))
	if err != nil {
		return invalid("id", err)
	}
	c.ID = ID(id)
	if c.CustomerID, err = wire.RequiredUUID(c.CustomerID); err != nil {
		return invalid("customer_id", err)
	}
	for _, link := range []struct {
		field string
		id    *string
	}{{"flow_id", &c.FlowID}, {"owner_id", &c.OwnerID}, {"master_call_id", &c.MasterCallID}, {"master_groupcall_id", &c.MasterGroupcallID}} {
		if *link.id, err = wire.OptionalUUID(*link.id); err != nil {
			return invalid(link.field, err)
		}
	}
	if c.Ring, err = wire.OneOf(c.Ring, RingAll, Linear); err != nil {
		return invalid("ring_method", err)
	}
	if c.Answer, err = wire.OneOf(c.Answer, HangupOthers); err != nil {
		return invalid("answer_method", err)
	}
	return c.checkAddresses()
}

func (c *Create) checkAddresses() error {
	if err := c.Source.Check(); err != nil {
		return invalid("source", err)
	}
	if n := len(c.Destinations); n == 0 || n > Most {
		return fault.New(fault.Invalid, "INVALID_ARGUMENT", "destinations: there are %d; a groupcall has 1 to %d", n, Most)
	}
	for i, a := range c.Destinations {
		if err := a.Check(); err != nil {
			return invalid(fmt.Sprintf("destinations[%d]", i), err)
		}
	}
	return nil
}

func (d *decision) dialed(c Dialed) error {
	if c.Destination < 0 || c.Destination >= len(d.next.Destinations) {
		return fault.New(fault.Invalid, "INVALID_ARGUMENT", "destination %d: the groupcall has %d", c.Destination, len(d.next.Destinations))
	}
	if slices.Contains(d.next.Dialed, c.Destination) {
		return fault.New(fault.Conflict, "GROUPCALL_ALREADY_DIALED", "destination %d of groupcall %s has been dialled", c.Destination, d.next.ID)
	}
	legs := slices.Clone(d.next.Legs)
	for _, text := range c.CallIDs {
		id, err := wire.RequiredUUID(text)
		if err != nil {
			return invalid("call_ids", err)
		}
		if slices.ContainsFunc(legs, func(l Leg) bool { return l.CallID == id }) {
			return fault.New(fault.Conflict, "ALREADY_EXISTS", "groupcall %s has call %s already", d.next.ID, id)
		}
		legs = append(legs, Leg{CallID: id, Destination: c.Destination})
	}
	if d.next.Status == Ended && len(c.CallIDs) == 0 {
		return nil
	}
	if d.next.Status == Ended {
		return d.over()
	}
	d.change(GroupcallUpdated, func(g *Groupcall) {
		g.Legs, g.Dialed = legs, append(slices.Clone(g.Dialed), c.Destination)
	})
	return nil
}

func (d *decision) answered(c Answered) error {
	i := d.next.find(c.CallID)
	switch {
	case i < 0:
		return d.stranger(c.CallID)
	case d.next.AnswerCallID == c.CallID:
		return nil
	case d.next.Status == Ended:
		return d.over()
	case d.next.Status == HangingUp || d.next.Legs[i].Ended:
		return fault.New(fault.Conflict, "CALL_ENDING", "groupcall %s or call %s is ending; an answer comes too late, hang the call up", d.next.ID, c.CallID)
	case d.next.AnswerCallID != "":
		return fault.New(fault.Conflict, "GROUPCALL_ALREADY_ANSWERED", "call %s has answered groupcall %s first; hang this one up", d.next.AnswerCallID, d.next.ID)
	}
	d.change(GroupcallProgressing, func(g *Groupcall) { g.AnswerCallID = c.CallID })
	return nil
}

func (d *decision) ended(c CallEnded) error {
	i := d.next.find(c.CallID)
	if i < 0 {
		return d.stranger(c.CallID)
	}
	if d.next.Legs[i].Ended {
		return nil
	}
	d.change(GroupcallUpdated, func(g *Groupcall) {
		g.Legs = slices.Clone(g.Legs)
		g.Legs[i].Ended, g.Legs[i].Reason = true, c.Reason
	})
	return nil
}

func (d *decision) hangup() error {
	if d.next.Status == Progressing {
		d.change(GroupcallUpdated, func(g *Groupcall) { g.Status = HangingUp })
	}
	return nil
}

func (d *decision) abandon() error {
	if d.next.Status == Ended {
		return nil
	}
	d.change(GroupcallUpdated, func(g *Groupcall) {
		g.Status, g.Legs = HangingUp, slices.Clone(g.Legs)
		for i := range g.Legs {
			if l := &g.Legs[i]; !l.Ended {
				l.Ended, l.Reason = true, call.Failed
			}
		}
	})
	return nil
}

func (d *decision) delete() error {
	if d.next.Status != Ended {
		return fault.New(fault.Conflict, "GROUPCALL_NOT_HANGUP", "groupcall %s is %s; hang it up before deleting it", d.next.ID, d.next.Status)
	}
	if d.next.Deleted.IsZero() {
		g := d.next
		g.Deleted, g.Updated = d.at, d.at
		d.emit(GroupcallDeleted, g)
	}
	return nil
}

func (d *decision) over() error {
	return fault.New(fault.Conflict, "GROUPCALL_ALREADY_HANGUP", "groupcall %s has been hung up", d.next.ID)
}

func (d *decision) stranger(callID string) error {
	return fault.New(fault.NotFound, "CALL_NOT_FOUND", "groupcall %s has no call %s", d.next.ID, callID)
}

// invalid names the field of the API that is wrong.
func invalid(field string, err error) error {
	return fault.New(fault.Invalid, "INVALID_ARGUMENT", "%s: %v", field, err)
}
