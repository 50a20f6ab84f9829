package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"parley/internal/api/rest"
	"parley/internal/api/web"
	"parley/internal/call"
	"parley/internal/fault"
	"parley/internal/store"
)

// hangupPatience is how long DELETE waits for a live call to be over.
const hangupPatience = 5 * time.Second

func (d *Door) callRoutes() []rest.Route {
	return []rest.Route{
		{Method: "GET", Path: "/calls", Do: d.listCalls},
		{Method: "GET", Path: "/calls/{id}", Do: d.getCall},
		{Method: "DELETE", Path: "/calls/{id}", Do: d.deleteCall},
		{Method: "POST", Path: "/calls/{id}/hangup", Do: d.hangup},
	}
}

func (d *Door) listCalls(r *rest.Request) (rest.Reply, error) {
	conferenceID, err := web.UUID(r.URL.Query(), "conference_id")
	if err != nil {
		return rest.Reply{}, err
	}
	status, err := web.Choices(r.URL.Query(), "status", "dialing", "ringing", "progressing", "terminating", "canceling", "hangup")
	if err != nil {
		return rest.Reply{}, err
	}
	return r.List(store.Query{Kind: store.Call, Conference: conferenceID, Status: status}, func(rec store.Record) (any, error) {
		c, err := rest.Read[call.Call](rec)
		return c.Resource(), err
	})
}

func (d *Door) getCall(r *rest.Request) (rest.Reply, error) {
	rec, err := r.Owned(store.Call)
	if err != nil {
		return rest.Reply{}, err
	}
	return callReply(rec)
}

func callReply(rec store.Record) (rest.Reply, error) {
	c, err := rest.Read[call.Call](rec)
	if err != nil {
		return rest.Reply{}, err
	}
	return rest.Tagged(c.Resource())
}

func (d *Door) hangup(r *rest.Request) (rest.Reply, error) {
	rec, err := r.Owned(store.Call)
	if err != nil {
		return rest.Reply{}, err
	}
	c, err := d.o.Lines.Hangup(r.Context(), rec.ID)
	if err != nil {
		return rest.Reply{}, err
	}
	return rest.Tagged(c.Resource())
}

// deleteCall hangs up first if needed. The call's line is its only writer while it lives, so that the deletion waits for its end.
func (d *Door) deleteCall(r *rest.Request) (rest.Reply, error) {
	rec, err := r.Owned(store.Call)
	if err != nil {
		return rest.Reply{}, err
	}
	if rec.Live {
		if _, err := d.o.Lines.Hangup(r.Context(), rec.ID); err != nil && fault.ReasonOf(err) != "CALL_ALREADY_HANGUP" {
			return rest.Reply{}, err
		}
		if err := d.awaitEnd(r.Context(), rec.ID); err != nil {
			return rest.Reply{}, err
		}
	}
	for range raceMax {
		done, err := d.markDeleted(r.Context(), rec.ID)
		if err == nil {
			return callReply(done)
		}
		if !errors.Is(err, store.ErrFenced) {
			return rest.Reply{}, err
		}
	}
	return rest.Reply{}, fault.New(fault.Unavailable, "STORE_BUSY", "this call is being changed by many at once; try again")
}

// awaitEnd waits until the record says that the call is over.
func (d *Door) awaitEnd(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, hangupPatience)
	defer cancel()
	hints, end := d.o.Store.Hints()
	defer end()
	for {
		rec, err := d.o.Store.Get(ctx, store.Call, id)
		if err != nil {
			return fmt.Errorf("wait for the end of call %s: %w", id, err)
		}
		if !rec.Live {
			return nil
		}
		select {
		case <-hints:
		case <-ctx.Done():
			return fault.New(fault.Conflict, "STATE_INVALID", "the call is still being hung up; delete it again in a moment")
		}
	}
}

// markDeleted hides an ended call from lists and returns its record; repeated, it changes nothing.
func (d *Door) markDeleted(ctx context.Context, id string) (store.Record, error) {
	key := "call/" + id
	_, version, err := d.o.Store.Last(ctx, key)
	if err != nil {
		return store.Record{}, fmt.Errorf("delete call: %w", err)
	}
	rec, err := d.o.Store.Get(ctx, store.Call, id)
	if err != nil {
		return rec, fmt.Errorf("delete call: %w", err)
	}
	c, err := rest.Read[call.Call](rec)
	if err != nil {
		return rec, err
	}
	events, err := c.Decide(call.Delete{At: time.Now().UTC()})
	if err != nil || len(events) == 0 {
		return rec, err
	}
	change := &store.Change{Key: key, Version: version}
	for _, e := range events {
		data, err := e.Data()
		if err != nil {
			return rec, fmt.Errorf("delete call: %w", err)
		}
		change.Events = append(change.Events, store.Event{
			ID: uuid.NewString(), Type: e.Type, At: e.At, CustomerID: rec.CustomerID, Conference: rec.Conference, Resource: id, Data: data,
		})
		c.Apply(e)
	}
	if rec.Doc, err = json.Marshal(c); err != nil {
		return rec, fmt.Errorf("delete call: %w", err)
	}
	rec.Deleted = true
	change.Records = []store.Record{rec}
	return rec, d.o.Store.Append(ctx, change)
}
