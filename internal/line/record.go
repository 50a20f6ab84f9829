package line

import (
	"context"
	"fmt"

	"parley/internal/call"
	"parley/internal/fault"
	"parley/internal/line/ledger"
)

// Hangup ends the call and returns it as it is then. A call that has ended comes back with fault.Conflict CALL_ALREADY_HANGUP, an unknown
// one is fault.NotFound CALL_NOT_FOUND. It waits until the end is written; when ctx ends before, the call still ends.
func (x *Exchange) Hangup(ctx context.Context, callID string) (call.Call, error) {
	l := x.roll.Line(call.ID(callID))
	if l == nil {
		return ledger.End(ctx, x.o.Store, call.ID(callID))
	}
	l.press(ctx, nil)
	select {
	case <-l.finished:
		return l.record.Call, nil
	case <-ctx.Done():
		return call.Call{}, fault.New(fault.Unavailable, "REQUEST_TIMEOUT", "the call is ending, but that is not written yet; look at it again later")
	}
}

// Recover ends the calls and groupcalls that a dead process left behind, with reason failed. It is called once, before the first Accept.
func (x *Exchange) Recover(ctx context.Context) error {
	found, err := ledger.Recover(ctx, x.o.Store)
	if err != nil {
		return err
	}
	if err := ledger.RecoverGroups(ctx, x.o.Store); err != nil {
		return fmt.Errorf("recover groupcalls: %w", err)
	}
	if err := x.transfers.Recover(ctx); err != nil {
		return err
	}
	if found > 0 {
		x.o.Log.Info("recovered calls of the process before", "calls", found)
	}
	return nil
}
