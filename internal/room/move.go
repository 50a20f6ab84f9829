package room

import (
	"context"
	"time"

	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/room/ledger"
	"parley/internal/room/wish"
	"parley/internal/wall"
	"parley/internal/wire"
)

// moveMost is how long the holder of a seat may take to go on in another conference.
const moveMost = 5 * time.Second

// Moved returns the seat in which the call goes on, once Done is closed and Cause is moved; nil after any other end. The holder takes it at once, and
// calls Enter and Connected as after a Join without a session; it answers for that seat from then on. A seat that nobody takes within 5 s is given up.
func (s *Seat) Moved() *Seat {
	if s.next != nil {
		s.next.taken()
	}
	return s.next
}

// Move takes a joined participant into another conference of the same customer: it leaves one with reason moved and joins the other with the same name,
// role and mute, without a pre-flow or a PIN. It returns the participant that it is there, as soon as its call has taken that up. Whatever the rules of
// the other conference refuse, and SAME_CONFERENCE, leaves it where it is.
func (h *Host) Move(ctx context.Context, from conference.ID, who conference.ParticipantID, to conference.ID, o DoOptions) (View, error) {
	known, ok := wire.ParseUUID(string(to))
	if !ok {
		return View{}, wish.Unknown()
	}
	if conference.ID(known) == from {
		return View{}, fault.New(fault.Invalid, "SAME_CONFERENCE", "conferencecall %s is in this conference already", who)
	}
	var seat *Seat
	var p conference.Participant
	err := h.step(ctx, from, func(r *room) (err error) {
		seat, p, err = r.movable(who, o)
		return err
	})
	if err != nil {
		return View{}, err
	}
	next, err := h.Join(ctx, conference.ID(known), conference.Join{
		At: wall.Now(), CustomerID: p.CustomerID, CallID: p.CallID, ActiveflowID: p.ActiveflowID, Name: p.Name, Role: p.Role, Muted: p.Muted,
		Media: p.Media, Trusted: true,
	}, nil)
	if err != nil {
		return View{}, err
	}
	next.mediaFree.Store(seat.mediaFree.Load())
	if err := h.handOver(ctx, seat, next, o.Transfer); err != nil {
		undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.o.WriteTimeout)
		defer cancel()
		if e := next.Leave(undo, conference.LeftRefused); e != nil {
			h.o.Log.Warn("give up the seat of a move", "participant", next.id, "error", e)
		}
		return View{}, err
	}
	v, _, err := h.view(ctx, next.conference)
	if err != nil {
		return View{}, err
	}
	there, _, err := ledger.Participant(ctx, h.o.Store, next.id)
	v.Participant = &there
	return v, err
}

// movable returns the seat and the record of who may be moved.
func (r *room) movable(who conference.ParticipantID, o DoOptions) (*Seat, conference.Participant, error) {
	var none conference.Participant
	switch p, seat := find(r.state.Participants, who), r.seats[who]; {
	case r.ended:
		return nil, none, errMoved
	case o.CustomerID != "" && o.CustomerID != r.state.Conference.CustomerID:
		return nil, none, wish.Unknown()
	case p == nil || seat == nil || p.Status != conference.Joined:
		return nil, none, fault.New(fault.Conflict, "CONFERENCECALL_NOT_JOINED", "conferencecall %s is not in the conference; only who has joined can be moved", who)
	case seat.next != nil:
		return nil, none, fault.New(fault.Conflict, "CONFERENCECALL_MOVING", "conferencecall %s is being moved already", who)
	default:
		return seat, *p, nil
	}
}

// handOver ends a seat in favour of another and waits until its holder has taken that.
func (h *Host) handOver(ctx context.Context, seat, next *Seat, transfer bool) error {
	reason := conference.LeftMoved
	if transfer {
		reason = conference.LeftTransferred
	}
	q := newRequest(conference.Leave{At: wall.Now(), ID: seat.id, Reason: reason}, DoOptions{})
	err := h.step(ctx, seat.conference, func(r *room) error {
		if r.seats[seat.id] != seat || seat.next != nil {
			return fault.New(fault.Conflict, "CONFERENCECALL_LEAVED", "conferencecall %s has left meanwhile", seat.id)
		}
		seat.next = next
		return nil
	})
	if err != nil {
		return err
	}
	if _, err := h.do(ctx, seat.conference, q); err != nil {
		_ = h.step(context.WithoutCancel(ctx), seat.conference, func(*room) error { seat.next = nil; return nil })
		return err
	}
	late := time.NewTimer(moveMost)
	defer late.Stop()
	select {
	case <-next.claim.made:
		return nil
	case <-next.done:
		return fault.New(fault.Conflict, "CALL_ENDED", "the call ended while it was moved")
	case <-late.C:
		return fault.New(fault.Conflict, "CALL_ENDED", "the call did not follow into the other conference")
	}
}

// taken notes that somebody answers for the seat.
func (s *Seat) taken() { s.claim.once.Do(func() { close(s.claim.made) }) }
