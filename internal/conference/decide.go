package conference

import (
	"fmt"
	"slices"
	"time"

	"parley/internal/fault"
)

// Decide returns the events that follow from c, none when nothing changes. It does not change s: fold the events with Apply
// once they are written. An error is a refusal of package fault, and then there are no events.
//
// Order: what happens to participants comes before the conference_updated that it causes; the end of a conference is announced
// (terminating) before its participants leave, and conference_deleted is its last event, but for a later deletion mark.
func (s *State) Decide(c Command) ([]Event, error) {
	d := &decision{next: *s}
	if err := d.run(c); err != nil {
		return nil, err
	}
	if d.at.IsZero() && len(d.events) > 0 {
		return nil, fmt.Errorf("decide: %T without a time", c)
	}
	return d.events, nil
}

// decision is one Decide under way: a private copy of the state that is always what the events so far lead to.
type decision struct {
	next   State
	owned  bool // next.Participants is our own copy; most commands change little or nothing, so it is made late
	at     time.Time
	events []Event
}

func (d *decision) run(c Command) error {
	if c, ok := c.(Create); ok {
		return d.on(c.At).create(c)
	}
	if d.next.Conference.ID == "" {
		return unknownConference()
	}
	switch c := c.(type) {
	case Update:
		return d.on(c.At).update(c)
	case SetDirectHash:
		return d.on(c.At).setDirectHash(c)
	case Join:
		return d.on(c.At).join(c)
	case Connected:
		return d.on(c.At).connected(c)
	case Leave:
		return d.on(c.At).leave(c)
	case Kick:
		return d.on(c.At).kick(c)
	case Left:
		return d.on(c.At).left(c)
	case Terminate:
		return d.on(c.At).terminate(c)
	case Expire:
		return d.on(c.At).expire()
	case Set:
		return d.on(c.At).set(c)
	case Admit:
		return d.on(c.At).admitWaiting(c)
	case Deny:
		return d.on(c.At).deny(c)
	case Unlock:
		return d.on(c.At).unlock()
	case MuteAll:
		return d.on(c.At).muteAll(c.Muted)
	case StartAnnouncement:
		return d.on(c.At).startAnnouncement(c)
	case EndAnnouncement:
		return d.on(c.At).endAnnouncement(c)
	case Speech:
		return d.on(c.At).speech(c)
	case Digit:
		return d.on(c.At).digit(c)
	case Recover:
		return d.on(c.At).recoverAll()
	}
	return d.runRecording(c)
}

func unknownCommand(c Command) error { return fmt.Errorf("decide: unknown command %T", c) }

// on sets the time of the decision in the precision of the log, so that state from the log equals state from memory.
func (d *decision) on(at time.Time) *decision {
	d.at = at.UTC().Truncate(time.Microsecond)
	return d
}

func (d *decision) emit(e Event) {
	e.At = d.at
	if e.Participant != nil && !d.owned {
		d.next.Participants, d.owned = slices.Clone(d.next.Participants), true
	}
	d.events = append(d.events, e)
	d.next.Apply(e)
}

// conference records a change of the conference.
func (d *decision) conference(kind string, change func(*Conference)) {
	c := d.next.Conference
	change(&c)
	c.Updated = d.at
	d.emit(Event{Type: kind, Conference: &c})
}

// participant records a change of the i-th participant.
func (d *decision) participant(i int, kind string, change func(*Participant)) {
	p := *d.next.Participants[i]
	change(&p)
	p.Updated = d.at
	d.emit(Event{Type: kind, Participant: &p})
}

// find returns the place of a participant, or why there is none.
func (d *decision) find(id ParticipantID) (int, error) {
	if i := d.next.index(id); i >= 0 {
		return i, nil
	}
	if d.gone(id) {
		return -1, alreadyLeaving(id)
	}
	return -1, fault.New(fault.NotFound, "CONFERENCECALL_NOT_FOUND",
		"this conference has no conferencecall %s; list its conferencecalls for the ids", id)
}

// gone reports whether the participant leaved lately.
func (d *decision) gone(id ParticipantID) bool { return slices.Contains(d.next.recent, id) }

func alreadyLeaving(id ParticipantID) error {
	return fault.New(fault.Conflict, "CONFERENCECALL_LEAVED", "conferencecall %s has left or is leaving; it cannot be changed any more", id)
}

// unknownConference is the same for a conference that does not exist and for one of somebody else: nothing is disclosed.
func unknownConference() error {
	return fault.New(fault.NotFound, "CONFERENCE_NOT_FOUND", "there is no such conference; check the id")
}

// invalid names the field of the API that is wrong.
func invalid(field, format string, args ...any) error {
	return fault.New(fault.Invalid, "INVALID_ARGUMENT", "%s: %s", field, fmt.Sprintf(format, args...))
}

func (d *decision) progressing() error {
	if status := d.next.Conference.Status; status != Progressing {
		return fault.New(fault.Conflict, "CONFERENCE_NOT_PROGRESSING",
			"the conference is %s; only a progressing one can be entered or changed", status)
	}
	return nil
}
