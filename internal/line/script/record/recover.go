package record

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"parley/internal/fault"
	"parley/internal/flow/active"
	"parley/internal/store"
	"parley/internal/wall"
)

// atOnce is how many records are recovered at the same time, so that their appends share a sync.
const atOnce = 32

// Settle carries the command out on the record of a run that has no owner, and returns it. One of another customer's, and a deleted one that is to be
// ended, are as unknown as one that does not exist (ACTIVEFLOW_NOT_FOUND). store.ErrFenced is in the error when somebody else was faster.
func (r *Record) Settle(ctx context.Context, customerID, id string, c active.Command) (active.Activeflow, error) {
	if err := r.Load(ctx, id); err != nil && fault.KindOf(err) != fault.NotFound {
		return active.Activeflow{}, err
	}
	_, ends := c.(active.End)
	if a := r.State(); a.CustomerID != customerID || ends && !a.Deleted.IsZero() {
		r = New(r.store, r.timeout)
	}
	err := r.Write(ctx, c)
	return r.State(), err
}

// Recover ends all runs in the store as lost but those that live says are run, and returns how many.
func Recover(ctx context.Context, st store.Store, timeout time.Duration, live func(id string) bool) (found int, err error) {
	var group errgroup.Group
	group.SetLimit(atOnce)
	q := store.Query{Kind: store.Activeflow, Live: true, Deleted: true, Limit: 1000}
	for more := true; more; {
		page, err := st.List(ctx, q)
		if err != nil {
			_ = group.Wait()
			return found, fmt.Errorf("recover flows: %w", err)
		}
		for _, row := range page {
			q.Before = store.Cursor{Created: row.Created, ID: row.ID}
			if live(row.ID) {
				continue
			}
			found++
			group.Go(func() error { return lose(ctx, New(st, timeout), row) })
		}
		more = len(page) == q.Limit
	}
	if err := group.Wait(); err != nil {
		return found, fmt.Errorf("recover flows: %w", err)
	}
	return found, nil
}

func lose(ctx context.Context, r *Record, row store.Record) error {
	if err := r.Read(row); err != nil {
		return err
	}
	if err := r.Write(ctx, active.Recover{At: wall.Now()}); !errors.Is(err, store.ErrFenced) {
		return err
	}
	return nil // it belongs to this process, and has ended since
}

// CallsBefore is the CallCount of a run that has been; 0 without one.
func CallsBefore(ctx context.Context, st store.Store, activeflowID string) (int, error) {
	if activeflowID == "" {
		return 0, nil
	}
	r := New(st, 0)
	if err := r.Load(ctx, activeflowID); err != nil && fault.KindOf(err) != fault.NotFound {
		return 0, err
	}
	return r.State().CallCount, nil
}
