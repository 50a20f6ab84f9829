package script

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"

	"parley/internal/call"
	"parley/internal/fault"
	"parley/internal/flow/action"
	"parley/internal/flow/active"
	"parley/internal/flow/run"
	"parley/internal/line/script/record"
	"parley/internal/store"
	origin "parley/internal/store/cause"
	"parley/internal/wall"
)

// The reasons, in the words of conferences, for which a place is given up.
const (
	byHangup  = "hangup"
	byRefusal = "refused"
)

// walk is one run while it is performed. What has no comment belongs to the goroutine of perform.
type walk struct {
	p      *Performer
	plan   Plan
	stage  *Stage
	run    *run.Run
	record *record.Record
	begun  bool    // guarded by Performer.mu
	seats  []*seat // of conferences whose pre-flow or mix the call is in, the outermost first

	stop     chan struct{} // closed when somebody wants the run to end
	stopOnce sync.Once
	asked    json.RawMessage // who does, as the log keeps it; written before stop is closed
	finished chan struct{}   // closed when everything is written

	gone    chan struct{}          // has a value when a seat may be over; capacity 1
	verdict chan call.HangupReason // of an amd that nobody waits for; capacity 1

	whole  context.Context // of everything that steps leave behind; ends with the run
	others sync.WaitGroup  // the goroutines of that
	sound  *sound          // that goes on beside the steps; only the step's goroutine uses it
	endKey string          // keys that end the recording

	astrayBy string // how the seat ended whose end is to be announced, "" for none
}

// seat is a place in a conference that a run has taken.
type seat struct {
	Seat
	place    Place
	entering bool // its end is told by Enter
	over     bool // nothing has to be given up any more
}

func newWalk(p *Performer, plan Plan, r *run.Run) *walk {
	return &walk{
		p: p, plan: plan, run: r, record: record.New(p.o.Store, p.o.WriteTimeout), stop: make(chan struct{}), finished: make(chan struct{}),
		gone: make(chan struct{}, 1), verdict: make(chan call.HangupReason, 1),
	}
}

func (w *walk) id() string { return w.plan.Env.ActiveflowID }

func (w *walk) halt(ctx context.Context) {
	w.stopOnce.Do(func() { w.asked = origin.In(ctx); close(w.stop) })
}

// perform walks to the end.
func (w *walk) perform(ctx context.Context, s *Stage) run.End {
	if s == nil {
		s = &Stage{}
	}
	w.stage = s
	w.p.mu.Lock()
	w.begun = true
	w.p.mu.Unlock()
	var cancel context.CancelFunc
	w.whole, cancel = context.WithCancel(ctx)
	step, over := w.halted(ctx)
	if !over {
		step = w.run.Next(run.Result{At: wall.Now(), CallStatus: w.plan.Status})
	}
	for step.Kind != run.Over {
		w.release(ctx, byRefusal)
		if now, over := w.halted(ctx); over {
			step = now
			continue
		}
		if now, astray := w.astray(""); astray {
			step = now
			continue
		}
		by := record.By(ctx, w.id(), w.run.Current().ID)
		w.note(by)
		step = w.attend(by, step)
	}
	cancel()
	w.others.Wait()
	return w.finish(ctx, step.End)
}

// note writes how far the run is. A store that cannot be written holds nothing up for long.
func (w *walk) note(ctx context.Context) {
	if w.stage.Acting != nil {
		w.stage.Acting(ctx, w.run.Current())
	}
	err := w.record.Write(ctx, active.Advance{At: wall.Now(), Progress: w.record.State().Progress.Now(w.run)})
	switch {
	case err == nil || ctx.Err() != nil:
	case fault.ReasonOf(err) == "ACTIVEFLOW_ALREADY_STOPPED":
		w.halt(ctx)
	default:
		w.p.o.Log.Warn("cannot write how far a flow is; it is written with its next step", "activeflow", w.id(), "error", err)
	}
}

// outcome is what came of a step.
type outcome struct {
	run.Result
	seat *seat // that it took
	left *seat // that is over with it
}

// errDigit ends what a digit interrupts, errCut what something outside does.
var (
	errDigit = errors.New("a digit came")
	errCut   = errors.New("the run goes elsewhere")
)

// attend performs the step in a goroutine of its own, and looks meanwhile at everything that can come in between.
func (w *walk) attend(ctx context.Context, step run.Step) run.Step {
	within, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	digits := w.stage.Digits
	if step.Action.Type == action.DigitsReceive && step.Kind == run.Do {
		digits = nil // it takes them itself
	}
	if own := w.seat(step.Participant); own != nil {
		own.entering = true
	}
	done := make(chan outcome, 1)
	go func() { done <- w.do(within, step) }()
	var hangup call.HangupReason
	for stop := w.stop; ; {
		select {
		case out := <-done:
			if hangup != "" {
				out.Hangup = hangup
			}
			w.listen(step, out.Failed)
			if step.Kind == run.Announce {
				w.astrayBy = ""
			}
			return w.result(ctx, within, out)
		case d := <-digits:
			w.key(ctx, d)
			if w.run.Digits(string(d)); interrupted(step) {
				cancel(errDigit)
			}
		case <-stop:
			stop = nil
			cancel(errCut)
		case hangup = <-w.verdict:
			cancel(errCut)
		case <-w.gone:
			if w.lost() != nil {
				cancel(errCut)
			}
		}
	}
}

// interrupted reports whether a digit ends the step.
func interrupted(step run.Step) bool {
	o, talk := step.Option.(*action.Talking)
	return talk && o.DigitsHandle == "next"
}

// result gives what came of the step to the run, unless something else has come.
func (w *walk) result(ctx, within context.Context, out outcome) run.Step {
	if out.left != nil {
		out.left.over = true
	}
	if out.seat != nil {
		w.seats = append(w.seats, out.seat)
		w.watchSeat(out.seat)
	}
	if errors.Is(context.Cause(within), errDigit) {
		out.Failed = ""
	}
	if step, over := w.halted(ctx); over {
		return step
	}
	if out.seat == nil { // the run has to know of a seat before it can lose it
		if step, astray := w.astray(out.CallStatus); astray {
			return step
		}
	}
	out.At = wall.Now()
	return w.run.Next(out.Result)
}

// halted ends the run if somebody wants it to.
func (w *walk) halted(ctx context.Context) (run.Step, bool) {
	if ctx.Err() != nil {
		return w.run.End(endOf(ctx)), true
	}
	select {
	case <-w.stop:
		return w.run.End(run.Stopped), true
	default:
		return run.Step{}, false
	}
}

// astray interrupts the way into a conference whose seat somebody else has ended.
func (w *walk) astray(status call.Status) (run.Step, bool) {
	s := w.lost()
	if s == nil {
		return run.Step{}, false
	}
	s.over = true
	w.astrayBy = s.Result()
	return w.run.Interrupt(run.Result{
		At: wall.Now(), CallStatus: status, Conference: run.Conference{Result: s.Result(), Participant: s.place.Participant},
	}), true
}

// seat returns the seat of a participant that is on its way into the mix.
func (w *walk) seat(participant string) *seat {
	for _, s := range w.seats {
		if participant != "" && s.place.Participant == participant {
			return s
		}
	}
	return nil
}

// lost returns the outermost seat that somebody else has ended before the call was in the mix.
func (w *walk) lost() *seat {
	for _, s := range w.seats {
		select {
		case <-s.Done():
			if !s.over && !s.entering {
				return s
			}
		default:
		}
	}
	return nil
}

// watchSeat tells attend when the seat is over.
func (w *walk) watchSeat(s *seat) {
	w.others.Go(func() {
		select {
		case <-s.Done():
			select {
			case w.gone <- struct{}{}:
			default:
			}
		case <-w.whole.Done():
		}
	})
}

// release gives up the seats that the run is not on the way to any more.
func (w *walk) release(ctx context.Context, reason string) {
	onWay := map[string]bool{}
	for _, f := range w.run.Frames {
		if f.Kind == run.PreFlow {
			onWay[f.Participant] = true
		}
	}
	var kept []*seat
	for _, s := range w.seats {
		if onWay[s.place.Participant] {
			kept = append(kept, s)
			continue
		}
		select {
		case <-s.Done():
			s.over = true
		default:
		}
		if !s.over {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.p.o.WriteTimeout)
			s.Leave(ctx, reason)
			cancel()
		}
	}
	w.seats = kept
}

// listen sets which keys end the recording.
func (w *walk) listen(step run.Step, failed string) {
	switch o, starts := step.Option.(*action.Recording); {
	case starts && failed == "":
		w.endKey = o.EndOfKey
	case step.Action.Type == action.RecordingStop:
		w.endKey = ""
	}
}

// key looks whether a digit is for the recording.
func (w *walk) key(ctx context.Context, d byte) {
	if w.endKey == "" || strings.IndexByte(w.endKey, d) < 0 || w.stage.Tapes == nil {
		return
	}
	w.endKey = ""
	if err := w.stage.Tapes.Stop(ctx); err != nil && ctx.Err() == nil {
		w.p.o.Log.Warn("a key does not end the recording", "activeflow", w.id(), "error", err)
	}
}

// finish writes the end down and starts what follows.
func (w *walk) finish(ctx context.Context, end run.End) run.End {
	reason := byRefusal
	select {
	case <-w.stop:
		reason, ctx = byHangup, origin.Put(ctx, w.asked)
	default:
		if ctx.Err() != nil {
			reason = byHangup // and who ended the call has ended the run
		} else {
			ctx = record.By(ctx, w.id(), "")
		}
	}
	w.release(ctx, reason)
	write := context.WithoutCancel(ctx)
	if end.HangupLike != "" {
		end.Hangup, end.HangupLike = w.reasonOf(write, end), ""
	}
	last := active.ProgressOf(w.run)
	if err := w.record.Write(write, active.End{At: wall.Now(), Reason: end.Reason, Progress: &last}); err != nil {
		w.p.o.Log.Warn("cannot write the end of a flow; trying again", "activeflow", w.id(), "error", err)
		select {
		case w.p.late <- w.record:
		default: // Recover ends it
		}
	}
	w.p.strike(w)
	close(w.finished)
	w.p.o.Log.Info("flow ended", "activeflow", w.id(), "flow", w.plan.Env.FlowID, "reason", end.Reason)
	if end.Reason != run.Lost && end.Reason != busy {
		w.p.follow(write, w.plan, w.run.Vars, end)
	}
	return end
}

// reasonOf returns the reason with which another call of the customer's was hung up.
func (w *walk) reasonOf(ctx context.Context, end run.End) call.HangupReason {
	ctx, cancel := context.WithTimeout(ctx, w.p.o.WriteTimeout)
	defer cancel()
	var c call.Call
	rec, err := w.p.o.Store.Get(ctx, store.Call, end.HangupLike)
	if err != nil || rec.CustomerID != w.plan.CustomerID || json.Unmarshal(rec.Doc, &c) != nil || c.HangupReason == "" {
		return end.Hangup
	}
	return c.HangupReason
}
