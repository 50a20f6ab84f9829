package transfer

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"parley/internal/call/transfer"
	"parley/internal/fault"
	"parley/internal/line/ledger"
	"parley/internal/store"
	"parley/internal/wall"
)

// record is a transfer's record, as its owner writes it: one goroutine at a time.
type record struct {
	transfer.Transfer
	store   store.Store
	timeout time.Duration
	version int64
}

// write appends the next value with its event.
func (r *record) write(ctx context.Context, next transfer.Transfer, kind string) error {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	data, err := json.Marshal(next.Resource())
	if err != nil {
		return fmt.Errorf("write transfer %s: %w", next.ID, err)
	}
	doc, err := json.Marshal(next)
	if err != nil {
		return fmt.Errorf("write transfer %s: %w", next.ID, err)
	}
	at := next.Updated
	if at.IsZero() {
		at = next.Created
	}
	change := &store.Change{
		Key: "transfer/" + next.ID, Version: r.version,
		Events: []store.Event{{
			ID: uuid.NewString(), Type: kind, At: at, CustomerID: next.CustomerID, Conference: next.Conference, Resource: next.ID, Data: data,
		}},
		Records: []store.Record{{
			Kind: store.Transfer, ID: next.ID, CustomerID: next.CustomerID, Conference: next.Conference, Reference: next.Transferer,
			Status: string(next.Status), Type: string(next.Type), Live: !next.Over(), Created: next.Created, Doc: doc,
		}},
	}
	if err := r.store.Append(ctx, change); err != nil {
		return fmt.Errorf("write transfer %s: %w", next.ID, err)
	}
	r.Transfer, r.version = next, change.Records[0].Version
	return nil
}

// step makes a step and writes it, with patience. A step that changes nothing is no event.
func (r *record) step(ctx context.Context, step func(*transfer.Transfer) string) error {
	next := r.Transfer
	kind := step(&next)
	if kind == "" {
		return nil
	}
	var err error
	for pause, tries := ledger.RetryFirst, 0; tries < 10; pause, tries = min(2*pause, ledger.RetryMost), tries+1 {
		if err = r.write(ctx, next, kind); err == nil || fault.KindOf(err) != fault.Unavailable {
			return err
		}
		time.Sleep(pause)
	}
	return err
}

// Recover ends the transfers that a dead process left behind. It is called once, before the first Start.
func (h *Host) Recover(ctx context.Context) error {
	q := store.Query{Kind: store.Transfer, Live: true, Deleted: true, Limit: 1000}
	for more := true; more; {
		page, err := h.o.Store.List(ctx, q)
		if err != nil {
			return fmt.Errorf("recover transfers: %w", err)
		}
		for _, row := range page {
			q.Before = store.Cursor{Created: row.Created, ID: row.ID}
			r := &record{store: h.o.Store, timeout: h.o.WriteTimeout, version: row.Version}
			if err := json.Unmarshal(row.Doc, &r.Transfer); err != nil {
				return fmt.Errorf("read transfer %s: %w", row.ID, err)
			}
			err := r.step(ctx, func(t *transfer.Transfer) string { return t.Fail(wall.Now(), transfer.Lost) })
			if err != nil {
				return fmt.Errorf("recover transfers: %w", err)
			}
		}
		more = len(page) == q.Limit
	}
	return nil
}
