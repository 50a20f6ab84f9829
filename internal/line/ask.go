package line

import (
	"context"
	"strings"

	"parley/internal/fault"
)

// Offer answers a re-INVITE or UPDATE with SDP. nil asks for an offer of ours (re-INVITE without SDP). An offer that is
// refused changes nothing.
func (l *Line) Offer(ctx context.Context, offer []byte) (answer []byte, err error) {
	asked := l.ask(ctx, func() {
		if offer == nil {
			answer = l.leg.Offer()
			return
		}
		if answer, err = l.leg.Reoffered(offer); err == nil {
			l.setBooth()
			l.tell(ctx)
		}
	})
	if asked != nil {
		return nil, asked
	}
	return answer, err
}

// Answered takes the peer's answer to an offer of ours (in ACK).
func (l *Line) Answered(ctx context.Context, answer []byte) (err error) {
	if asked := l.ask(ctx, func() { err = l.accepted(ctx, answer) }); asked != nil {
		return asked
	}
	return err
}

// Digit reports a key that came by SIP INFO.
func (l *Line) Digit(ctx context.Context, digit string) {
	_ = l.ask(ctx, func() {
		if c := l.chair.Load(); c == nil || !c.entered {
			if len(digit) == 1 && strings.Contains("0123456789*#ABCD", digit) {
				l.keys.Press(digit[0])
			}
		} else if err := c.seat.Digit(ctx, digit); err != nil {
			l.x.o.Log.Warn("key not taken", "call", l.id, "error", err)
		}
	})
}

func (l *Line) accepted(ctx context.Context, answer []byte) error {
	if err := l.leg.Accept(answer); err != nil {
		return err
	}
	l.setBooth()
	l.tell(ctx)
	return nil
}

// ask runs f in the line's goroutine, once the call is answered, and waits for it.
func (l *Line) ask(ctx context.Context, f func()) error {
	done := make(chan struct{})
	select {
	case l.asks <- func() { defer close(done); f() }:
		<-done
		return nil
	case <-l.over:
		return fault.New(fault.Conflict, "CALL_ENDED", "the call is over")
	case <-ctx.Done():
		return fault.New(fault.Unavailable, "REQUEST_TIMEOUT", "the call did not answer in time; try again")
	}
}
