package line

import (
	"context"

	"parley/internal/call"
	"parley/internal/call/group"
	"parley/internal/line/callee"
	"parley/internal/line/groups"
	"parley/internal/wall"
)

// placeGroup makes one groupcall of the destinations and has it dialled. When none of them can be called now, nothing is made.
func (x *Exchange) placeGroup(ctx context.Context, o Order, p func() plan, to []call.Address) (Placed, error) {
	team, err := x.finder().Team(ctx, o.CustomerID, to, o.RingMethod)
	if err != nil {
		return Placed{}, err
	}
	o.AgentID, to = team.Agent, team.Destinations
	phones := callee.NewAhead(func(ctx context.Context, to call.Address) ([]callee.Callee, error) { return x.callees(ctx, o, to) })
	if err := phones.Any(ctx, to); err != nil {
		return Placed{}, err
	}
	if o.Join != nil && len(to) == 1 {
		if callees, err := phones.Find(ctx, to[0]); err != nil {
			return Placed{}, err
		} else if len(callees) == 1 { // no need of a group
			return x.place(ctx, o, p, callees[0])
		}
	}
	g, err := x.groups.Place(ctx, group.Create{
		At: wall.Now(), ID: group.ID(newID()), CustomerID: o.CustomerID, FlowID: o.FlowID, Source: o.Source, Destinations: to,
		Methods: group.Methods{Ring: team.Ring, Answer: group.AnswerMethod(o.AnswerMethod)}, Links: team.Links(o.MasterCallID),
	}, x.dialGroup(o, p, phones.Find))
	if err != nil {
		return Placed{}, err
	}
	return Placed{Groups: []group.Groupcall{g}}, nil
}

// dialGroup calls the phones of one destination of a groupcall.
func (x *Exchange) dialGroup(o Order, p func() plan, find callee.Find) groups.Dial {
	return func(ctx context.Context, to call.Address, g *groups.Groupcall) (phones []groups.Phone, err error) {
		callees, err := find(ctx, to)
		for _, c := range callees {
			out := x.outboundTo(o, c)
			out.group = g.ID()
			var id string
			out.made = func(l *Line) { id = string(l.id) }
			out.answered = func() { g.Answered(id) }
			out.ended = func(c call.Call) { g.Ended(id, c.HangupReason) }
			var l *Line
			if l, err = x.dial(ctx, o.CustomerID, p(), out); err == nil {
				phones = append(phones, groups.Phone{CallID: id, Hangup: func() { l.press(ctx, nil) }})
			}
		}
		return phones, err
	}
}

// HangupGroup ends a groupcall of the customer's and returns it as it is then, or when ctx ends.
func (x *Exchange) HangupGroup(ctx context.Context, customerID, id string) (group.Groupcall, error) {
	return x.groups.Hangup(ctx, customerID, id)
}
