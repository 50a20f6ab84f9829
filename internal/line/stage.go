package line

import (
	"context"
	"time"

	"parley/internal/call"
	"parley/internal/conference"
	"parley/internal/flow/action"
	"parley/internal/line/script"
	"parley/internal/prompt"
	"parley/internal/wall"
)

// stage is the line as a flow sees it.
type stage struct{ *Line }

func (l *Line) stage() *script.Stage {
	s := &stage{l}
	return &script.Stage{Phone: s, Rooms: s, Dials: s, Tapes: tapes{l}, Media: s, Acting: l.acting, Digits: l.keys.Pressed()}
}

// Answer implements script.Phone.
func (l *stage) Answer(ctx context.Context) (err error) {
	if err := l.await(ctx); err != nil {
		return err
	}
	asked := l.ask(ctx, func() {
		if err = l.answer(ctx); err == nil {
			err = l.sit()
		}
	})
	if asked != nil {
		return asked
	}
	return err
}

// Play implements script.Phone.
func (l *stage) Play(ctx context.Context, s prompt.Sound) error { return l.play(ctx, s, false) }

// Echo implements script.Phone.
func (l *stage) Echo(ctx context.Context) error {
	if err := l.Answer(ctx); err != nil {
		return err
	}
	set := func(ctx context.Context, on bool) error {
		return l.ask(ctx, func() {
			if l.booth != nil {
				l.booth.port.Set(l.portOptions(on))
			}
		})
	}
	if err := set(ctx, true); err != nil {
		return err
	}
	<-ctx.Done()
	_ = set(context.WithoutCancel(ctx), false)
	return ctx.Err()
}

// SendDigits implements script.Phone.
func (l *stage) SendDigits(ctx context.Context, o *action.Sending) error {
	if err := l.Answer(ctx); err != nil {
		return err
	}
	return l.Line.sendDigits(ctx, o.Digits, time.Duration(max(o.Duration, 100))*time.Millisecond, time.Duration(o.Interval)*time.Millisecond)
}

func (l *Line) sendDigits(ctx context.Context, digits string, each, gap time.Duration) error {
	done, err := l.leg.SendDigits(digits, each, gap)
	if err != nil {
		return err
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Mute implements script.Phone.
func (l *stage) Mute(ctx context.Context, direction string) (err error) {
	if asked := l.ask(ctx, func() { err = l.mute(ctx, direction) }); asked != nil {
		return asked
	}
	return err
}

// mute keeps the call from speaking (in), from hearing (out), or both, wherever it is. The line's goroutine calls it.
func (l *Line) mute(ctx context.Context, direction string) error {
	if err := l.record.Try(ctx, l.x.o.WriteTimeout, call.Mute{At: wall.Now(), Direction: direction}); err != nil {
		return err
	}
	l.setBooth()
	if seat := l.seat(); seat != nil {
		muted, deaf := direction == "in" || direction == "both", direction == "out" || direction == "both"
		return seat.Set(ctx, conference.ParticipantPatch{Muted: &muted, Deaf: &deaf})
	}
	return nil
}

// Listen implements script.Phone.
func (l *stage) Listen(ctx context.Context) (machine bool, err error) {
	if err := l.Answer(ctx); err != nil {
		return false, err
	}
	return l.keys.Greeting(ctx)
}
