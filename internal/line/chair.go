package line

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"parley/internal/call"
	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/line/callee"
	"parley/internal/line/finish"
	"parley/internal/line/leg"
	"parley/internal/line/script"
	"parley/internal/room"
	"parley/internal/wall"
)

// chair is a place of the call in a conference: on its way into the mix, or in it. It implements script.Seat.
type chair struct {
	l       *Line
	seat    *room.Seat
	place   script.Place
	media   conference.Media // as the conference has been told of it
	left    atomic.Bool      // its end is written
	entered bool             // into the mix; belongs to the line's goroutine
	last    *chair           // where the call was at the end, when it was moved meanwhile; belongs to who has called Enter

	reserved bool // for a callee that has not answered; set before Run, cleared by the show
}

// Join implements script.Rooms.
func (l *stage) Join(ctx context.Context, id string) (script.Seat, error) {
	c, err := l.Line.join(ctx, conference.ID(id))
	if err != nil {
		return nil, err
	}
	return c, nil
}

// join makes the call a joining participant of the conference. The call had better sit nowhere else.
func (l *Line) join(ctx context.Context, id conference.ID) (*chair, error) {
	if old := l.chair.Load(); old != nil {
		if old.reserved && old.place.Conference == string(id) {
			old.reserved = false
			return old, nil
		}
		return nil, fault.New(fault.Conflict, "CALL_IN_CONFERENCE", "the call is in conference %s; it has to leave that first", old.place.Conference)
	}
	var media conference.Media
	if err := l.ask(ctx, func() { media = l.leg.State().Media }); err != nil {
		return nil, err
	}
	return l.take(ctx, id, media)
}

// take makes the call a joining participant.
func (l *Line) take(ctx context.Context, id conference.ID, media conference.Media) (*chair, error) {
	c, err := l.read(ctx, id)
	if err != nil {
		return nil, err
	}
	j := conference.Join{
		At: wall.Now(), CustomerID: l.customer, CallID: string(l.id), Name: l.nameAs(), Role: conference.Role(l.plan.join.Role),
		Muted: l.plan.join.Muted, Media: media,
	}
	if l.plan.show != nil {
		j.ActiveflowID = l.plan.show.Env.ActiveflowID
	}
	if err := l.identify(ctx, &c, &j); err != nil {
		return nil, err
	}
	seat, err := l.x.o.Rooms.Join(ctx, c.ID, j, nil)
	if err != nil {
		return nil, err
	}
	chair := &chair{l: l, seat: seat, media: media, place: script.Place{
		Conference: string(c.ID), Name: c.Name, Participant: string(seat.ID()), PreFlow: c.PreFlowID, PostFlow: c.PostFlowID,
	}}
	if l.plan.join.PreFlowID != "" {
		chair.place.PreFlow = l.plan.join.PreFlowID
	}
	if l.plan.join.Straight {
		chair.place.PreFlow, chair.place.PostFlow = "", ""
	}
	l.chair.Store(chair)
	return chair, nil
}

// read is the conference as it is now, or, right after it was dialled, as it was then: whether it can be entered is asked again by its rules.
func (l *Line) read(ctx context.Context, id conference.ID) (conference.Conference, error) {
	if d := l.plan.dialled; d != nil && d.ID == id {
		l.plan.dialled = nil
		return *d, nil
	}
	return l.x.routes.Conference(ctx, id, l.customer)
}

// reserve makes a callee a joining participant before it is even called.
func (l *Line) reserve(ctx context.Context) error {
	if l.plan.conference == "" || l.plan.join.Straight {
		return nil
	}
	c, err := l.take(ctx, l.plan.conference, conference.Media{})
	if err == nil {
		c.reserved = true
	}
	return err
}

// released is closed when the room has ended the participant that a callee would have been.
func (l *Line) released() <-chan struct{} {
	if c := l.chair.Load(); c != nil && l.outbound != nil && !l.answered {
		return c.seat.Done()
	}
	return nil
}

// nameAs is what the participant is called.
func (l *Line) nameAs() string {
	if l.plan.join.Name != "" {
		return l.plan.join.Name
	}
	if l.outbound != nil {
		return callee.NameOf(l.outbound.to)
	}
	return callee.NameOf(l.inbound.in.Source)
}

// Place implements script.Seat.
func (c *chair) Place() script.Place {
	if c.last != nil {
		return c.last.place
	}
	return c.place
}

// Done implements script.Seat.
func (c *chair) Done() <-chan struct{} { return c.seat.Done() }

// Result implements script.Seat.
func (c *chair) Result() string { return finish.Result(c.ended().Cause()) }

// Enter implements script.Seat.
func (c *chair) Enter(ctx context.Context) (string, error) {
	err := c.l.await(ctx)
	if err != nil {
		return "", err
	}
	if asked := c.l.ask(ctx, func() { err = c.enter(ctx) }); asked != nil {
		return "", asked
	}
	if err != nil {
		c.Leave(ctx, string(conference.LeftRefused))
		return "", err
	}
	at := c
	for next := c; next != nil; next = at.follow(ctx) {
		at = next
		if err := at.stay(ctx); err != nil {
			return "", err
		}
	}
	if at != c {
		c.last = at
	}
	if at.seat.Cause() == conference.LeftTransferred { // somebody else has its place: it is about to be hung up
		<-ctx.Done()
		return "", ctx.Err()
	}
	if at.seat.Cause() == conference.LeftRefused {
		err = fault.New(fault.Conflict, "CONFERENCE_REFUSED", "the conference did not let the call in")
	}
	at.stand(ctx)
	return c.Result(), err
}

// stay returns when the seat has ended.
func (c *chair) stay(ctx context.Context) error {
	for !closed(c.seat.Done()) {
		select {
		case <-c.seat.Done():
		case key := <-c.seat.Keys():
			c.l.keys.Press(key)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// follow goes on in the conference that the call has been moved to; nil when it has not.
func (c *chair) follow(ctx context.Context) *chair {
	seat := c.seat.Moved()
	if seat == nil {
		return nil
	}
	next := &chair{l: c.l, seat: seat, place: script.Place{Conference: string(seat.Conference()), Participant: string(seat.ID())}}
	if there, err := c.l.x.routes.Conference(ctx, seat.Conference(), c.l.customer); err == nil {
		next.place.Name, next.place.PostFlow = there.Name, there.PostFlowID
	}
	var err error
	if asked := c.l.ask(ctx, func() { c.l.chair.Store(next); err = next.enter(ctx) }); asked != nil {
		err = asked
	}
	if err != nil {
		c.l.x.o.Log.Warn("cannot follow into another conference", "call", c.l.id, "conference", next.place.Conference, "error", err)
		_ = c.l.leave(ctx, next, conference.LeftRefused)
	}
	return next
}

// ended is the seat that the call has had at the end.
func (c *chair) ended() *room.Seat {
	if c.last != nil {
		return c.last.seat
	}
	return c.seat
}

// enter brings the call into the mix, and answers it. The line's goroutine calls it.
func (c *chair) enter(ctx context.Context) error {
	l := c.l
	if closed(c.seat.Done()) {
		return nil // Enter finds it out
	}
	if !l.answered {
		if err := l.pressed(ctx); err != nil {
			return err
		}
	}
	if err := errors.Join(l.tie.Sit(c.place.Conference), l.leg.Apply()); err != nil {
		return err
	}
	l.closeBooth()
	if err := c.seat.Enter(ctx, l.leg.Handle()); err != nil {
		return fmt.Errorf("enter conference %s: %w", c.place.Conference, err)
	}
	c.entered, l.connected, l.told = true, false, leg.State{Media: c.media}
	l.tell(ctx)
	if closed(c.seat.Done()) {
		return nil
	}
	l.moved()
	l.record.Conference = c.place.Conference
	seat := call.Seat{At: wall.Now(), ConferenceID: c.place.Conference, ConferencecallID: c.place.Participant}
	if err := l.answer(ctx, seat); err != nil {
		return err
	}
	l.timer.Reset(l.x.o.ConnectAfter)
	l.converse(c)
	return nil
}

// Leave implements script.Seat.
func (c *chair) Leave(ctx context.Context, reason string) {
	if err := c.l.leave(ctx, c, conference.LeaveReason(reason)); err != nil {
		c.l.x.o.Log.Warn("give a seat up", "call", c.l.id, "error", err)
	}
	c.stand(ctx)
}

// stand has the call sit nowhere, once the end of its seat is written.
func (c *chair) stand(ctx context.Context) {
	if err := c.l.leave(ctx, c, conference.LeftHangup); err != nil || c.l.plan.show == nil {
		return // the call ends with its seat
	}
	_ = c.l.ask(ctx, func() {
		if c.l.chair.CompareAndSwap(c, nil) {
			c.l.tie.Stand()
			c.l.moved()
			c.l.note(ctx, call.Seat{At: wall.Now()})
		}
	})
}
