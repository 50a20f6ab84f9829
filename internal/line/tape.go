package line

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"parley/internal/call"
	"parley/internal/conference"
	"parley/internal/conference/tape"
	"parley/internal/fault"
	"parley/internal/flow/action"
	"parley/internal/flow/active"
	"parley/internal/mixer"
	"parley/internal/recording/calls"
	"parley/internal/wall"
)

// Tapes records calls; *calls.Desk is one.
type Tapes interface {
	Start(ctx context.Context, q calls.Request) (*calls.Recording, error)
	Stop(ctx context.Context, callID string, reason tape.Reason) (tape.Recording, error)
}

// tapes is the call's recording as a flow sees it.
type tapes struct{ l *Line }

// Start implements script.Tapes.
func (t tapes) Start(ctx context.Context, o *action.Recording) (map[string]string, error) {
	r, err := t.l.beginTape(ctx, tape.Options{
		Format: o.Format, Duration: time.Duration(o.Duration) * time.Second, OnEndFlowID: o.OnEndFlowID,
		EndOfSilence: time.Duration(o.EndOfSilence) * time.Second,
	})
	if err != nil {
		return nil, err
	}
	format := o.Format
	if format == "" {
		format = "wav"
	}
	return map[string]string{
		"voipbin.recording.id": r.ID(), "voipbin.recording.reference_type": active.OnCall, "voipbin.recording.reference_id": string(t.l.id),
		"voipbin.recording.format": format,
	}, nil
}

// Stop implements script.Tapes.
func (t tapes) Stop(ctx context.Context) error { return t.l.stopTape(ctx) }

func (l *Line) startTape(ctx context.Context, c Control) error {
	_, err := l.beginTape(ctx, tape.Options{
		Format: c.Format, Duration: c.Duration, OnEndFlowID: c.OnEndFlowID, EndOfSilence: c.EndOfSilence, EndOfKey: c.EndOfKey,
	})
	return err
}

// beginTape begins to record the call.
func (l *Line) beginTape(ctx context.Context, o tape.Options) (*calls.Recording, error) {
	if l.x.o.Tapes == nil {
		return nil, fault.New(fault.Unavailable, "RECORDING_UNAVAILABLE", "this server records nothing")
	}
	var early error
	if err := l.ask(ctx, func() { early = l.talkable() }); err != nil || early != nil {
		return nil, cmp.Or(err, early)
	}
	q := calls.Request{CallID: string(l.id), CustomerID: l.customer, Options: o}
	if l.plan.show != nil {
		q.ActiveflowID = l.plan.show.Env.ActiveflowID
	}
	r, err := l.x.o.Tapes.Start(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("record call %s: %w", l.id, err)
	}
	err = l.ask(ctx, func() {
		l.tape = r
		l.keys.Tell(r)
		l.note(l.life, call.Tape{At: wall.Now(), RecordingID: r.ID()})
		l.moved()
		l.helpers.Go(func() { l.untape(r) })
	})
	if err != nil { // the call has ended meanwhile
		_, _ = l.x.o.Tapes.Stop(context.WithoutCancel(ctx), string(l.id), tape.ByCall)
		return nil, err
	}
	return r, nil
}

// untape waits for the end of a recording.
func (l *Line) untape(r *calls.Recording) {
	select {
	case <-r.Stopped():
	case <-l.over:
		return
	}
	l.keys.Forget(r)
	_ = l.ask(l.life, func() {
		if l.tape == r {
			l.tape = nil
		}
		l.note(l.life, call.Tape{At: wall.Now(), RecordingID: r.ID(), Ended: true})
	})
}

func (l *Line) stopTape(ctx context.Context) error {
	if l.x.o.Tapes == nil {
		return fault.New(fault.Conflict, "RECORDING_NOT_ACTIVE", "the call is not being recorded")
	}
	_, err := l.x.o.Tapes.Stop(ctx, string(l.id), tape.ByRequest)
	return err
}

// moved has the recording and visitors follow the call to where it is now. The line's goroutine calls it after every move.
func (l *Line) moved() {
	l.visitors.Follow(l.place())
	c := l.chair.Load()
	switch {
	case l.tape == nil:
	case l.booth != nil:
		l.tape.Switch(l.booth.Tap, string(l.id))
	case c != nil && c.entered:
		l.tape.Switch(l.tapOf(c), c.place.Participant)
	default:
		l.tape.Switch(nil, "")
	}
}

// tapOf taps the conference that the call is in.
func (l *Line) tapOf(c *chair) calls.Tap {
	return func(t mixer.Tap) func() {
		_, detach, err := l.x.o.Rooms.Attach(l.life, conference.ID(c.place.Conference), t, nil)
		if err != nil {
			l.x.o.Log.Warn("a call's recording cannot hear its conference", "call", l.id, "error", err)
			return func() {}
		}
		return detach
	}
}

// endTape ends the recording with the call.
func (l *Line) endTape(ctx context.Context) {
	if l.tape != nil {
		_, _ = l.x.o.Tapes.Stop(ctx, string(l.id), tape.ByCall)
	}
}
