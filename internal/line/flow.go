package line

import (
	"context"

	"parley/internal/call"
	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/flow"
	"parley/internal/flow/run"
	"parley/internal/line/finish"
	"parley/internal/line/ledger"
	"parley/internal/line/script"
	"parley/internal/line/script/record"
	"parley/internal/line/show"
	"parley/internal/store/cause"
	"parley/internal/wall"
)

// Flows performs flows; *script.Performer is one.
type Flows interface {
	Flow(ctx context.Context, customerID, id string) (flow.Flow, error)
	Prepare(ctx context.Context, plan script.Plan) (script.Plan, error)
	Perform(ctx context.Context, plan script.Plan, s *script.Stage) run.End
}

// showFor is what a call that dials a conference goes through, nil when it goes straight in.
func (x *Exchange) showFor(id conference.ID, customer, preFlow, postFlow string) *script.Plan {
	if preFlow == "" && postFlow == "" || x.o.Flows == nil {
		return nil
	}
	return show.Into(customer, string(id))
}

// prepare makes the record of the run, whose id the call's record has.
func (l *Line) prepare(ctx context.Context, direction call.Direction, from, to call.Address) (err error) {
	if l.plan.show == nil {
		return nil
	}
	if l.x.o.Flows == nil {
		return fault.New(fault.Unavailable, "FLOWS_UNAVAILABLE", "this server runs no flows")
	}
	p := l.plan.show
	p.Env.ReferenceID, p.Env.Direction, p.Env.Source, p.Env.Destination = string(l.id), direction, from, to
	p.Halted = func(ctx context.Context) { l.press(ctx, nil) }
	p.Status = call.Ringing
	if direction == call.Outbound {
		p.Status, p.Env.MasterCallID = call.Progressing, l.outbound.master
	}
	*p, err = l.x.o.Flows.Prepare(ctx, *p)
	return err
}

// forget ends the prepared run of a call that does not come about.
func (l *Line) forget(ctx context.Context) {
	if l.plan.show == nil || l.x.o.Flows == nil || l.plan.show.Env.ActiveflowID == "" {
		return
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	l.x.o.Flows.Perform(over, *l.plan.show, l.stage())
}

// runFlow performs the call's flow and returns what that leads to.
func (l *Line) runFlow(ctx context.Context) finish.Ending {
	end := l.x.o.Flows.Perform(ctx, *l.plan.show, l.stage())
	reason := end.Hangup
	if end.HangupLike != "" {
		reason = ledger.ReasonOf(ctx, l.x.o.Store, end.HangupLike)
	}
	return finish.ByFlow(reason, end.Reason).Because(cause.In(record.By(ctx, l.plan.show.Env.ActiveflowID, "")))
}

// acting shows in the call's record which action runs.
func (l *Line) acting(ctx context.Context, a flow.Action) {
	doc, err := a.MarshalJSON()
	if err != nil {
		return
	}
	_ = l.ask(ctx, func() { l.note(ctx, call.Act{At: wall.Now(), Action: doc}) })
}
