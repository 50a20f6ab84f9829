package line

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"parley/internal/call"
	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/flow"
	"parley/internal/trunk"
	"parley/internal/trunk/route"
)

func newID() string { return uuid.NewString() }

// callee is one phone to be called, with the ways to it.
type callee struct {
	to   call.Address
	hops []hop
}

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
		if to.Type == route.Extension || to.Type == "agent" {
			placed, err = x.placeGroup(ctx, o, p, []call.Address{to})
		} else {
			placed, err = x.placeOne(ctx, o, p, to)
		}
		if err != nil {
			refusal = cmpErr(refusal, err)
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

func cmpErr(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

// planOf is what the order wants to be done with a call once it is answered.
func (x *Exchange) planOf(ctx context.Context, o Order) (p func() plan, err error) {
	if o.Join != nil {
		c, err := x.routes.Conference(ctx, conference.ID(o.Join.ConferenceID), o.CustomerID)
		if err != nil {
			return nil, err
		}
		pre := o.Join.PreFlowID
		if pre == "" && !o.Join.straight {
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
		s := showOf(o.CustomerID, o.FlowID, actions)
		s.plan.Env.Variables, s.plan.Env.OnCompleteFlowID = o.Variables, next
		return plan{show: s}
	}, nil
}

func (x *Exchange) flow(ctx context.Context, customer, id string) (flow.Flow, error) {
	if x.o.Flows == nil {
		return flow.Flow{}, fault.New(fault.Unavailable, "FLOWS_UNAVAILABLE", "this server runs no flows")
	}
	return x.o.Flows.Flow(ctx, customer, id)
}

// placeOne calls one phone.
func (x *Exchange) placeOne(ctx context.Context, o Order, p func() plan, to call.Address) (Placed, error) {
	callees, err := x.callees(ctx, o, to)
	if err != nil {
		return Placed{}, err
	}
	l, err := x.dial(ctx, o.CustomerID, p(), x.outboundTo(o, callees[0]))
	if err != nil {
		return Placed{}, err
	}
	return placed(l), nil
}

// placed is what has become of an order of one call.
func placed(l *Line) Placed {
	p := Placed{Calls: []call.Call{l.made}}
	if c := l.chair.Load(); c != nil {
		p.Participants = []string{c.place.Participant}
	}
	return p
}

func (x *Exchange) outboundTo(o Order, c callee) *outbound {
	hops := make([]hop, len(c.hops))
	copy(hops, c.hops)
	for i := range hops {
		if o.Timeout > 0 {
			hops[i].Timeout = o.Timeout
		}
	}
	return &outbound{from: o.Source, to: c.to, master: o.MasterCallID, hops: hops}
}

// callees finds the phones of a destination.
func (x *Exchange) callees(ctx context.Context, o Order, to call.Address) ([]callee, error) {
	ways, err := x.ways(ctx, o, to)
	if err != nil {
		return nil, err
	}
	switch first := ways[0]; first.Kind {
	case route.Extension:
		return x.phones(ctx, o, to, first)
	case route.Conference:
		return nil, fault.New(fault.Invalid, "DESTINATION_UNSUPPORTED", "a conference is no phone to be called; have the call join it with the action conference_join")
	}
	out := callee{to: to}
	for _, w := range ways {
		h := hop{
			Outgoing: Outgoing{To: w.To, Via: w.Via, From: w.From, Identity: w.Identity, User: w.User, Password: w.Password, Codecs: w.Codecs, Secure: w.SRTP},
			guarded:  &trunk.Request{CustomerID: o.CustomerID, Source: o.Source, Destination: to, Hop: w},
		}
		x.present(&h.Outgoing, o)
		out.hops = append(out.hops, h)
	}
	return []callee{out}, nil
}

func (x *Exchange) ways(ctx context.Context, o Order, to call.Address) ([]route.Hop, error) {
	if x.o.Trunks != nil {
		return x.o.Trunks.Plan(ctx, o.CustomerID, to, o.Source)
	}
	if to.Type != route.Extension {
		return nil, fault.New(fault.Denied, "DESTINATION_NOT_ALLOWED", "this server calls extensions only")
	}
	return []route.Hop{{Kind: route.Extension, Name: extensionOf(to.Target)}}, nil
}

// phones finds where an extension is registered.
func (x *Exchange) phones(ctx context.Context, o Order, to call.Address, w route.Hop) (out []callee, err error) {
	contacts, err := x.dialer().Contacts(ctx, o.CustomerID, w.Name)
	if err != nil {
		return nil, err
	}
	if len(contacts) == 0 {
		return nil, fault.New(fault.Conflict, "EXTENSION_NOT_REGISTERED", "extension %s has no phone registered; register one first", w.Name)
	}
	for _, c := range contacts {
		x.present(&c, o)
		out = append(out, callee{to, []hop{{Outgoing: c}}})
	}
	return out, nil
}

func extensionOf(target string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(target, "sip:"), "@")
	return name
}

// present says who is calling.
func (x *Exchange) present(c *Outgoing, o Order) {
	c.FromName = o.Source.TargetName
	c.Anonymous = o.Anonymous == "yes" || o.Anonymous != "no" && strings.EqualFold(o.Source.Target, "anonymous")
}
