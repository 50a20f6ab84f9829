package line

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"parley/internal/call"
	"parley/internal/conference"
	"parley/internal/fault"
)

// ending is why a line ends, as each of those who have to hear of it is told.
type ending struct {
	hangup call.Hangup            // the call's record
	leave  conference.LeaveReason // the seat
	refuse error                  // the caller, when it has no answer yet; nil: hang up instead
}

// Run walks the call to its end: answer, seat, wait, clean up. It returns when everything is written. The door calls it in the dialog's goroutine. When
// ctx ends, the call is hung up, and Run returns within StopTimeout even if the store cannot write; Recover writes the end then. Otherwise it goes
// on trying.
func (l *Line) Run(ctx context.Context) error {
	e := l.talk(ctx)
	close(l.over)
	return l.end(ctx, e)
}

// talk brings the call into its conference and waits until somebody ends it.
func (l *Line) talk(ctx context.Context) ending {
	if err := l.d.Ring(); err != nil {
		return l.gaveUp(err)
	}
	if e, failed := l.sit(ctx); failed {
		return e
	}
	if e, ended := l.early(ctx); ended {
		return e
	}
	body, lateOffer := l.body, l.body == nil
	if lateOffer {
		body = l.sdp.Offer()
	}
	confirmed, err := l.d.Answer(ctx, body)
	if err != nil {
		return l.gaveUp(err)
	}
	now := time.Now()
	l.note(ctx, call.Seat{At: now, ConferenceID: string(l.conference), ConferencecallID: string(l.seat.ID())}, call.Answer{At: now})
	if lateOffer {
		if err := l.answered(ctx, confirmed); err != nil {
			if e, ended := l.ended(); ended {
				return e
			}
			return l.byUs(call.Failed, conference.LeftRefused, fmt.Sprintf("no usable answer to the offer: %v", err))
		}
	}
	return l.wait(ctx)
}

// sit takes the seat before the caller is answered, so that a full conference is a refusal and no call.
func (l *Line) sit(ctx context.Context) (ending, bool) {
	refused := func(err error) (ending, bool) {
		e := l.byUs(call.Failed, conference.LeftRefused, err.Error())
		if fault.KindOf(err) == fault.Exhausted || fault.ReasonOf(err) == "CONFERENCE_FULL" {
			e.hangup.Reason = call.Busy
		}
		e.refuse = err
		return e, true
	}
	if l.body != nil {
		if err := l.session.Apply(l.media); err != nil {
			return refused(fmt.Errorf("apply media: %w", err))
		}
	}
	seat, err := l.x.o.Rooms.Join(ctx, l.conference, conference.Join{
		At: time.Now(), CustomerID: l.customer, CallID: string(l.record.call.ID), Name: nameOf(l.in.Source), Media: l.want.media,
	}, l.session.Handle())
	if err != nil {
		return refused(err)
	}
	l.seat, l.told = seat, leg{media: l.want.media}
	l.tell(ctx)
	return ending{}, false
}

// early looks whether somebody has ended the call before it is answered, when it can still be refused.
func (l *Line) early(ctx context.Context) (ending, bool) {
	select {
	case <-l.hang:
		e := l.byUs(call.Normal, conference.LeftHangup, "hung up")
		e.refuse = fault.New(fault.Conflict, "CALL_ENDED", "the call was ended before it was answered")
		return e, true
	case <-ctx.Done():
		e := l.stopped()
		e.refuse = fault.New(fault.Unavailable, "STOPPING", "the server is stopping; try again when it is back")
		return e, true
	default:
	}
	e, ended := l.ended()
	if ended && e.refuse == nil && !closed(l.d.Done()) {
		e.refuse = fault.New(fault.Conflict, "CALL_ENDED", "the conference has ended the call (%s)", e.leave)
	}
	return e, ended
}

// wait keeps the call until somebody ends it.
func (l *Line) wait(ctx context.Context) ending {
	timer := time.NewTimer(l.x.o.ConnectAfter)
	defer timer.Stop()
	connected := false
	for {
		select {
		case <-l.d.Done():
			return l.byDialog()
		case <-l.seat.Done():
			return l.bySeat()
		case <-l.hang:
			return l.byUs(call.Normal, conference.LeftHangup, "hung up")
		case <-ctx.Done():
			return l.stopped()
		case ask := <-l.asks:
			ask()
		case <-timer.C:
			if !connected {
				connected = !retriable(l.seat.Connected(ctx))
			}
			l.note(ctx)
			l.tell(ctx)
		}
		if len(l.record.late) > 0 || l.want != l.told {
			timer.Reset(l.x.o.ConnectAfter)
		}
	}
}

// ended looks who has ended the call, without waiting.
func (l *Line) ended() (ending, bool) {
	if closed(l.d.Done()) {
		return l.byDialog(), true
	}
	if closed(l.seat.Done()) {
		return l.bySeat(), true
	}
	return ending{}, false
}

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
	if closed(l.d.Done()) {
		return l.byDialog()
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return l.stopped()
	}
	return l.byUs(call.Failed, conference.LeftRefused, err.Error())
}

func (l *Line) byDialog() ending {
	by, status := l.d.Cause()
	e := ending{hangup: call.Hangup{By: call.Remote, Reason: call.ReasonOf(status)}, leave: conference.LeftHangup}
	if by != string(call.Remote) { // the door ended it: session timer, transport
		e.hangup.By, e.leave = call.Local, conference.LeftCallEnded
	}
	if status != 0 {
		e.hangup.Detail = fmt.Sprintf("SIP status %d", status)
		if l.record.call.Status == call.Progressing {
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

func (l *Line) bySeat() ending {
	cause := l.seat.Cause()
	reason, special := seatReasons[cause]
	if !special {
		reason = call.Normal
	}
	return l.byUs(reason, cause, string(cause))
}

func (l *Line) stopped() ending {
	return l.byUs(call.Failed, conference.LeftLost, "the server is stopping")
}

func (l *Line) byUs(reason call.HangupReason, leave conference.LeaveReason, detail string) ending {
	return ending{hangup: call.Hangup{By: call.Local, Reason: reason, Detail: detail}, leave: leave}
}

// end tells everybody that the call is over: the caller first, then the mix, then the records.
func (l *Line) end(ctx context.Context, e ending) error {
	switch {
	case closed(l.d.Done()):
	case e.refuse != nil:
		l.d.Reject(e.refuse)
	default:
		l.d.Hangup(e.hangup.Detail)
	}
	e.hangup.At, e.hangup.Quality = time.Now(), l.quality()
	l.close()

	write, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(l.x.o.StopTimeout, cancel) })()
	left := l.leave(write, e.leave)
	err := errors.Join(left, l.record.must(write, l.x.o.WriteTimeout, e.hangup))

	id := l.record.call.ID
	l.x.strike(id)
	close(l.finished)
	l.x.o.Log.Info("call ended", "call", id, "by", e.hangup.By, "reason", e.hangup.Reason, "detail", e.hangup.Detail)
	return err
}

// leave gives the seat up, and sees that its end is written before the call's, also when it was the room that ended it.
func (l *Line) leave(ctx context.Context, reason conference.LeaveReason) error {
	if l.seat == nil {
		return nil
	}
	for wait := retryFirst; ; wait = min(2*wait, retryMost) {
		err := l.seat.Leave(ctx, reason)
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
	if len(commands)+len(l.record.late) == 0 {
		return
	}
	if err := l.record.try(ctx, l.x.o.WriteTimeout, commands...); err != nil {
		l.x.o.Log.Warn("cannot write what happened to a call; trying again", "call", l.record.call.ID, "error", err)
	}
}

// quality is what the media session has measured of what we received; nil when nothing came.
func (l *Line) quality() *call.Quality {
	s := l.session.Stats()
	if s.PacketsIn == 0 {
		return nil
	}
	return &call.Quality{MOS: s.MOS, LossPercent: s.LossPercent, JitterMS: s.JitterMillis, RTTMS: s.RTTMillis}
}

// retriable reports whether an error says that something could not be done now, not that it may not be done.
func retriable(err error) bool {
	if err == nil {
		return false
	}
	kind := fault.KindOf(err)
	return kind == fault.Unavailable || kind == fault.Internal
}

// nameMax is how many characters of a display name a participant takes.
const nameMax = 255

// nameOf is how the participant is called: as the caller calls itself, else its address.
func nameOf(a call.Address) string {
	name := a.TargetName
	if name == "" {
		name = a.Target
	}
	clean := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(name, "\uFFFD"))
	if r := []rune(clean); len(r) > nameMax {
		clean = string(r[:nameMax])
	}
	return clean
}
