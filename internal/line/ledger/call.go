package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"parley/internal/call"
	"parley/internal/store"
	"parley/internal/store/cause"
)

// How long whoever writes again waits before the first time, and at most.
const (
	RetryFirst = 100 * time.Millisecond
	RetryMost  = 2 * time.Second
)

// Entry is a call's record, as its owner writes it: one goroutine at a time.
type Entry struct {
	Conference string    // that its events belong to, or ""
	Call       call.Call // as it is written

	store   store.Store
	version int64
	moved   bool   // somebody else has written: read again first
	late    []wish // what could not be written yet, in order
}

// wish is a command with what has brought it about, as the log keeps it.
type wish struct {
	command call.Command
	by      json.RawMessage
}

// New makes the Entry of a call that is not written yet, or is to be loaded.
func New(s store.Store, conferenceID string) *Entry {
	return &Entry{store: s, Conference: conferenceID}
}

// Pending reports whether something has not been written yet.
func (r *Entry) Pending() bool { return len(r.late) > 0 }

func keyOf(id call.ID) string { return "call/" + string(id) }

// Write decides and appends the commands, with those that could not be written before, as one change. When it fails they are kept for
// the next write. Commands that the rules refuse are dropped: the call has moved on.
func (r *Entry) Write(ctx context.Context, commands ...call.Command) error {
	by := cause.In(ctx)
	for _, c := range commands {
		r.late = append(r.late, wish{c, by})
	}
	if r.moved {
		if err := r.Load(ctx, r.Call.ID); err != nil {
			return err
		}
	}
	next := r.Call
	change := store.Change{Made: true}
	for _, w := range r.late {
		events, err := next.Decide(w.command)
		if err != nil && next.ID == "" {
			return err // it is not even made
		}
		for _, e := range events {
			next.Apply(e)
			row, err := r.event(e)
			if err != nil {
				return err
			}
			row.Cause = w.by
			change.Events = append(change.Events, row)
		}
	}
	if len(change.Events) > 0 {
		if err := r.append(ctx, &change, next); err != nil {
			return err
		}
	}
	r.late = nil
	return nil
}

func (r *Entry) event(e call.Event) (store.Event, error) {
	data, err := e.Data()
	if err != nil {
		return store.Event{}, fmt.Errorf("write call: %w", err)
	}
	return store.Event{
		ID: uuid.NewString(), Type: e.Type, At: e.At, CustomerID: e.Call.CustomerID, Conference: r.Conference,
		Resource: string(e.Call.ID), Data: data,
	}, nil
}

func (r *Entry) append(ctx context.Context, change *store.Change, next call.Call) error {
	doc, err := json.Marshal(next)
	if err != nil {
		return fmt.Errorf("write call %s: %w", next.ID, err)
	}
	change.Key, change.Version = keyOf(next.ID), r.version
	change.Records = []store.Record{{
		Kind: store.Call, ID: string(next.ID), CustomerID: next.CustomerID, Conference: r.Conference, Reference: next.OwnerID, Status: string(next.Status),
		Type: string(next.Type), Live: next.Status != call.Ended, Created: next.Created, Deleted: !next.Deleted.IsZero(), Doc: doc,
	}}
	if err := r.store.Append(ctx, change); err != nil {
		r.moved = errors.Is(err, store.ErrFenced)
		return fmt.Errorf("write call %s: %w", next.ID, err)
	}
	r.Call, r.version = next, change.Records[0].Version
	return nil
}

// Must writes again and again until it is written or ctx ends.
func (r *Entry) Must(ctx context.Context, timeout time.Duration, commands ...call.Command) error {
	for wait := RetryFirst; ; wait = min(2*wait, RetryMost) {
		err := r.Try(ctx, timeout, commands...)
		if err == nil {
			return nil
		}
		commands = nil // they are among the late ones now
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return err
		}
	}
}

// Try is a write that does not wait for ever.
func (r *Entry) Try(ctx context.Context, timeout time.Duration, commands ...call.Command) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return r.Write(ctx, commands...)
}

// Load reads the call as it stands in the store, whose conference stays what it was.
func (r *Entry) Load(ctx context.Context, id call.ID) error {
	row, err := r.store.Get(ctx, store.Call, string(id))
	if err != nil {
		return fmt.Errorf("read call: %w", err)
	}
	return r.Read(row)
}

func (r *Entry) Read(row store.Record) error {
	var c call.Call
	if err := json.Unmarshal(row.Doc, &c); err != nil {
		return fmt.Errorf("read call %s: %w", row.ID, err)
	}
	r.Call, r.version, r.Conference, r.moved = c, row.Version, row.Conference, false
	return nil
}
