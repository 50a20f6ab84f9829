package line

import (
	"context"
	"slices"
	"sync"

	"parley/internal/call"
	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/line/leg"
	"parley/internal/mixer"
)

// visitor hears a call, and is heard by it, wherever it is: in company, that is in a conference, or alone.
type visitor struct {
	tap   func(tag string, company bool) mixer.Tap // nil: hears nothing
	sound func(company bool) mixer.Sound           // returns nil when it says nothing
	end   context.CancelCauseFunc
	leave func() // the present place; nil for none
}

// Attach has a visitor follow a live call until detach has returned: tap makes the tap for the port with this tag, one at a time; the sound is heard
// where the call is. Either may be nil. life ends with the call, by a fault that says why: CALL_ENDED. A call that is not live is a fault.Conflict,
// CALL_ALREADY_HANGUP. detach may be called more than once.
func (x *Exchange) Attach(ctx context.Context, callID string, tap func(tag string) mixer.Tap, s mixer.Sound) (life context.Context, detach func(), err error) {
	l := x.line(call.ID(callID))
	if l == nil {
		return nil, nil, fault.New(fault.Conflict, "CALL_ALREADY_HANGUP", "call %s is not live; there is nothing to hear of it", callID)
	}
	v := &visitor{sound: func(bool) mixer.Sound { return s }}
	if tap != nil {
		v.tap = func(tag string, _ bool) mixer.Tap { return tap(tag) }
	}
	if asked := l.ask(ctx, func() { life = l.welcome(v) }); asked != nil {
		return nil, nil, asked
	}
	return life, sync.OnceFunc(func() {
		_ = l.ask(context.Background(), func() { l.part(v) })
	}), nil
}

// welcome has a visitor follow the call; life ends with the visit. The line's goroutine calls it.
func (l *Line) welcome(v *visitor) (life context.Context) {
	life, v.end = context.WithCancelCause(context.Background())
	l.visitors = append(l.visitors, v)
	if l.answered && l.booth == nil && l.chair.Load() == nil {
		_ = l.sit()
	} else {
		l.receive(v)
	}
	return life
}

// part ends a visit. The line's goroutine calls it.
func (l *Line) part(v *visitor) {
	if i := slices.Index(l.visitors, v); i >= 0 {
		l.visitors = slices.Delete(l.visitors, i, i+1)
	}
	v.depart()
	v.end(context.Canceled)
}

// receive brings a visitor to where the call is. The line's goroutine calls it.
func (l *Line) receive(v *visitor) {
	v.depart()
	c := l.chair.Load()
	switch {
	case l.booth != nil:
		v.leave = l.inBooth(v)
	case c != nil && c.entered && !closed(c.seat.Done()):
		v.leave = l.inRoom(v, c)
	}
}

// depart takes the visitor from where it is.
func (v *visitor) depart() {
	if v.leave != nil {
		v.leave()
		v.leave = nil
	}
}

func (l *Line) inBooth(v *visitor) func() {
	remove, stop := func() {}, func() {}
	if v.tap != nil {
		remove = l.booth.Tap(v.tap(string(l.id), false))
	}
	if sound := v.sound(false); sound != nil {
		s := leg.NewStaying(sound)
		if playing, err := l.booth.Pour(s); err == nil {
			stop = func() { playing.Stop(); s.Wait() }
		}
	}
	return func() { remove(); stop() }
}

func (l *Line) inRoom(v *visitor, c *chair) func() {
	var t mixer.Tap
	var s mixer.Sound
	idle := func() {}
	if v.tap != nil {
		t = v.tap(c.place.Participant, true)
	}
	if sound := v.sound(true); sound != nil {
		stays := leg.NewStaying(sound)
		s, idle = stays, stays.Wait
	}
	_, detach, err := l.x.o.Rooms.Attach(l.life, conference.ID(c.place.Conference), t, s)
	if err != nil {
		l.x.o.Log.Warn("a visitor of a call cannot follow it into its conference", "call", l.id, "error", err)
		return nil
	}
	return func() { detach(); idle() }
}

// dismiss ends all visits.
func (l *Line) dismiss() {
	for _, v := range l.visitors {
		v.depart()
		v.end(fault.New(fault.Conflict, "CALL_ENDED", "the call is over"))
	}
	l.visitors = nil
}
