package line

import (
	"context"

	"parley/internal/line/way"
)

// route finds what the invite may enter, and whose that is.
func (x *Exchange) route(ctx context.Context, in Invite) (p plan, customer string, err error) {
	c, f, err := x.routes.Find(ctx, way.Call{Target: in.Target, CustomerID: in.CustomerID, Peer: in.Peer})
	switch {
	case err != nil:
		return p, "", err
	case f != nil:
		s := showOf(f.CustomerID, f.ID, f.Actions)
		s.plan.Env.OnCompleteFlowID = f.OnCompleteFlowID
		return plan{show: s}, f.CustomerID, nil
	}
	return plan{dialled: c, conference: c.ID, show: x.showFor(c.ID, c.CustomerID, c.PreFlowID, c.PostFlowID)}, c.CustomerID, nil
}
