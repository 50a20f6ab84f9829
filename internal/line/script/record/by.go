package record

import (
	"context"

	"parley/internal/store/cause"
)

// By returns a context whose changes are what an action of a run has brought about, or with "" the run's end.
func By(ctx context.Context, activeflowID, actionID string) context.Context {
	return cause.With(ctx, cause.Cause{Kind: cause.Flow, ActiveflowID: activeflowID, ActionID: actionID})
}
