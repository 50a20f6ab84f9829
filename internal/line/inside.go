package line

import (
	"context"

	"parley/internal/fault"
	"parley/internal/flow/run"
	"parley/internal/line/inside"
)

// invite sends an INVITE, or calls a conference of the customer's: the call that enters that is one like any other, but comes from here.
func (l *Line) invite(ctx context.Context, o Outgoing) (Departure, error) {
	if o.Conference == "" {
		return l.x.dialer().Dial(ctx, o, l)
	}
	if l.outbound.count >= run.CallsMax {
		return nil, fault.New(fault.Conflict, "CALL_LOOP", "%d calls have called one another before this one; look for a conference whose flow calls it", run.CallsMax)
	}
	pair := inside.NewPair(o.Timeout)
	in := Invite{
		SIPCallID: newID(), Source: l.outbound.from, Destination: l.outbound.to, Target: o.Conference, Offer: o.Offer, CustomerID: l.customer, Peer: l.leg.Local(),
	}
	other, err := l.x.Accept(ctx, in, pair.Callee())
	if err != nil {
		pair.Callee().Reject(err)
		return nil, err
	}
	if l.tie, other.tie = l.x.ties.Tie(); other.plan.show != nil {
		other.plan.show.Env.CallCount = l.outbound.count
	}
	if !l.x.run(other) {
		other.press(ctx, nil)
		_ = other.Run(ctx)
	}
	return pair.Caller(), nil
}
