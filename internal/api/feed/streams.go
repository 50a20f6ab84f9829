package feed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"parley/internal/agent"
	"parley/internal/api/rest"
	"parley/internal/fault"
	"parley/internal/store"
	"parley/internal/wall"
	"parley/internal/wire"
)

// Why streams end, in words for their clients.
var (
	errStopping   = errors.New("the server is stopping: connect again, and resume with after")
	errKeyDeleted = errors.New("the access key was deleted")
	errKeyExpired = errors.New("the access key has expired")
	errAgentOut   = errors.New("the agent was deleted, or has another password or permission: log in again")
)

// words says why a stream ends.
func words(ctx context.Context, err error) string {
	switch cause := context.Cause(ctx); {
	case errors.Is(err, errSlow), errors.Is(err, errSilent):
		return err.Error()
	case errors.Is(cause, errStopping), errors.Is(cause, errKeyDeleted), errors.Is(cause, errKeyExpired), errors.Is(cause, errAgentOut):
		return cause.Error()
	}
	return "the log cannot be read: connect again, and resume with after"
}

// ticket is the right of a stream to be.
type ticket struct {
	cancel context.CancelCauseFunc
	expire *time.Timer // nil: its key never expires
	who    rest.Caller
	still  func(context.Context) error
}

// enter counts a stream of the key; leave ends it. The context ends with the feed or the key, not with the request's limit of time.
func (f *Feed) enter(r *rest.Request) (ctx context.Context, leave func(), err error) {
	select {
	case <-f.ready:
	default:
		return nil, nil, fault.New(fault.Unavailable, "STREAMS_NOT_READY", "the server is starting; try again")
	}
	ctx, t, err := f.admit(r)
	if err != nil {
		return nil, nil, err
	}
	leave = func() { f.release(r.Credential(), t) }
	if err := f.watch(r, t); err != nil { // after it was let in: a deletion that comes now is seen
		leave()
		return nil, nil, err
	}
	return ctx, leave, nil
}

func (f *Feed) admit(r *rest.Request) (context.Context, *ticket, error) {
	key := r.Credential()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.open[key]) >= f.o.PerKey {
		return nil, nil, fault.New(fault.Exhausted, "STREAM_LIMIT_EXCEEDED", "this access key or agent has %d streams open; close one first", f.o.PerKey)
	}
	ctx, cancel := context.WithCancelCause(f.done)
	t := &ticket{cancel: cancel, who: r.Caller, still: r.Still}
	if f.open[key] == nil {
		f.open[key] = map[*ticket]bool{}
	}
	f.open[key][t] = true
	f.total.Add(1)
	return ctx, t, nil
}

func (f *Feed) release(key string, t *ticket) {
	t.cancel(nil)
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.open[key][t] {
		return
	}
	if t.expire != nil {
		t.expire.Stop()
	}
	if delete(f.open[key], t); len(f.open[key]) == 0 {
		delete(f.open, key)
	}
	f.total.Add(-1)
}

// watch lets the stream end with the access key, or with the agent's token.
func (f *Feed) watch(r *rest.Request, t *ticket) error {
	if r.AgentID == "" {
		return f.watchKey(r.Context(), r.KeyID, t)
	}
	f.endAt(r.Expires, t)
	return r.Still(r.Context())
}

// endAt ends the stream when its credential expires.
func (f *Feed) endAt(at time.Time, t *ticket) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t.expire = wall.AfterFunc(wall.Until(at), func() { t.cancel(errKeyExpired) })
}

// watchKey lets the stream end with its key.
func (f *Feed) watchKey(ctx context.Context, key string, t *ticket) error {
	rec, err := f.o.Store.Get(ctx, store.Accesskey, key)
	if err != nil {
		return fmt.Errorf("read access key: %w", err)
	}
	var kept struct {
		Expire wire.Time `json:"tm_expire"`
	}
	if err := json.Unmarshal(rec.Doc, &kept); err != nil {
		return fmt.Errorf("read access key %s: %w", key, err)
	}
	if rec.Deleted {
		return fault.New(fault.Unauthenticated, "INVALID_CREDENTIALS", "the access key was deleted; use another one")
	}
	if at := time.Time(kept.Expire); !at.IsZero() {
		f.endAt(at, t)
	}
	return nil
}

// see is told of each entry, in order: a key that is deleted takes its streams with it, and an agent whose token is void.
func (f *Feed) see(e *entry) {
	switch e.Type {
	case "accesskey_deleted":
		f.mu.Lock()
		defer f.mu.Unlock()
		for t := range f.open[e.resource] {
			t.cancel(errKeyDeleted)
		}
	case "agent_updated", "agent_deleted":
		var now struct {
			Permission agent.Permission `json:"permission"`
		}
		_ = json.Unmarshal(e.Data, &now) // the store keeps nothing that is no JSON
		for _, t := range f.of(e.resource) {
			if now.Permission != t.who.Permission { // it may have topics that it may not read any more
				t.cancel(errAgentOut)
				continue
			}
			ctx, cancel := context.WithTimeout(f.done, farewell)
			if err := t.still(ctx); fault.KindOf(err) == fault.Unauthenticated || fault.KindOf(err) == fault.Denied {
				t.cancel(errAgentOut)
			}
			cancel()
		}
	}
}

// of returns the streams of a credential.
func (f *Feed) of(credential string) []*ticket {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Collect(maps.Keys(f.open[credential]))
}
