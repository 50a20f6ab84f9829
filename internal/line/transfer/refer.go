package transfer

import (
	"context"
	"time"

	"parley/internal/call"
	"parley/internal/fault"
)

// byeGrace is how long a phone that has been told of its transfer's success may take to hang up by itself.
const byeGrace = time.Second

// Refer has somebody called for a phone that sent REFER, and returns when that has come into the conversation, or why it has not. In a call of two, and
// when the callee's phone is told to replace a dialog, it takes the phone's place: the phone may hang up at once, and is hung up at the end. A room gets
// one participant more (RFC 4579 section 5.5): the phone stays.
func (h *Host) Refer(ctx context.Context, p Phone, o Order) error {
	done, err := h.begin(p.ID())
	if err != nil {
		return err
	}
	defer done()
	s, err := h.scene(ctx, p)
	if err != nil {
		return err
	}
	o.Conference, o.Welcome = s.at.Conference, !s.two && o.Replaces == ""
	if !o.Welcome {
		if err := s.whole(); err != nil {
			return err
		}
		p.HandOver(true)
	}
	r := &referral{scene: s, phone: p, stays: o.Welcome, won: make(chan string, 1), lost: make(chan call.HangupReason, 1)}
	err = r.ring(ctx, o)
	switch {
	case o.Welcome:
	case err != nil && !over(p):
		p.HandOver(false)
	case err != nil:
		s.desert(ctx)
	default:
		s.hold(ctx, false)
		h.farewell(ctx, p)
	}
	return err
}

// farewell hangs a phone up that has been transferred, unless it does so itself.
func (h *Host) farewell(ctx context.Context, p Phone) {
	ctx = context.WithoutCancel(ctx)
	end := func(life context.Context) {
		wait(life, p.Over(), byeGrace)
		p.Hangup(ctx, "transferred")
	}
	if !h.o.Lines.Lend(end) {
		p.Hangup(ctx, "transferred")
	}
}

func over(p Phone) bool {
	select {
	case <-p.Over():
		return true
	default:
		return false
	}
}

// referral is a REFER under way.
type referral struct {
	scene
	phone Phone
	stays bool
	won   chan string // the call that has answered first
	lost  chan call.HangupReason
}

// ring has the callee called and waits for it.
func (r *referral) ring(ctx context.Context, o Order) error {
	count := newCount()
	o.Answered = func(id string) {
		count.answer(id)
		if r.two && !r.stays {
			if err := r.phone.Vacate(ctx); err != nil {
				r.h.o.Log.Warn("make room for a transfer", "call", r.phone.ID(), "error", err)
			}
		}
		r.won <- id
	}
	o.Ended = func(id string, reason call.HangupReason) {
		if why, last := count.end(id, reason); last {
			r.lost <- why
		}
	}
	calls, cancel, err := r.h.o.Lines.Ring(ctx, o)
	if err != nil {
		return err
	}
	defer cancel()
	if why, last := count.expect(calls); last {
		return unanswered(why)
	}
	return r.wait(ctx)
}

func (r *referral) wait(ctx context.Context) error {
	gone, left := r.phone.Over(), (<-chan struct{})(nil)
	if partner := r.partner(ctx); partner != nil && !r.stays {
		left = partner.Over()
	}
	for {
		select {
		case id := <-r.won:
			return r.settle(ctx, r.h.o.Lines.Phone(id))
		case why := <-r.lost:
			return unanswered(why)
		case <-gone:
			if gone = nil; !r.stays {
				r.hold(ctx, true)
			}
		case <-left:
			return fault.New(fault.Conflict, "TRANSFER_PARTNER_LEFT", "the other side of the call has gone")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// settle waits until who has answered is there.
func (r *referral) settle(ctx context.Context, newcomer Phone) error {
	if r.arrived(ctx, newcomer) {
		return nil
	}
	if newcomer != nil {
		newcomer.Hangup(ctx, "it did not get into the conversation")
	}
	return unanswered(call.Failed)
}

// unanswered is the refusal that a reason for a hangup stands for.
func unanswered(reason call.HangupReason) error {
	kind := fault.Unavailable
	if reason == call.Busy {
		kind = fault.Exhausted
	}
	return fault.New(kind, "CALLEE_UNAVAILABLE", "the callee has not answered (%s)", reason)
}

// Join puts the other sides of two calls of one phone together, without calling anybody, and hangs both up: the phone has told us, by the first, to replace
// the second (RFC 5589 section 7). Where one of them is in a room, the other's partner comes there.
func (h *Host) Join(ctx context.Context, first, second Phone) error {
	for _, p := range []Phone{first, second} {
		done, err := h.begin(p.ID())
		if err != nil {
			return err
		}
		defer done()
	}
	here, err := h.scene(ctx, first)
	if err != nil {
		return err
	}
	there, err := h.scene(ctx, second)
	if err != nil {
		return err
	}
	stay, come := first, second
	if here.two && !there.two {
		stay, come, here, there = second, first, there, here
	}
	if err := joinable(&here, &there); err != nil {
		return err
	}
	stay.HandOver(true)
	come.HandOver(true)
	if err := h.join(ctx, stay, &here, &there); err != nil {
		stay.HandOver(false)
		come.HandOver(false)
		return err
	}
	second.Hangup(ctx, "transferred")
	h.farewell(ctx, first)
	return nil
}

// joinable refuses what would be no call of somebody with somebody.
func joinable(here, there *scene) error {
	for _, s := range []*scene{here, there} {
		if err := s.whole(); err != nil {
			return err
		}
	}
	switch {
	case here.at.Conference == there.at.Conference:
		return fault.New(fault.Conflict, "TRANSFER_SAME_CONFERENCE", "both calls are in the same conference")
	case len(there.others) > 1:
		return fault.New(fault.Conflict, "TRANSFER_OF_ROOMS", "both calls are in rooms with others; move them one by one")
	}
	return nil
}

// join brings the partner of one conversation into the other, whose phone makes room if there is none.
func (h *Host) join(ctx context.Context, stay Phone, here, there *scene) error {
	if here.two {
		if err := stay.Vacate(ctx); err != nil {
			return err
		}
	}
	err := h.move(ctx, Seat{there.at.Conference, string(there.others[0])}, here.at.Conference)
	if err != nil && here.two {
		here.desert(ctx)
		stay.Hangup(ctx, "the other call of its transfer has ended")
	}
	return err
}
