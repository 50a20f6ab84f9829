package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"parley/internal/fault"
	"parley/internal/flow/active"
	"parley/internal/store"
	"parley/internal/webhook/endpoint"
	"parley/internal/wire"
)

// flowTargets finds where the events of activeflows go. Its methods may be called from any goroutine.
type flowTargets struct {
	store store.Store
	mu    sync.Mutex
	known map[string]flowTarget // by the activeflow's id; guarded by mu
}

// flowTarget is the webhook of an activeflow; the URI is "" when it has none.
type flowTarget struct{ uri, method string }

// targetsKept bounds how many are remembered; what is forgotten is read again.
const targetsKept = 4096

// of returns the webhook of an activeflow.
func (f *flowTargets) of(ctx context.Context, id string) (flowTarget, error) {
	f.mu.Lock()
	t, ok := f.known[id]
	f.mu.Unlock()
	if ok {
		return t, nil
	}
	rec, err := f.store.Get(ctx, store.Activeflow, id)
	if fault.KindOf(err) == fault.NotFound {
		return t, nil // perhaps it comes yet
	}
	if err != nil {
		return t, fmt.Errorf("read activeflow: %w", err)
	}
	var origin active.Origin
	if err := json.Unmarshal(rec.Doc, &origin); err != nil {
		return t, fmt.Errorf("read activeflow %s: %w", id, err)
	}
	if t = (flowTarget{origin.WebhookURI, origin.WebhookMethod}); t.method == "" {
		t.method = "POST"
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.known == nil || len(f.known) >= targetsKept {
		f.known = map[string]flowTarget{}
	}
	f.known[id] = t
	return t, nil
}

// activeflowOf returns the id of the activeflow that an event belongs to, "" for none.
func activeflowOf(e *store.Event) string {
	if strings.HasPrefix(e.Type, "activeflow_") {
		return e.Resource
	}
	if !bytes.Contains(e.Data, []byte(`"activeflow_id"`)) {
		return ""
	}
	var data struct {
		ID string `json:"activeflow_id"`
	}
	if json.Unmarshal(e.Data, &data) != nil || data.ID == wire.NilUUID {
		return ""
	}
	return data.ID
}

// wanted leaves of the rows those that the endpoint gets: of the one for activeflows those whose activeflow has a webhook.
func (c *courier) wanted(ctx context.Context, rows []store.Event) ([]store.Event, error) {
	if c.to.Type != endpoint.OfActiveflows {
		return rows, nil
	}
	list := rows[:0]
	for _, e := range rows {
		id := activeflowOf(&e)
		if id == "" {
			continue
		}
		t, err := c.flows.of(ctx, id)
		if err != nil {
			return nil, err
		}
		if t.uri != "" {
			list = append(list, e)
		}
	}
	return list, nil
}

// keyOf names what an event is about, as its delivery does: its own key, for activeflows that of the activeflow.
func (c *courier) keyOf(e *store.Event) string {
	if c.to.Type == endpoint.OfActiveflows {
		return "activeflow/" + activeflowOf(e)
	}
	return e.Key
}

// target returns the endpoint as it is for one event.
func (c *courier) target(ctx context.Context, e *store.Event) (*endpoint.Kept, error) {
	if c.to.Type != endpoint.OfActiveflows {
		return &c.to, nil
	}
	t, err := c.flows.of(ctx, activeflowOf(e))
	if err != nil {
		return nil, err
	}
	to := c.to
	to.URI, to.Method = t.uri, t.method
	return &to, nil
}

// seeActiveflow makes sure that activeflows with a webhook have an endpoint that serves them.
func (d *Dispatcher) seeActiveflow(ctx context.Context, e *store.Event) error {
	var data struct {
		URI string `json:"webhook_uri"`
	}
	if err := json.Unmarshal(e.Data, &data); err != nil || data.URI == "" {
		return err
	}
	return d.book.FollowActiveflow(ctx, e.CustomerID, e.Seq)
}
