package call

import (
	"parley/internal/fault"
	"parley/internal/wire"
)

func (d *decision) ring() error {
	if d.next.can(Ringing) {
		d.change(CallRinging, func(c *Call) { c.Status, c.Times.Ringing = Ringing, d.at })
	}
	return nil
}

func (d *decision) answer() error {
	switch {
	case d.next.can(Progressing):
		d.change(CallProgressing, func(c *Call) { c.Status, c.Times.Progressing = Progressing, d.at })
		return nil
	case d.next.Status == Progressing:
		return nil
	case d.next.Status == Ended:
		return d.over()
	}
	return fault.New(fault.Conflict, "CALL_ENDING", "call %s is %s; an answer comes too late, hang up its leg", d.next.ID, d.next.Status)
}

func (d *decision) cancel() error {
	if d.next.Status == Ended {
		return d.over()
	}
	d.beginEnd()
	return nil
}

// beginEnd is our side's step towards the end, if it has not been made.
func (d *decision) beginEnd() {
	switch {
	case d.next.Status == Terminating || d.next.Status == Canceling:
	case d.next.Direction == Outbound && d.next.can(Canceling):
		d.change(CallCanceling, func(c *Call) { c.Status = Canceling })
	default:
		d.change(CallTerminating, func(c *Call) { c.Status = Terminating })
	}
}

func (d *decision) hangup(h Hangup) error {
	if d.next.Status == Ended {
		return nil
	}
	by, err := wire.OneOf(h.By, "", Local, Remote)
	if err != nil {
		return invalid("hangup_by", err)
	}
	reason, err := wire.OneOf(h.Reason, "", Normal, Failed, Busy, Canceled, TimedOut, NoAnswer, DialOut, Machine)
	if err != nil {
		return invalid("hangup_reason", err)
	}
	if by == Local {
		d.beginEnd()
	}
	if by == "" {
		by = Remote
	}
	if d.next.Status == Terminating || d.next.Status == Canceling {
		by = Local // whoever's BYE won the race, we had begun
	}
	if reason == "" {
		reason = d.suggested()
	}
	var quality *Quality
	if h.Quality != nil {
		q := *h.Quality // the caller may go on writing to its own
		quality = &q
	}
	d.end(Hung{HangupBy: by, HangupReason: reason, HangupDetail: cleanText(h.Detail)}, quality)
	return nil
}

func (d *decision) end(how Hung, quality *Quality) {
	d.change(CallHangup, func(c *Call) {
		c.Status, c.Times.Ended, c.Hung, c.Quality, c.Place = Ended, d.at, how, quality, Place{}
	})
}

// abandon ends a call that nobody holds any more. There is no step before it: nothing was sent to the other side.
func (d *decision) abandon() error {
	if d.next.Status != Ended {
		d.end(Hung{HangupBy: Local, HangupReason: Failed, HangupDetail: "lost"}, nil)
	}
	return nil
}

// suggested is the reason that the state gives when nobody else does.
func (d *decision) suggested() HangupReason {
	switch {
	case d.next.Status == Canceling:
		return Canceled
	case !d.next.Times.Progressing.IsZero():
		return Normal
	}
	return NoAnswer
}

func (d *decision) seat(s Seat) error {
	var err error
	if s.ConferenceID, err = wire.OptionalUUID(s.ConferenceID); err != nil {
		return invalid("conference_id", err)
	}
	if s.ConferencecallID, err = wire.OptionalUUID(s.ConferencecallID); err != nil {
		return invalid("conferencecall_id", err)
	}
	place := Place{ConferenceID: s.ConferenceID, ConferencecallID: s.ConferencecallID}
	switch {
	case (place.ConferenceID == "") != (place.ConferencecallID == ""):
		return fault.New(fault.Invalid, "INVALID_ARGUMENT", "conferencecall_id: a seat has a conference and a conferencecall, or neither")
	case place == d.next.Place:
		return nil
	case place != Place{} && d.next.Status == Ended:
		return d.over()
	}
	d.change(CallUpdated, func(c *Call) { c.Place = place })
	return nil
}

// replace makes the call one with another party: the source of one that came in, the destination of one that went out.
func (d *decision) replace(r Replace) error {
	if d.next.Status == Ended {
		return d.over()
	}
	r.Party.clean()
	if err := r.Party.check(); err != nil {
		return invalid("party", err)
	}
	d.change(CallUpdated, func(c *Call) {
		c.SIPCallID = cleanText(r.SIPCallID)
		if c.Direction == Inbound {
			c.Source = r.Party
		} else {
			c.Destination = r.Party
		}
	})
	return nil
}

func (d *decision) delete() error {
	if d.next.Status != Ended {
		return fault.New(fault.Conflict, "CALL_NOT_HANGUP", "call %s is %s; hang it up before deleting it", d.next.ID, d.next.Status)
	}
	if d.next.Deleted.IsZero() {
		d.change(CallDeleted, func(c *Call) { c.Deleted = d.at })
	}
	return nil
}

func (d *decision) over() error {
	return fault.New(fault.Conflict, "CALL_ALREADY_HANGUP", "call %s has been hung up", d.next.ID)
}
