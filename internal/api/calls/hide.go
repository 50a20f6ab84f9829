package calls

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"parley/internal/api/rest"
	"parley/internal/call"
	"parley/internal/call/group"
	"parley/internal/fault"
	"parley/internal/store"
	"parley/internal/wall"
)

const (
	hangupPatience = 5 * time.Second // how long DELETE waits for what lives to be over
	triesMax       = 16              // how often a deletion is decided anew because somebody else was faster
)

// told is an event of a deletion.
type told struct {
	kind string
	at   time.Time
	data []byte
}

// hiding decides the deletion of a record: its events, none when it is deleted, and its document after them.
type hiding func(rec store.Record, at time.Time) (events []told, doc any, err error)

func hideCall(rec store.Record, at time.Time) (list []told, doc any, err error) {
	v, err := rest.Read[call.Call](rec)
	if err != nil {
		return nil, nil, err
	}
	events, err := v.Decide(call.Delete{At: at})
	if err != nil {
		return nil, nil, err
	}
	for _, e := range events {
		data, err := e.Data()
		if err != nil {
			return nil, nil, err
		}
		list = append(list, told{e.Type, e.At, data})
		v.Apply(e)
	}
	return list, v, nil
}

func hideGroup(rec store.Record, at time.Time) (list []told, doc any, err error) {
	v, err := rest.Read[group.Groupcall](rec)
	if err != nil {
		return nil, nil, err
	}
	events, err := v.Decide(group.Delete{At: at})
	if err != nil {
		return nil, nil, err
	}
	for _, e := range events {
		data, err := e.Data()
		if err != nil {
			return nil, nil, err
		}
		list = append(list, told{e.Type, e.At, data})
		v.Apply(e)
	}
	return list, v, nil
}

// hide waits until the record is over, then deletes it: who holds a live one is its only writer. It returns the record as it is then; repeated, it
// changes nothing.
func (c *calls) hide(ctx context.Context, rec store.Record, decide hiding) (store.Record, error) {
	if err := c.awaitEnd(ctx, rec); err != nil {
		return rec, err
	}
	for range triesMax {
		done, err := c.tryHide(ctx, rec.Kind, rec.ID, decide)
		if !errors.Is(err, store.ErrFenced) {
			return done, err
		}
	}
	return rec, fault.New(fault.Unavailable, "STORE_BUSY", "this %s is being changed by many at once; try again", rec.Kind)
}

func (c *calls) awaitEnd(ctx context.Context, rec store.Record) error {
	ctx, cancel := context.WithTimeout(ctx, hangupPatience)
	defer cancel()
	hints, end := c.o.Store.Hints()
	defer end()
	for {
		now, err := c.o.Store.Get(ctx, rec.Kind, rec.ID)
		if err != nil {
			return fmt.Errorf("wait for the end of %s %s: %w", rec.Kind, rec.ID, err)
		}
		if !now.Live {
			return nil
		}
		select {
		case <-hints:
		case <-ctx.Done():
			return fault.New(fault.Conflict, "STATE_INVALID", "the %s is still being hung up; delete it again in a moment", rec.Kind)
		}
	}
}

func (c *calls) tryHide(ctx context.Context, kind store.Kind, id string, decide hiding) (rec store.Record, err error) {
	key := string(kind) + "/" + id
	_, version, err := c.o.Store.Last(ctx, key)
	if err != nil {
		return rec, fmt.Errorf("delete %s: %w", kind, err)
	}
	if rec, err = c.o.Store.Get(ctx, kind, id); err != nil {
		return rec, fmt.Errorf("delete %s: %w", kind, err)
	}
	events, doc, err := decide(rec, wall.Now().UTC())
	if err != nil || len(events) == 0 {
		return rec, err
	}
	change := &store.Change{Key: key, Version: version}
	for _, e := range events {
		change.Events = append(change.Events, store.Event{
			ID: uuid.NewString(), Type: e.kind, At: e.at, CustomerID: rec.CustomerID, Conference: rec.Conference, Resource: id, Data: e.data,
		})
	}
	if rec.Doc, err = json.Marshal(doc); err != nil {
		return rec, fmt.Errorf("delete %s: %w", kind, err)
	}
	rec.Deleted = true
	change.Records = []store.Record{rec}
	return rec, c.o.Store.Append(ctx, change)
}
