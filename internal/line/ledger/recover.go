package ledger

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"parley/internal/call"
	"parley/internal/store"
	"parley/internal/wall"
)

// recoverAtOnce is how many calls are recovered at the same time, so that their appends share a sync.
const recoverAtOnce = 32

// Recover ends the calls that a dead process left behind, with reason failed. It returns how many there were. It is called once, before the first call.
func Recover(ctx context.Context, s store.Store) (found int, err error) {
	var group errgroup.Group
	group.SetLimit(recoverAtOnce)
	q := store.Query{Kind: store.Call, Live: true, Deleted: true, Limit: 1000}
	for more := true; more; {
		page, err := s.List(ctx, q)
		if err != nil {
			_ = group.Wait()
			return found, fmt.Errorf("recover calls: %w", err)
		}
		for _, row := range page {
			found++
			q.Before = store.Cursor{Created: row.Created, ID: row.ID}
			group.Go(func() error {
				r := New(s, row.Conference)
				if err := r.Read(row); err != nil {
					return err
				}
				return r.Write(ctx, call.Recover{At: wall.Now()})
			})
		}
		more = len(page) == q.Limit
	}
	if err := group.Wait(); err != nil {
		return found, fmt.Errorf("recover calls: %w", err)
	}
	return found, nil
}
