package script

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"parley/internal/call"
	"parley/internal/fault"
	"parley/internal/flow"
	"parley/internal/flow/active"
	"parley/internal/flow/run"
	"parley/internal/store"
	"parley/internal/wall"
	"parley/internal/wire"
)

// Flow returns a flow of the customer's that is not deleted, or a fault.NotFound FLOW_NOT_FOUND.
func (p *Performer) Flow(ctx context.Context, customerID, id string) (f flow.Flow, err error) {
	rec, err := p.o.Store.Get(ctx, store.Flow, id)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return f, fmt.Errorf("read flow: %w", err)
	}
	if err != nil || rec.CustomerID != customerID || rec.Deleted {
		return f, fault.New(fault.NotFound, "FLOW_NOT_FOUND", "there is no such flow; check the id")
	}
	if err := json.Unmarshal(rec.Doc, &f); err != nil {
		return f, fmt.Errorf("read flow %s: %w", id, err)
	}
	return f, nil
}

// Prepare makes the record of the run (activeflow_created), so that a call's record can name plan.Env.ActiveflowID, and returns the plan for Perform. When
// the plan does not say what follows the run (OnCompleteFlowID), its flow does. A prepared plan needs its Perform, also when the call does not come
// about: with a context that has ended.
func (p *Performer) Prepare(ctx context.Context, plan Plan) (Plan, error) {
	if plan.Env.ActiveflowID == "" {
		plan.Env.ActiveflowID = uuid.NewString()
	}
	if plan.Env.Unavailable == nil {
		plan.Env.Unavailable = run.Missing()
	}
	if plan.Status == "" && plan.Env.ReferenceType == active.OnCall {
		plan.Status = call.Progressing
	}
	if err := p.complete(ctx, &plan); err != nil {
		return plan, err
	}
	r, err := run.Start(plan.Env, plan.Actions)
	if err != nil {
		return plan, err
	}
	for name, value := range plan.Variables {
		r.Vars[name] = value
	}
	w := newWalk(p, plan, r)
	if err := p.enlist(w); err != nil {
		return plan, err
	}
	e := plan.Env
	create := active.Create{
		At: wall.Now(), ID: e.ActiveflowID, CustomerID: plan.CustomerID, Progress: active.ProgressOf(r),
		Origin: active.Origin{
			FlowID: e.FlowID, ReferenceType: e.ReferenceType, ReferenceID: e.ReferenceID, ReferenceActiveflowID: e.ReferenceActiveflowID,
			OnCompleteFlowID: e.OnCompleteFlowID, CompleteCount: e.CompleteCount, CallCount: e.CallCount, WebhookURI: plan.WebhookURI, WebhookMethod: plan.WebhookMethod,
		},
	}
	if err := w.record.Create(ctx, create, plan.Keep); err != nil {
		p.strike(w)
		return plan, err
	}
	plan.walk = w
	return plan, nil
}

// complete finds out what follows the run. A flow that has been deleted meanwhile is followed by nothing.
func (p *Performer) complete(ctx context.Context, plan *Plan) error {
	if plan.Env.FlowID == "" || plan.Env.OnCompleteFlowID != "" {
		return nil
	}
	f, err := p.Flow(ctx, plan.CustomerID, plan.Env.FlowID)
	if fault.KindOf(err) == fault.NotFound {
		return nil
	}
	plan.Env.OnCompleteFlowID = f.OnCompleteFlowID
	return err
}

func (p *Performer) enlist(w *walk) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.live[w.id()] != nil {
		return fault.New(fault.Conflict, "ALREADY_EXISTS", "activeflow %s exists; choose another id or none", w.id())
	}
	p.live[w.id()] = w
	return nil
}

func (p *Performer) strike(w *walk) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.live[w.id()] == w {
		delete(p.live, w.id())
	}
}

// Perform walks the run to its end and returns how it ended: hang the call up then, if it is still there, with End.Hangup. Without a stage the run
// is on no call. When ctx ends the call has ended (call_ended), whatever ended it. A plan that is not prepared is prepared here. It returns within
// a few seconds after ctx has ended, also when the store cannot be written.
func (p *Performer) Perform(ctx context.Context, plan Plan, s *Stage) run.End {
	if plan.walk == nil {
		var err error
		if plan, err = p.Prepare(ctx, plan); err != nil {
			p.o.Log.Warn("a flow cannot begin", "flow", plan.Env.FlowID, "reference", plan.Env.ReferenceID, "error", err)
			return run.End{Reason: fault.ReasonOf(err), Hangup: call.Failed}
		}
	}
	return plan.walk.perform(ctx, s)
}

// Start begins a run on no call, in a goroutine of Run, and returns its record. More than Options.Alone of them, and than AloneEach of a customer,
// are refused with fault.Unavailable, FLOWS_BUSY; the id of a known one is a fault.Conflict, ALREADY_EXISTS.
func (p *Performer) Start(ctx context.Context, plan Plan) (active.Activeflow, error) {
	if err := p.berths.Take(plan.CustomerID); err != nil {
		return active.Activeflow{}, err
	}
	plan.Env.ReferenceType = cmp.Or(plan.Env.ReferenceType, active.ByAPI)
	plan, err := p.Prepare(ctx, plan)
	if err != nil {
		p.berths.Leave(plan.CustomerID)
		return active.Activeflow{}, err
	}
	made := plan.walk.record.State()
	if !p.launch(plan.walk) {
		p.berths.Leave(plan.CustomerID)
		plan.walk.perform(ended(run.Lost), nil)
		return active.Activeflow{}, fault.New(fault.Unavailable, "STOPPING", "the server is stopping; try again when it is back")
	}
	return made, nil
}

func (p *Performer) launch(w *walk) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.starts <- w // it has room for all who have a slot
	return true
}

// follow starts the flow that comes after a run. One that cannot be started leaves a record that says why.
func (p *Performer) follow(ctx context.Context, before Plan, vars map[string]string, end run.End) {
	log := p.o.Log.With("activeflow", before.Env.ActiveflowID)
	if end.TooDeep {
		log.Warn("on_complete_flow_id is not followed: too many flows in a row", "most", run.CompletesMax)
	}
	if end.OnComplete == nil {
		return
	}
	f, err := p.Flow(ctx, before.CustomerID, end.OnComplete.FlowID)
	if err != nil {
		log.Warn("the flow after this one cannot be started", "flow", end.OnComplete.FlowID, "error", err)
		return
	}
	plan := Plan{
		CustomerID: before.CustomerID, Actions: f.Actions,
		Env: run.Env{
			FlowID: f.ID, ReferenceType: active.ByAPI, ReferenceActiveflowID: before.Env.ActiveflowID, ReferenceData: before.Env.ReferenceData,
			OnCompleteFlowID: f.OnCompleteFlowID, CompleteCount: end.OnComplete.Count, CallCount: before.Env.CallCount, Variables: vars,
		},
	}
	_, err = p.Start(ctx, plan)
	if fault.ReasonOf(err) == busy {
		err = p.turnAway(ctx, plan)
	}
	if err != nil {
		log.Warn("the flow after this one cannot be started", "flow", f.ID, "error", err)
	}
}

// turnAway leaves a record of a run that finds no room.
func (p *Performer) turnAway(ctx context.Context, plan Plan) error {
	plan, err := p.Prepare(ctx, plan)
	if err == nil {
		plan.walk.perform(ended(busy), nil)
	}
	return err
}

// busy is the end of a run that should have followed another and found no room.
const busy = "FLOWS_BUSY"

// cause is why a context has ended, as the reason of a run's end.
type cause string

func (c cause) Error() string { return string(c) }

// ended returns a context that has ended with the reason.
func ended(reason string) context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(cause(reason))
	return ctx
}

// endOf returns the reason for a run whose context has ended.
func endOf(ctx context.Context) string {
	var c cause
	if errors.As(context.Cause(ctx), &c) {
		return string(c)
	}
	return run.CallEnded
}

// idOf reads an id of the API.
func idOf(text string) (string, error) {
	id, ok := wire.ParseUUID(text)
	if !ok {
		return "", fault.New(fault.Invalid, "INVALID_ID", "the id is no UUID")
	}
	return id, nil
}
