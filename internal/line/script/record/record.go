// Package record writes the records of runs of flows, each change with its event. It starts no goroutine that outlives a call.
package record

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"parley/internal/fault"
	"parley/internal/flow/active"
	"parley/internal/store"
)

// Record is an activeflow's record, as its owner writes it. Its methods may be called from any goroutine.
type Record struct {
	store   store.Store
	timeout time.Duration // of one write

	mu      sync.Mutex // guards what follows
	flow    active.Activeflow
	version int64
	moved   bool           // somebody else has written: read again first
	late    active.Command // what could not be written; a newer one says it all
	scribe  active.Scribe
}

func keyOf(id string) string { return "activeflow/" + id }

// New returns one that is not in the store yet; a write waits for the timeout at most.
func New(st store.Store, timeout time.Duration) *Record { return &Record{store: st, timeout: timeout} }

// State returns the record as it was written last.
func (r *Record) State() active.Activeflow {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.flow
}

// Create writes the first state, and keeps the answer with it. An id that is known is a fault.Conflict, ALREADY_EXISTS.
func (r *Record) Create(ctx context.Context, c active.Create, keep func(active.Activeflow) (*store.Answer, error)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	events, err := active.Decide(active.Activeflow{}, c)
	if err != nil {
		return err
	}
	var answer *store.Answer
	if keep != nil {
		if answer, err = keep(events[0].Activeflow); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	err = r.append(ctx, events, answer)
	if errors.Is(err, store.ErrFenced) {
		return fault.New(fault.Conflict, "ALREADY_EXISTS", "activeflow %s exists; choose another id or none", c.ID)
	}
	return err
}

// Write decides and appends the command. When that fails for want of the store, the next write makes up for it. An error with reason
// ACTIVEFLOW_ALREADY_STOPPED says that somebody else has ended the run.
func (r *Record) Write(ctx context.Context, c active.Command) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	if r.moved {
		if err := r.load(ctx, r.flow.ID); err != nil {
			r.late = c
			return err
		}
	}
	events, err := active.Decide(r.flow, c)
	if err != nil {
		return err
	}
	if len(events) > 0 {
		if err := r.append(ctx, events, nil); err != nil {
			r.late = c
			return err
		}
	}
	r.late = nil
	return nil
}

// Again tries what could not be written.
func (r *Record) Again(ctx context.Context) error {
	r.mu.Lock()
	c := r.late
	r.mu.Unlock()
	if c == nil {
		return nil
	}
	return r.Write(ctx, c)
}

// texts are buffers for a document and an event's data. Stores keep copies, so that the buffers can be used again.
type texts struct{ doc, data []byte }

var buffers = sync.Pool{New: func() any { return new(texts) }}

func (r *Record) append(ctx context.Context, events []active.Event, answer *store.Answer) error {
	next := events[len(events)-1].Activeflow
	change := store.Change{Key: keyOf(next.ID), Version: r.version, Answer: answer, Made: true, Records: []store.Record{{
		Kind: store.Activeflow, ID: next.ID, CustomerID: next.CustomerID, Reference: next.ReferenceID, Status: string(next.Status),
		Type: next.ReferenceType, Live: next.Status != active.Ended, Created: next.Created, Deleted: !next.Deleted.IsZero(),
	}}}
	t := buffers.Get().(*texts)
	defer buffers.Put(t)
	t.data = t.data[:0]
	for _, e := range events {
		from := len(t.data)
		var err error
		if t.doc, t.data, err = r.scribe.Append(t.doc[:0], t.data, &e.Activeflow); err != nil {
			return fmt.Errorf("write activeflow %s: %w", next.ID, err)
		}
		change.Events = append(change.Events, store.Event{
			ID: uuid.NewString(), Type: string(e.Type), At: e.At, CustomerID: next.CustomerID, Resource: next.ID, Data: t.data[from:len(t.data):len(t.data)],
		})
	}
	change.Records[0].Doc = t.doc // the last one's
	if err := r.store.Append(ctx, &change); err != nil {
		r.moved = errors.Is(err, store.ErrFenced)
		return fmt.Errorf("write activeflow %s: %w", next.ID, err)
	}
	r.flow, r.version = next, change.Records[0].Version
	return nil
}

// Load reads the record as it stands in the store.
func (r *Record) Load(ctx context.Context, id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.load(ctx, id)
}

// Read takes the record from its row.
func (r *Record) Read(row store.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.read(row)
}

func (r *Record) load(ctx context.Context, id string) error {
	row, err := r.store.Get(ctx, store.Activeflow, id)
	if err != nil {
		return fmt.Errorf("read activeflow: %w", err)
	}
	return r.read(row)
}

func (r *Record) read(row store.Record) error {
	var a active.Activeflow
	if err := json.Unmarshal(row.Doc, &a); err != nil {
		return fmt.Errorf("read activeflow %s: %w", row.ID, err)
	}
	r.flow, r.version, r.moved = a, row.Version, false
	return nil
}
