package flows

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"parley/internal/api/rest"
	"parley/internal/api/web"
	"parley/internal/fault"
	"parley/internal/flow"
	"parley/internal/store"
	"parley/internal/wall"
)

// directSpace is the store's name space of direct hashes, which all kinds of records share.
const directSpace = "direct"

// triesMax bounds how often a change is decided anew because somebody else was faster.
const triesMax = 16

// Flows works on the records of a store. Its methods may be called from any goroutine.
type Flows struct {
	store store.Store
	runs  Runs
}

// New returns the flows in st; without runs none can be started or stopped (FLOWS_UNAVAILABLE).
func New(st store.Store, runs Runs) *Flows { return &Flows{st, runs} }

// Routes returns the routes of flows and activeflows.
func (f *Flows) Routes() []rest.Route {
	return []rest.Route{
		{Method: "GET", Path: "/flows", Do: f.list},
		{Method: "POST", Path: "/flows", Do: f.create},
		{Method: "GET", Path: "/flows/{id}", Do: f.get},
		{Method: "PUT", Path: "/flows/{id}", Do: f.update},
		{Method: "DELETE", Path: "/flows/{id}", Do: f.delete},
		{Method: "POST", Path: "/flows/{id}/direct-hash-regenerate", Do: f.regenerate},
		{Method: "POST", Path: "/flows/{id}/dry_run", Do: f.dryRun},
		{Method: "GET", Path: "/activeflows", Do: f.listRuns},
		{Method: "POST", Path: "/activeflows", Do: f.start},
		{Method: "GET", Path: "/activeflows/{id}", Do: f.getRun},
		{Method: "DELETE", Path: "/activeflows/{id}", Do: f.deleteRun},
		{Method: "POST", Path: "/activeflows/{id}/stop", Do: f.stop},
	}
}

// body is what POST and PUT take; absent or null keeps its value.
type body struct {
	Name             *string         `json:"name"`
	Detail           *string         `json:"detail"`
	Actions          json.RawMessage `json:"actions"`
	OnCompleteFlowID *string         `json:"on_complete_flow_id"`
}

func (b *body) patch() (flow.Patch, error) {
	p := flow.Patch{Name: b.Name, Detail: b.Detail, OnCompleteFlowID: b.OnCompleteFlowID}
	if len(b.Actions) == 0 || string(b.Actions) == "null" {
		return p, nil
	}
	actions, err := flow.ReadActions(b.Actions, flow.Reading{NewID: uuid.NewString})
	p.Actions = &actions
	return p, placed(err)
}

// placed adds the place of a refusal to its body.
func placed(err error) error {
	var r *flow.Refusal
	if errors.As(err, &r) {
		return web.Detail(err, map[string]any{"field": r.Place})
	}
	return err
}

func (f *Flows) list(r *rest.Request) (rest.Reply, error) {
	return r.List(store.Query{Kind: store.Flow, Type: []string{string(flow.Script)}}, func(rec store.Record) (any, error) {
		v, err := rest.Read[flow.Flow](rec)
		return v.Resource(), err
	})
}

func (f *Flows) create(r *rest.Request) (rest.Reply, error) {
	var in body
	if err := r.Parse(&in); err != nil {
		return rest.Reply{}, err
	}
	p, err := in.patch()
	if err != nil {
		return rest.Reply{}, err
	}
	at := wall.Now()
	v, err := flow.New(at, r.NewID(), r.CustomerID, newHash(), p)
	if err != nil {
		return rest.Reply{}, err
	}
	c, err := change(v, "flow_created", at, store.Name{Space: directSpace, Value: v.DirectHash, Kind: store.Flow, ID: v.ID})
	if err != nil {
		return rest.Reply{}, err
	}
	if c.Answer, err = r.KeepWith(v.Resource()); err != nil {
		return rest.Reply{}, err
	}
	if err := f.store.Append(r.Context(), c); err != nil {
		return rest.Reply{}, fmt.Errorf("write flow: %w", err)
	}
	return rest.Tagged(v.Resource())
}

// known returns a flow of the caller's that is not deleted.
func known(r *rest.Request, id string) (flow.Flow, error) {
	rec, err := r.OwnedByID(store.Flow, id)
	if err != nil {
		return flow.Flow{}, err
	}
	if rec.Deleted {
		return flow.Flow{}, rest.Unknown(store.Flow)
	}
	return rest.Read[flow.Flow](rec)
}

func (f *Flows) get(r *rest.Request) (rest.Reply, error) {
	id, err := r.ID()
	if err != nil {
		return rest.Reply{}, err
	}
	v, err := known(r, id)
	if err != nil {
		return rest.Reply{}, err
	}
	return rest.Tagged(v.Resource())
}

func (f *Flows) update(r *rest.Request) (rest.Reply, error) {
	var in body
	if err := r.Parse(&in); err != nil {
		return rest.Reply{}, err
	}
	p, err := in.patch()
	if err != nil {
		return rest.Reply{}, err
	}
	return f.edit(r, func(old flow.Flow, at time.Time) (flow.Flow, string, error) {
		if err := r.Match(old.Resource()); err != nil {
			return old, "", err
		}
		v, err := old.Update(at, p)
		return v, "flow_updated", err
	})
}

func (f *Flows) regenerate(r *rest.Request) (rest.Reply, error) {
	return f.edit(r, func(old flow.Flow, at time.Time) (flow.Flow, string, error) {
		v, err := old.SetDirectHash(at, newHash())
		return v, "flow_updated", err
	})
}

// delete is harmless to runs: each has its own copy.
func (f *Flows) delete(r *rest.Request) (rest.Reply, error) {
	return f.edit(r, func(old flow.Flow, at time.Time) (flow.Flow, string, error) {
		if !old.Deleted.IsZero() {
			return old, "", nil
		}
		return old.Delete(at), "flow_deleted", nil
	})
}

// edit reads the flow that the path names, lets decide make the change, and writes it; all again when the flow has changed meanwhile. No event, no
// write.
func (f *Flows) edit(r *rest.Request, decide func(flow.Flow, time.Time) (flow.Flow, string, error)) (rest.Reply, error) {
	id, err := r.ID()
	if err != nil {
		return rest.Reply{}, err
	}
	for range triesMax {
		v, err := f.try(r.Context(), r, id, decide)
		if !errors.Is(err, store.ErrFenced) {
			if err != nil {
				return rest.Reply{}, err
			}
			return rest.Tagged(v.Resource())
		}
	}
	return rest.Reply{}, fault.New(fault.Unavailable, "STORE_BUSY", "this flow is being changed by many at once; try again")
}

func (f *Flows) try(ctx context.Context, r *rest.Request, id string, decide func(flow.Flow, time.Time) (flow.Flow, string, error)) (v flow.Flow, err error) {
	_, version, err := f.store.Last(ctx, keyOf(id))
	if err != nil {
		return v, fmt.Errorf("read version of flow: %w", err)
	}
	rec, err := r.OwnedByID(store.Flow, id)
	if err != nil {
		return v, err
	}
	old, err := rest.Read[flow.Flow](rec)
	if err != nil {
		return v, err
	}
	at := wall.Now()
	v, event, err := decide(old, at)
	if err != nil || event == "" {
		return v, err
	}
	c, err := change(v, event, at, moved(old, v)...)
	if err != nil {
		return v, err
	}
	c.Version = version
	return v, f.store.Append(ctx, c)
}

// moved frees an old direct hash and takes the new one.
func moved(old, v flow.Flow) (names []store.Name) {
	if old.DirectHash == v.DirectHash {
		return nil
	}
	names = append(names, store.Name{Space: directSpace, Value: old.DirectHash})
	if v.DirectHash != "" {
		names = append(names, store.Name{Space: directSpace, Value: v.DirectHash, Kind: store.Flow, ID: v.ID})
	}
	return names
}

func keyOf(id string) string { return "flow/" + id }

// change returns the change that writes the flow with one event.
func change(v flow.Flow, event string, at time.Time, names ...store.Name) (*store.Change, error) {
	doc, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("write flow: %w", err)
	}
	data, err := v.Data()
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", event, err)
	}
	return &store.Change{
		Key: keyOf(v.ID),
		Records: []store.Record{{
			Kind: store.Flow, ID: v.ID, CustomerID: v.CustomerID, Status: "active", Type: string(v.Type), Created: v.Created,
			Deleted: !v.Deleted.IsZero(), Doc: doc,
		}},
		Names: names,
		Events: []store.Event{{
			ID: uuid.NewString(), Type: event, Key: keyOf(v.ID), At: flow.Time(at), CustomerID: v.CustomerID, Resource: v.ID, Data: data,
		}},
	}, nil
}

// newHash returns 12 random hex digits.
func newHash() string {
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
