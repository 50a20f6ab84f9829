package line

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"parley/internal/call"
	"parley/internal/conference"
	"parley/internal/fault"
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
func (l *Line) gaveUp(err error) ending {
	if closed(l.gone()) {
		return l.byDialog()
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return l.stopped()
	}
	return l.byUs(call.Failed, conference.LeftRefused, err.Error())
}

func (l *Line) byDialog() ending {
	by, status := l.far().Cause()
	e := ending{hangup: call.Hangup{By: call.Remote, Reason: call.ReasonOf(status)}, leave: conference.LeftHangup}
	if by != string(call.Remote) { // the door ended it: session timer, transport
		e.hangup.By, e.leave = call.Local, conference.LeftCallEnded
	}
	if status != 0 {
		e.hangup.Detail = fmt.Sprintf("SIP status %d", status)
		if l.record.Call.Status == call.Progressing {
			e.hangup.Reason = call.Failed
		}
	}
	return e
}

// seatReasons are the ends of seats that are not a normal end of the call.
var seatReasons = map[conference.LeaveReason]call.HangupReason{
	conference.LeftMaxDuration:  call.TimedOut,
	conference.LeftLost:         call.Failed,
	conference.LeftMediaTimeout: call.Failed,
	conference.LeftCallEnded:    call.Failed,
	conference.LeftRefused:      call.Failed,
}

// bySeat is the end of a call whose only reason to be was its seat.
func (l *Line) bySeat(s *room.Seat) ending {
	why := s.Cause()
	reason, special := seatReasons[why]
	if !special {
		reason = call.Normal
	}
	e := l.byUs(reason, why, string(why)).because(s.By())
	e.refuse = fault.New(fault.Conflict, "CALL_ENDED", "the conference has ended the call (%s)", why)
	return e
}

// refused is the end of a call that may not have what it wants.
func (l *Line) refused(err error) ending {
	e := l.byUs(call.Failed, conference.LeftRefused, err.Error())
	if fault.KindOf(err) == fault.Exhausted || fault.ReasonOf(err) == "CONFERENCE_FULL" {
		e.hangup.Reason = call.Busy
	}
	e.refuse = err
	return e
}

func (l *Line) stopped() ending {
	e := l.byUs(call.Failed, conference.LeftLost, "the server is stopping").because(cause.ByRecovery)
	e.refuse = fault.New(fault.Unavailable, "STOPPING", "the server is stopping; try again when it is back")
	return e
}

func (l *Line) hungUp() ending {
	if e := l.why.Load(); e != nil {
		return e.because(l.asked)
	}
	e := l.byUs(call.Normal, conference.LeftHangup, "hung up").because(l.asked)
	if l.outbound != nil && !l.answered {
		e.hangup.Reason = call.Canceled
	}
	e.refuse = fault.New(fault.Conflict, "CALL_ENDED", "the call was ended before it was answered")
	return e
}

func (l *Line) byUs(reason call.HangupReason, leave conference.LeaveReason, detail string) ending {
	return ending{hangup: call.Hangup{By: call.Local, Reason: reason, Detail: detail}, leave: leave}
}

// because has the log say who or what ended the call.
func (e ending) because(by json.RawMessage) ending {
	e.by = by
	return e
}

// bySIP returns a context whose changes are what the call's phone has brought about.
func (l *Line) bySIP(ctx context.Context) context.Context {
	return cause.With(ctx, ledger.Phone(l.id, l.record.Call.SIPCallID, l.inbound.in.Peer.Addr()))
}

// press ends the line from any goroutine; the first one's reason counts.
func (l *Line) press(ctx context.Context, why *ending) {
	l.hangOnce.Do(func() {
		l.asked = cause.In(ctx)
		l.why.Store(why)
		close(l.hang)
	})
}

// tellFar tells the other side that the call is over.
func (l *Line) tellFar(e ending) {
	f := l.far()
	switch {
	case f == nil || closed(f.Done()):
	case l.answered:
		f.Hangup(e.hangup.Detail)
	case l.outbound != nil:
		l.outbound.leg.Cancel(e.hangup.Detail)
	default:
		if e.refuse == nil {
			e.refuse = fault.New(fault.Conflict, "CALL_ENDED", "the call was ended before it was answered")
		}
		l.inbound.d.Reject(e.refuse)
	}
}

// end writes down that the call is over: the seat's end before the call's.
func (l *Line) end(ctx context.Context, e ending) error {
	write, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(l.x.o.StopTimeout, cancel) })()
	l.endTape(write)
	left := l.leave(write, l.chair.Load(), e.leave)
	err := errors.Join(left, l.record.Must(write, l.x.o.WriteTimeout, e.hangup))
	if l.outbound != nil {
		l.outbound.close(l.record.Call)
	}
	l.x.strike(l.id)
	l.x.unchain(ctx, l.id)
	close(l.finished)
	l.x.o.Log.Info("call ended", "call", l.id, "by", e.hangup.By, "reason", e.hangup.Reason, "detail", e.hangup.Detail)
	return err
}

// leave gives a seat up, and sees that its end is written before the call's, also when it was the room that ended it.
func (l *Line) leave(ctx context.Context, c *chair, reason conference.LeaveReason) error {
	if c == nil {
		return nil
	}
	for wait := ledger.RetryFirst; ; wait = min(2*wait, ledger.RetryMost) {
		err := c.seat.Leave(ctx, reason)
		if !retriable(err) || fault.ReasonOf(err) == "STOPPING" { // a room that stops has seen to it
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

// retriable reports whether an error says that something could not be done now, not that it may not be done.
func retriable(err error) bool {
	if err == nil {
		return false
	}
	kind := fault.KindOf(err)
	return kind == fault.Unavailable || kind == fault.Internal
}
