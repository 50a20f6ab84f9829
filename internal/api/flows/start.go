package flows

import (
	"context"
	"encoding/json"

	"github.com/google/uuid"

	"parley/internal/api/rest"
	"parley/internal/fault"
	"parley/internal/flow"
	"parley/internal/flow/active"
	"parley/internal/flow/run"
	"parley/internal/line/script"
	"parley/internal/store"
	"parley/internal/wire"
)

// Runs is what runs flows; *script.Performer does.
type Runs interface {
	Start(ctx context.Context, p script.Plan) (active.Activeflow, error)
	Stop(ctx context.Context, customerID, id string) (active.Activeflow, error)
	Delete(ctx context.Context, customerID, id string) (active.Activeflow, error)
}

// newRun is the body of POST /activeflows.
type newRun struct {
	ID            string            `json:"id"`
	FlowID        string            `json:"flow_id"`
	Actions       json.RawMessage   `json:"actions"`
	Variables     map[string]string `json:"variables"`
	WebhookURI    string            `json:"webhook_uri"`
	WebhookMethod string            `json:"webhook_method"`
}

// start begins a run on no call.
func (f *Flows) start(r *rest.Request) (rest.Reply, error) {
	if f.runs == nil {
		return rest.Reply{}, unavailable()
	}
	var in newRun
	if err := r.Parse(&in); err != nil {
		return rest.Reply{}, err
	}
	plan, err := in.plan(r)
	if err != nil {
		return rest.Reply{}, err
	}
	id, err := wire.OptionalUUID(in.ID)
	if err != nil {
		return rest.Reply{}, fault.New(fault.Invalid, "INVALID_ID", "id: it is not a UUID; leave it out to get one")
	}
	chosen := id != ""
	if plan.Env.ActiveflowID = id; !chosen {
		plan.Env.ActiveflowID = r.NewID()
	}
	plan.Keep = func(a active.Activeflow) (*store.Answer, error) { return r.KeepWith(a.Resource()) }
	a, err := f.runs.Start(r.Context(), plan)
	if err == nil {
		return rest.Tagged(a.Resource())
	}
	if r.Repeatable() && !chosen && fault.ReasonOf(err) == "ALREADY_EXISTS" {
		// The id is made from the key: this very request has made it before, and died before it could answer.
		if rec, err := r.OwnedByID(store.Activeflow, plan.Env.ActiveflowID); err == nil {
			return shown(rec)
		}
	}
	return rest.Reply{}, err
}

// plan checks the body.
func (in *newRun) plan(r *rest.Request) (p script.Plan, err error) {
	p = script.Plan{
		CustomerID: r.CustomerID, WebhookURI: in.WebhookURI, WebhookMethod: in.WebhookMethod,
		Env: run.Env{ReferenceType: active.ByAPI, Variables: in.Variables},
	}
	inline := len(in.Actions) > 0 && string(in.Actions) != "null"
	id, err := wire.OptionalUUID(in.FlowID)
	if err != nil {
		return p, fault.New(fault.Invalid, "INVALID_ARGUMENT", "flow_id: %v", err)
	}
	if (id != "") == inline {
		return p, fault.New(fault.Invalid, "INVALID_ARGUMENT", "flow_id: give flow_id or actions, one of them")
	}
	if inline {
		p.Actions, err = flow.ReadActions(in.Actions, flow.Reading{NewID: uuid.NewString})
		return p, placed(err)
	}
	v, err := known(r, id)
	p.Actions, p.Env.FlowID, p.Env.OnCompleteFlowID = v.Actions, v.ID, v.OnCompleteFlowID
	return p, err
}

func (f *Flows) stop(r *rest.Request) (rest.Reply, error) { return f.end(r, Runs.Stop) }

func (f *Flows) deleteRun(r *rest.Request) (rest.Reply, error) { return f.end(r, Runs.Delete) }

func (f *Flows) end(r *rest.Request, do func(Runs, context.Context, string, string) (active.Activeflow, error)) (rest.Reply, error) {
	id, err := r.ID()
	if err != nil {
		return rest.Reply{}, err
	}
	if f.runs == nil {
		return rest.Reply{}, unavailable()
	}
	a, err := do(f.runs, r.Context(), r.CustomerID, id)
	if err != nil {
		return rest.Reply{}, err
	}
	return rest.Tagged(a.Resource())
}

func unavailable() error {
	return fault.New(fault.Unavailable, "FLOWS_UNAVAILABLE", "this server runs no flows")
}
