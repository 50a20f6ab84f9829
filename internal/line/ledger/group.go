package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"parley/internal/call/group"
	"parley/internal/fault"
	"parley/internal/store"
	"parley/internal/wall"
)

// writeTimeout is how long one write of the recovery may take.
const writeTimeout = 5 * time.Second

// Group is a groupcall's record, as its owner writes it: one goroutine at a time.
type Group struct {
	Group group.Groupcall // as it is written

	store   store.Store
	timeout time.Duration
	version int64
}

// NewGroup makes the Group of a groupcall that is not written yet.
func NewGroup(s store.Store, timeout time.Duration) *Group { return &Group{store: s, timeout: timeout} }

// Write decides and appends one command, and waits no longer than the timeout. A refusal of the rules is returned as it is.
func (g *Group) Write(ctx context.Context, c group.Command) error {
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	next := g.Group
	events, err := next.Decide(c)
	if err != nil || len(events) == 0 {
		return err
	}
	var change store.Change
	for _, e := range events {
		next.Apply(e)
		data, err := e.Data()
		if err != nil {
			return fmt.Errorf("write groupcall: %w", err)
		}
		change.Events = append(change.Events, store.Event{
			ID: uuid.NewString(), Type: e.Type, At: e.At, CustomerID: next.CustomerID, Resource: string(next.ID), Data: data,
		})
	}
	doc, err := json.Marshal(next)
	if err != nil {
		return fmt.Errorf("write groupcall %s: %w", next.ID, err)
	}
	change.Key, change.Version = "groupcall/"+string(next.ID), g.version
	change.Records = []store.Record{{
		Kind: store.Groupcall, ID: string(next.ID), CustomerID: next.CustomerID, Status: string(next.Status), Live: next.Status != group.Ended,
		Created: next.Created, Deleted: !next.Deleted.IsZero(), Doc: doc,
	}}
	if err := g.store.Append(ctx, &change); err != nil {
		return fmt.Errorf("write groupcall %s: %w", next.ID, err)
	}
	g.Group, g.version = next, change.Records[0].Version
	return nil
}

// ReadGroup reads a groupcall of the customer's.
func ReadGroup(ctx context.Context, s store.Store, customerID, id string) (g group.Groupcall, err error) {
	row, err := s.Get(ctx, store.Groupcall, id)
	if err != nil || row.CustomerID != customerID {
		if err == nil || fault.KindOf(err) == fault.NotFound {
			return g, fault.New(fault.NotFound, "GROUPCALL_NOT_FOUND", "there is no such groupcall; check the id")
		}
		return g, fmt.Errorf("read groupcall: %w", err)
	}
	if err := json.Unmarshal(row.Doc, &g); err != nil {
		return g, fmt.Errorf("read groupcall %s: %w", id, err)
	}
	return g, nil
}

// RecoverGroups ends the groupcalls that a dead process left behind. Their calls are recovered by themselves.
func RecoverGroups(ctx context.Context, s store.Store) error {
	q := store.Query{Kind: store.Groupcall, Live: true, Deleted: true, Limit: 1000}
	for more := true; more; {
		page, err := s.List(ctx, q)
		if err != nil {
			return fmt.Errorf("recover groupcalls: %w", err)
		}
		for _, row := range page {
			q.Before = store.Cursor{Created: row.Created, ID: row.ID}
			g := NewGroup(s, writeTimeout)
			g.version = row.Version
			if err := json.Unmarshal(row.Doc, &g.Group); err != nil {
				return fmt.Errorf("read groupcall %s: %w", row.ID, err)
			}
			if err := g.Write(ctx, group.Recover{At: wall.Now()}); err != nil {
				return err
			}
		}
		more = len(page) == q.Limit
	}
	return nil
}
