package line

import (
	"context"

	"parley/internal/call"
	"parley/internal/line/script"
	"parley/internal/line/show"
	"parley/internal/line/way"
)

// route finds what the invite may enter, or whom it calls, and whose that is.
func (x *Exchange) route(ctx context.Context, in *Invite) (p plan, customer string, err error) {
	to, err := x.routes.Find(ctx, way.Call{Target: in.Target, CustomerID: in.CustomerID, Extension: in.Extension, Peer: in.Peer})
	if err != nil {
		return p, "", err
	}
	in.Source = way.Caller(in.Source, in.Extension)
	switch {
	case to.Flow != nil:
		p.show = show.Of(to.CustomerID, to.Flow.ID, to.Flow.Actions)
		p.show.Env.OnCompleteFlowID = to.Flow.OnCompleteFlowID
	case to.Dial != nil:
		in.Source = way.Phone(in.Source, in.Extension)
		p.show, err = x.showTo(ctx, to.CustomerID, in.Source, *to.Dial)
	default:
		c := to.Conference
		p = plan{dialled: c, conference: c.ID, show: x.showFor(c.ID, c.CustomerID, c.PreFlowID, c.PostFlowID)}
	}
	return p, to.CustomerID, err
}

// showTo is what a call goes through that dials somebody. Nobody to be found is a refusal, before there is a call.
func (x *Exchange) showTo(ctx context.Context, customer string, from, to call.Address) (*script.Plan, error) {
	if _, err := x.callees(ctx, Order{CustomerID: customer, Source: from}, to); err != nil {
		return nil, err
	}
	return show.To(customer, from, to)
}
