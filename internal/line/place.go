package line

import (
	"cmp"
	"context"

	"github.com/google/uuid"

	"parley/internal/agent/roster"
	"parley/internal/call"
	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/flow"
	"parley/internal/line/callee"
	"parley/internal/line/show"
	"parley/internal/trunk/route"
)

func newID() string { return uuid.NewString() }

// Place makes the calls of an order. It returns when their records are written; they are dialled after that. Destinations of type sip and tel are one
// call each, extension and agent a groupcall each of all the places they are registered at; an order for a group makes one groupcall. A destination that
// cannot be dialled is left out, and its refusal returned when there is no other.
func (x *Exchange) Place(ctx context.Context, o Order) (Placed, error) {
	if len(o.Destinations) == 0 {
		return Placed{}, fault.New(fault.Invalid, "INVALID_ARGUMENT", "destinations: name at least one")
	}
	p, err := x.planOf(ctx, o)
	if err != nil {
		return Placed{}, err
	}
	if o.Group {
		return x.placeGroup(ctx, o, p, o.Destinations)
	}
	var out Placed
	var refusal error
	for _, to := range o.Destinations {
		var placed Placed
		var err error
		if to.Type == route.Extension || to.Type == route.Agent {
			placed, err = x.placeGroup(ctx, o, p, []call.Address{to})
		} else if phones, refused := x.callees(ctx, o, to); refused == nil {
			placed, err = x.place(ctx, o, p, phones[0])
		} else {
			err = refused
		}
		if err != nil {
			refusal = cmp.Or(refusal, err)
			x.o.Log.Warn("call not placed", "to", to.Target, "reason", fault.ReasonOf(err), "error", err)
			continue
		}
		out.Calls, out.Groups = append(out.Calls, placed.Calls...), append(out.Groups, placed.Groups...)
		out.Participants = append(out.Participants, placed.Participants...)
	}
	if len(out.Calls)+len(out.Groups) == 0 {
		return Placed{}, refusal
	}
	return out, nil
}

// planOf is what the order wants to be done with a call once it is answered.
func (x *Exchange) planOf(ctx context.Context, o Order) (p func() plan, err error) {
	if o.Join != nil {
		c, err := x.routes.Conference(ctx, conference.ID(o.Join.ConferenceID), o.CustomerID)
		if err != nil {
			return nil, err
		}
		pre := o.Join.PreFlowID
		if pre == "" && !o.Join.Straight {
			pre = c.PreFlowID
		}
		return func() plan {
			return plan{conference: c.ID, join: *o.Join, show: x.showFor(c.ID, c.CustomerID, pre, c.PostFlowID)}
		}, nil
	}
	var actions []flow.Action
	next := ""
	if o.FlowID != "" {
		f, err := x.flow(ctx, o.CustomerID, o.FlowID)
		if err != nil {
			return nil, err
		}
		actions, next = f.Actions, f.OnCompleteFlowID
	} else if actions, err = flow.ReadActions(o.Actions, flow.Reading{NewID: newID}); err != nil {
		return nil, err
	}
	return func() plan {
		s := show.Of(o.CustomerID, o.FlowID, actions)
		s.Env.Variables, s.Env.OnCompleteFlowID, s.Env.CallCount = o.Variables, next, o.CallCount
		return plan{show: s}
	}, nil
}

func (x *Exchange) flow(ctx context.Context, customer, id string) (flow.Flow, error) {
	if x.o.Flows == nil {
		return flow.Flow{}, fault.New(fault.Unavailable, "FLOWS_UNAVAILABLE", "this server runs no flows")
	}
	return x.o.Flows.Flow(ctx, customer, id)
}

// place calls one phone.
func (x *Exchange) place(ctx context.Context, o Order, p func() plan, to callee.Callee) (Placed, error) {
	l, err := x.dial(ctx, o.CustomerID, p(), x.outboundTo(o, to))
	if err != nil {
		return Placed{}, err
	}
	out := Placed{Calls: []call.Call{l.made}}
	if c := l.chair.Load(); c != nil {
		out.Participants = []string{c.place.Participant}
	}
	return out, nil
}

func (x *Exchange) outboundTo(o Order, c callee.Callee) *outbound {
	return &outbound{
		from: o.Source, to: c.To, master: o.MasterCallID, hops: c.Hops, agent: cmp.Or(c.Agent, o.AgentID), count: o.CallCount, picked: make(chan struct{}), early: o.Early,
	}
}

// callees finds the phones of a destination.
func (x *Exchange) callees(ctx context.Context, o Order, to call.Address) ([]callee.Callee, error) {
	return x.finder().Find(ctx, callee.Caller{CustomerID: o.CustomerID, Source: o.Source, Anonymous: o.Anonymous, Timeout: o.Timeout}, to)
}

func (x *Exchange) finder() callee.Finder {
	return callee.Finder{Trunks: x.o.Trunks, Contacts: x.dialer().Contacts, Agents: roster.New(x.o.Store).Reachable}
}
