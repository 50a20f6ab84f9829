package script

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"parley/internal/call"
	"parley/internal/fault"
	"parley/internal/flow"
	"parley/internal/flow/action"
	"parley/internal/flow/run"
	"parley/internal/line/script/reach"
)

const (
	unavailable      reach.Failure = "ACTION_UNAVAILABLE" // the call has no such part
	callsUnavailable reach.Failure = "CALLS_UNAVAILABLE"
	callsTooDeep     reach.Failure = "CALLS_TOO_DEEP"
)

// reasonFor returns the stable reason of a step's failure, "" for none.
func reasonFor(err error) string {
	var r reach.Failure
	switch {
	case err == nil:
		return ""
	case errors.As(err, &r):
		return string(r)
	}
	return fault.ReasonOf(err)
}

// do performs a step. It runs in a goroutine of its own, one at a time, and leaves the run alone.
func (w *walk) do(ctx context.Context, step run.Step) outcome {
	if step.Kind == run.Announce {
		w.announce(ctx, step.Reason)
		return outcome{Result: run.Result{CallStatus: call.Progressing}}
	}
	out, err := w.act(ctx, step)
	if err == nil {
		return out
	}
	out.Failed = reasonFor(err)
	if ctx.Err() == nil {
		w.p.o.Log.Info("a step of a flow failed", "activeflow", w.id(), "type", step.Action.Type, "reason", out.Failed, "error", err)
	}
	return out
}

// act performs an action. What needs the caller's ear or voice answers the call.
func (w *walk) act(ctx context.Context, step run.Step) (outcome, error) {
	switch o := step.Option.(type) {
	case *action.Fetching:
		return w.fetch(ctx, step.Action.Type, o)
	case *action.Webhook:
		return outcome{}, w.send(ctx, o)
	case *action.Calling:
		return outcome{}, w.call(ctx, o)
	case *action.Lasting:
		if step.Action.Type == action.Sleep {
			return outcome{}, pass(ctx, o.Duration)
		}
	case *action.None:
		if step.Action.Type == action.Block {
			<-ctx.Done()
			return outcome{}, ctx.Err()
		}
	}
	if w.stage.Phone == nil {
		return outcome{}, unavailable
	}
	return w.actOnCall(ctx, step)
}

func (w *walk) actOnCall(ctx context.Context, step run.Step) (out outcome, err error) {
	switch o := step.Option.(type) {
	case *action.Joining:
		return w.join(ctx, step, o)
	case *action.Connecting:
		return w.connect(ctx, o)
	case *action.Muting:
		return out, w.stage.Phone.Mute(ctx, cmp.Or(o.Direction, "both"))
	case *action.None:
		if step.Action.Type == action.RecordingStop || step.Action.Type == action.ExternalMediaStop {
			return out, w.end(ctx, step.Action.Type)
		}
	}
	if err := w.stage.Phone.Answer(ctx); err != nil {
		return out, err
	}
	out, err = w.talkTo(ctx, step)
	out.CallStatus = call.Progressing
	return out, err
}

// talkTo performs what needs an answered call.
func (w *walk) talkTo(ctx context.Context, step run.Step) (out outcome, err error) {
	switch o := step.Option.(type) {
	case *action.None: // answer, beep
		if step.Action.Type == action.Beep {
			err = w.beep(ctx)
		}
	case *action.Playing:
		err = w.play(ctx, o.StreamURLs)
	case *action.Talking:
		err = w.talk(ctx, o)
	case *action.Receiving:
		out.Digits = w.collect(ctx, o, step.Have)
	case *action.Sending:
		err = w.stage.Phone.SendDigits(ctx, o)
	case *action.Lasting:
		err = w.echo(ctx, o.Duration)
	case *action.Detection:
		return w.detect(ctx, o)
	case *action.Recording:
		out.Variables, err = w.tape(ctx, o)
	case *action.MediaLink:
		if err = unavailable; w.stage.Media != nil {
			err = w.stage.Media.Link(ctx, o)
		}
	default:
		err = unavailable
	}
	return out, err
}

// fetch gets actions from outside or from another flow.
func (w *walk) fetch(ctx context.Context, t action.Type, o *action.Fetching) (out outcome, err error) {
	if t == action.FetchFlow {
		f, err := w.p.Flow(ctx, w.plan.CustomerID, o.FlowID)
		out.Actions, out.FlowID = f.Actions, f.ID
		return out, err
	}
	list, err := w.p.outside.Fetch(ctx, o, w.id(), w.plan.Env.ReferenceID)
	if err != nil {
		return out, err
	}
	out.Actions, err = flow.ReadActions(list, flow.Reading{NewID: uuid.NewString, Fragment: true})
	return out, err
}

// send makes the request of a webhook_send, or leaves it to a sender.
func (w *walk) send(ctx context.Context, o *action.Webhook) error {
	if o.Sync {
		return w.p.outside.Post(ctx, o)
	}
	return w.p.outside.Later(w.id(), o)
}

// pass waits for milliseconds.
func pass(ctx context.Context, ms int64) error {
	timer := time.NewTimer(time.Duration(ms) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// collect waits for digits until they are complete, or the time is over; a duration of 0 is no limit.
func (w *walk) collect(ctx context.Context, o *action.Receiving, have string) string {
	var patience <-chan time.Time
	if o.Duration > 0 {
		timer := time.NewTimer(time.Duration(o.Duration) * time.Millisecond)
		defer timer.Stop()
		patience = timer.C
	}
	for {
		value, _, complete := o.Take(have)
		if complete {
			return value
		}
		select {
		case d := <-w.stage.Digits:
			w.key(ctx, d)
			have += string(d)
		case <-patience:
			return value
		case <-ctx.Done():
			return value
		}
	}
}

func (w *walk) echo(ctx context.Context, ms int64) error {
	w.hush()
	within, cancel := context.WithTimeout(ctx, time.Duration(ms)*time.Millisecond)
	defer cancel()
	if err := w.stage.Phone.Echo(within); err != nil && within.Err() == nil {
		return err
	}
	return ctx.Err()
}

// detect tells person from machine. Nobody has to wait for it.
func (w *walk) detect(ctx context.Context, o *action.Detection) (out outcome, err error) {
	hangup := o.MachineHandle != "continue"
	if o.Async {
		w.others.Go(func() {
			if machine, err := w.stage.Phone.Listen(w.whole); err == nil && machine && hangup {
				w.verdict <- call.Machine // has room: it is the only one
			}
		})
		return out, nil
	}
	machine, err := w.stage.Phone.Listen(ctx)
	if err != nil {
		return out, err
	}
	out.Variables = map[string]string{varMachine: "human"}
	if machine {
		out.Variables[varMachine] = "machine"
		if hangup {
			out.Hangup = call.Machine
		}
	}
	return out, nil
}

const varMachine = "voipbin.call.amd" // human or machine

func (w *walk) tape(ctx context.Context, o *action.Recording) (map[string]string, error) {
	if w.stage.Tapes == nil {
		return nil, unavailable
	}
	if o.BeepStart {
		if err := w.beep(ctx); err != nil {
			return nil, err
		}
	}
	return w.stage.Tapes.Start(ctx, o)
}

// end stops what goes on beside the flow.
func (w *walk) end(ctx context.Context, t action.Type) error {
	switch {
	case t == action.RecordingStop && w.stage.Tapes != nil:
		return w.stage.Tapes.Stop(ctx)
	case t == action.ExternalMediaStop && w.stage.Media != nil:
		return w.stage.Media.Unlink(ctx)
	}
	return unavailable
}

func (w *walk) call(ctx context.Context, o *action.Calling) error {
	switch {
	case w.plan.Env.CallCount >= run.CallsMax:
		return callsTooDeep
	case w.stage.Dials != nil:
		return w.stage.Dials.Call(ctx, o)
	case w.p.o.Call != nil:
		return w.p.o.Call(ctx, w.plan, o)
	}
	return callsUnavailable
}

func (w *walk) connect(ctx context.Context, o *action.Connecting) (out outcome, err error) {
	if w.stage.Dials == nil {
		return out, callsUnavailable
	}
	w.hush()
	relayed, err := w.stage.Dials.Connect(ctx, o)
	if o.RelayReason {
		out.Hangup = relayed
	}
	return out, err
}
