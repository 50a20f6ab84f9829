package line

import (
	"context"

	"parley/internal/line/early"
	"parley/internal/line/leg"
)

// caller is who waits for callees; it implements early.Caller.
type caller struct {
	*stage
	quiet func() // ends what it hears meanwhile
}

// Ring implements early.Caller.
func (c *caller) Ring(ctx context.Context) { _ = c.ask(ctx, func() { c.inform(ctx, nil) }) }

// Sends implements early.Caller.
func (c *caller) Sends(ctx context.Context, callee *Line) (sends bool) {
	_ = callee.ask(ctx, func() { sends = callee.booth != nil && callee.booth.port.Silence() >= 0 })
	return sends
}

// Hear implements early.Caller.
func (c *caller) Hear(ctx context.Context, callee *Line) {
	var b leg.Booth
	_ = c.ask(ctx, func() {
		if err := c.leg.Apply(); err == nil && c.leg.Applied() && c.sit() == nil {
			b = c.booth.Booth
		}
	})
	if b == nil { // it has made no offer that could be answered now
		return
	}
	c.quiet()
	if err := callee.ask(ctx, func() { callee.beHeard(b) }); err == nil {
		_ = c.ask(ctx, func() { c.inform(ctx, c.leg.Body()) })
	}
}

// inform tells a caller that has not been answered that somebody is rung, or with a body that it will hear something. The line's goroutine calls it.
func (l *Line) inform(ctx context.Context, body []byte) {
	if l.answered {
		return
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	l.helpers.Go(func() {
		select {
		case <-l.hang:
			stop()
		case <-ctx.Done():
		}
	})
	if err := l.inbound.d.Ring(ctx, body); err != nil { // the dialog has ended, or is about to
		l.x.o.Log.Info("caller not told", "call", l.id, "error", err)
	}
}

// listen has a callee that has not answered yet listened to. The line's goroutine calls it.
func (l *Line) listen() {
	o := l.outbound
	if o.sounds && l.sit() == nil {
		o.sounds = false
		o.told(early.Sounding)
	}
}

// beHeard brings a callee that has not answered yet from its booth into its caller's. The line's goroutine calls it.
func (l *Line) beHeard(b leg.Booth) {
	if l.booth == nil || l.answered {
		return
	}
	l.closeBooth()
	port, err := b.Enter(l.leg.Handle(), l.portOptions(false))
	if err != nil {
		l.x.o.Log.Warn("callee not heard", "call", l.id, "error", err)
		return
	}
	l.booth = &booth{leg.Guest{Booth: b}, port}
}
