package line

import (
	"context"
	"sync"

	"parley/internal/call"
	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/line/leg"
	"parley/internal/line/visit"
	"parley/internal/mixer"
)

// Attach has a visitor follow a live call until detach has returned: tap makes the tap for the port with this tag, one at a time; the sound is heard
// where the call is. Either may be nil. life ends with the call, by a fault that says why: CALL_ENDED. A call that is not live is a fault.Conflict,
// CALL_ALREADY_HANGUP. detach may be called more than once.
func (x *Exchange) Attach(ctx context.Context, callID string, tap func(tag string) mixer.Tap, s mixer.Sound) (life context.Context, detach func(), err error) {
	l := x.roll.Line(call.ID(callID))
	if l == nil {
		return nil, nil, fault.New(fault.Conflict, "CALL_ALREADY_HANGUP", "call %s is not live; there is nothing to hear of it", callID)
	}
	v := &visit.Visitor{Sound: func(bool) mixer.Sound { return s }}
	if tap != nil {
		v.Tap = func(tag string, _ bool) mixer.Tap { return tap(tag) }
	}
	if asked := l.ask(ctx, func() { life = l.welcome(v) }); asked != nil {
		return nil, nil, asked
	}
	return life, sync.OnceFunc(func() {
		_ = l.ask(context.Background(), func() { l.visitors.Part(v) })
	}), nil
}

// welcome has a visitor follow the call; life ends with the visit. The line's goroutine calls it.
func (l *Line) welcome(v *visit.Visitor) (life context.Context) {
	if l.answered && l.booth == nil && l.chair.Load() == nil {
		_ = l.sit()
	}
	return l.visitors.Welcome(v, l.place())
}

// place is where visitors find the call, nil for nowhere. The line's goroutine calls it.
func (l *Line) place() *visit.Place {
	c := l.chair.Load()
	switch {
	case l.booth != nil:
		return &visit.Place{Tag: string(l.id), Enter: leg.Visit(l.booth)}
	case c != nil && c.entered && !closed(c.seat.Done()):
		return &visit.Place{Tag: c.place.Participant, Company: true, Enter: c.visit}
	}
	return nil
}

// visit lets a visitor into the conference.
func (c *chair) visit(t mixer.Tap, s mixer.Sound) (leave func()) {
	_, detach, err := c.l.x.o.Rooms.Attach(c.l.life, conference.ID(c.place.Conference), t, s)
	if err != nil {
		c.l.x.o.Log.Warn("a visitor of a call cannot follow it into its conference", "call", c.l.id, "error", err)
		return nil
	}
	return detach
}

// dismiss ends all visits.
func (l *Line) dismiss() {
	l.visitors.Dismiss(fault.New(fault.Conflict, "CALL_ENDED", "the call is over"))
}
