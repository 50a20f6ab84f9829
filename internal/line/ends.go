package line

import (
	"context"
	"errors"
	"fmt"
	"time"

	"parley/internal/call"
	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/line/finish"
	"parley/internal/line/ledger"
	"parley/internal/room"
	"parley/internal/store/cause"
)

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// gaveUp is the end of a call that did not get as far as its answer's confirmation.
func (l *Line) gaveUp(err error) finish.Ending {
	if closed(l.gone()) {
		return l.byDialog()
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return finish.Stopped()
	}
	return finish.ByUs(call.Failed, conference.LeftRefused, err.Error())
}

func (l *Line) byDialog() finish.Ending {
	by, status := l.far().Cause()
	return finish.ByDialog(by, status, l.record.Call.Status == call.Progressing)
}

func (l *Line) hungUp() finish.Ending {
	if e := l.why.Load(); e != nil {
		return e.Because(l.asked)
	}
	return finish.HungUp(l.outbound != nil && !l.answered).Because(l.asked)
}

// bySIP returns a context whose changes are what the call's phone has brought about.
func (l *Line) bySIP(ctx context.Context) context.Context {
	return cause.With(ctx, ledger.Phone(l.id, l.record.Call.SIPCallID, l.inbound.in.Peer.Addr()))
}

// press ends the line from any goroutine; the first one's reason counts.
func (l *Line) press(ctx context.Context, why *finish.Ending) {
	l.hangOnce.Do(func() {
		l.asked = cause.In(ctx)
		l.why.Store(why)
		close(l.hang)
	})
}

// tellFar tells the other side that the call is over.
func (l *Line) tellFar(e finish.Ending) {
	f := l.far()
	switch {
	case f == nil || closed(f.Done()):
	case l.answered:
		f.Hangup(e.Hangup.Detail)
	case l.outbound != nil:
		l.outbound.leg.Cancel(e.Hangup.Detail)
	default:
		if e.Refuse == nil {
			e.Refuse = fault.New(fault.Conflict, "CALL_ENDED", "the call was ended before it was answered")
		}
		l.inbound.d.Reject(e.Refuse)
	}
}

// end writes down that the call is over: the seat's end before the call's.
func (l *Line) end(ctx context.Context, e finish.Ending) error {
	write, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(l.x.o.StopTimeout, cancel) })()
	l.endTape(write)
	left := l.leave(write, l.chair.Load(), e.Leave)
	err := errors.Join(left, l.record.Must(write, l.x.o.WriteTimeout, e.Hangup))
	if l.outbound != nil {
		l.outbound.close(l.record.Call)
	}
	l.x.roll.Strike(l.id)
	l.x.unchain(ctx, l.id)
	close(l.finished)
	l.x.o.Log.Info("call ended", "call", l.id, "by", e.Hangup.By, "reason", e.Hangup.Reason, "detail", e.Hangup.Detail)
	return err
}

// leave gives a seat up, and sees that its end is written before the call's, also when it was the room that ended it.
func (l *Line) leave(ctx context.Context, c *chair, reason conference.LeaveReason) error {
	if c == nil || c.left.Load() {
		return nil
	}
	if l.handing.Load() {
		reason = conference.LeftTransferred
	}
	for wait := ledger.RetryFirst; ; wait = min(2*wait, ledger.RetryMost) {
		err := c.seat.Leave(ctx, reason)
		if err == nil {
			c.left.Store(true)
		}
		if !ledger.Retriable(err) || fault.ReasonOf(err) == "STOPPING" { // a room that stops has seen to it
			return nil
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return fmt.Errorf("leave the conference: %w", err)
		}
	}
}

// note writes what has happened to the call's record; what cannot be written now is written with what happens next.
func (l *Line) note(ctx context.Context, commands ...call.Command) {
	if len(commands) == 0 && !l.record.Pending() {
		return
	}
	if err := l.record.Try(ctx, l.x.o.WriteTimeout, commands...); err != nil {
		l.x.o.Log.Warn("cannot write what happened to a call; trying again", "call", l.id, "error", err)
	}
	l.later()
}

func bySeat(s *room.Seat) finish.Ending { return finish.BySeat(s.Cause(), s.By()) }
