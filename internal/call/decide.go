package call

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/internal/fault"
	"parley/internal/wire"
)

// Event is a fact: the new value of the call, under the type that the log gives it.
type Event struct {
	Type string
	At   time.Time
	Call *Call
}

// The types of events.
const (
	CallCreated     = "call_created"
	CallUpdated     = "call_updated"
	CallDialing     = "call_dialing"
	CallRinging     = "call_ringing"
	CallProgressing = "call_progressing"
	CallTerminating = "call_terminating"
	CallCanceling   = "call_canceling"
	CallHangup      = "call_hangup"
	CallDeleted     = "call_deleted"
)

// after lists where a call may go from each state.
var after = map[Status][]Status{
	Dialing:     {Ringing, Progressing, Terminating, Canceling, Ended},
	Ringing:     {Progressing, Terminating, Canceling, Ended},
	Progressing: {Terminating, Ended},
	Terminating: {Ended},
	Canceling:   {Ended},
}

func (c *Call) can(to Status) bool { return slices.Contains(after[c.Status], to) }

// Decide returns the events that follow from cmd, none when nothing changes. It does not change c: fold the events with Apply once they
// are written. An error is a refusal of package fault, and then there are no events. A call is made by two events, call_created and the
// one of its first state.
func (c *Call) Decide(cmd Command) ([]Event, error) {
	d := &decision{next: *c}
	if err := d.run(cmd); err != nil {
		return nil, err
	}
	if d.at.IsZero() && len(d.events) > 0 {
		return nil, fmt.Errorf("decide: %T without a time", cmd)
	}
	return d.events, nil
}

// Apply folds an event into the call. It never fails.
func (c *Call) Apply(e Event) { *c = *e.Call }

// decision is one Decide under way: a private copy of the call that is always what the events so far lead to.
type decision struct {
	next   Call
	at     time.Time
	events []Event
}

func (d *decision) run(cmd Command) error {
	switch cmd := cmd.(type) {
	case Incoming:
		return d.on(cmd.At).create(cmd, Inbound)
	case Outgoing:
		return d.on(cmd.At).create(Incoming(cmd), Outbound)
	}
	if d.next.ID == "" {
		return fault.New(fault.NotFound, "CALL_NOT_FOUND", "there is no such call; check the id")
	}
	switch cmd := cmd.(type) {
	case Ring:
		return d.on(cmd.At).ring()
	case Answer:
		return d.on(cmd.At).answer()
	case Cancel:
		return d.on(cmd.At).cancel()
	case Hangup:
		return d.on(cmd.At).hangup(cmd)
	case Seat:
		return d.on(cmd.At).seat(cmd)
	case Mute:
		return d.on(cmd.At).mute(cmd)
	case Act:
		return d.on(cmd.At).act(cmd)
	case Tape:
		return d.on(cmd.At).tape(cmd)
	case Chain:
		return d.on(cmd.At).chain(cmd)
	case Replace:
		return d.on(cmd.At).replace(cmd)
	case Delete:
		return d.on(cmd.At).delete()
	case Recover:
		return d.on(cmd.At).abandon()
	}
	return fmt.Errorf("decide: unknown command %T", cmd)
}

// on sets the time of the decision in the precision of the log, so that a call from the log equals one from memory.
func (d *decision) on(at time.Time) *decision {
	d.at = at.UTC().Truncate(time.Microsecond)
	return d
}

// change records a change of the call.
func (d *decision) change(kind string, change func(*Call)) {
	c := d.next
	change(&c)
	c.Updated = d.at
	d.emit(Event{Type: kind, Call: &c})
}

func (d *decision) emit(e Event) {
	e.At = d.at
	d.events = append(d.events, e)
	d.next.Apply(e)
}

func (d *decision) create(in Incoming, direction Direction) error {
	if d.next.ID != "" {
		return fault.New(fault.Conflict, "ALREADY_EXISTS", "call %s exists; choose another id", in.ID)
	}
	status, kind := Dialing, CallDialing
	if direction == Inbound {
		status, kind = Ringing, CallRinging
		in.Source.clean()
		in.Destination.clean()
		in.SIPCallID = cleanText(in.SIPCallID)
	}
	if err := in.check(); err != nil {
		return err
	}
	if direction == Outbound && (in.Source.controls() || in.Destination.controls()) {
		return fault.New(fault.Invalid, "INVALID_ARGUMENT", "source, destination: an address of a call out holds no control characters, as line breaks are")
	}
	if direction == Outbound && in.Destination.Type == "tel" && !strings.HasPrefix(in.Destination.Target, "+") {
		return fault.New(fault.Invalid, "INVALID_ARGUMENT", "destination: the target of a tel address is E.164 with a leading +")
	}
	record := Call{
		ID: in.ID, CustomerID: in.CustomerID, Type: in.Type, Direction: direction, Status: status,
		Source: in.Source, Destination: in.Destination, SIPCallID: in.SIPCallID,
		Links: Links{FlowID: in.FlowID, ActiveflowID: in.ActiveflowID, GroupcallID: in.GroupcallID, MasterCallID: in.MasterCallID},
		Times: Times{Created: d.at},
	}
	if in.AgentID != "" {
		record.OwnerType, record.OwnerID = "agent", in.AgentID
	}
	if direction == Inbound {
		record.Times.Ringing = d.at
	}
	d.emit(Event{Type: CallCreated, Call: &record})
	d.emit(Event{Type: kind, Call: &record})
	return nil
}

// check brings ids into their one form and refuses what cannot be stored.
func (in *Incoming) check() error {
	id, err := wire.RequiredUUID(string(in.ID))
	if err != nil {
		return invalid("id", err)
	}
	in.ID = ID(id)
	if in.CustomerID, err = wire.RequiredUUID(in.CustomerID); err != nil {
		return invalid("customer_id", err)
	}
	for _, link := range []struct {
		field string
		id    *string
	}{{"flow_id", &in.FlowID}, {"activeflow_id", &in.ActiveflowID}, {"groupcall_id", &in.GroupcallID}, {"master_call_id", &in.MasterCallID}, {"agent_id", &in.AgentID}} {
		if *link.id, err = wire.OptionalUUID(*link.id); err != nil {
			return invalid(link.field, err)
		}
	}
	if in.Type, err = wire.OneOf(in.Type, "", ForFlow, ForConference, ForSIPService); err != nil {
		return invalid("type", err)
	}
	if err := in.Source.check(); err != nil {
		return invalid("source", err)
	}
	if err := in.Destination.check(); err != nil {
		return invalid("destination", err)
	}
	if err := wire.Text(in.SIPCallID, textMax); err != nil {
		return invalid("sip_call_id", err)
	}
	return nil
}

// invalid names the field of the API that is wrong.
func invalid(field string, err error) error {
	return fault.New(fault.Invalid, "INVALID_ARGUMENT", "%s: %v", field, err)
}
