package feed

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"parley/internal/store"
)

const (
	tailKept = 4096                  // entries in memory
	pageSize = 256                   // entries read at once
	pace     = 40 * time.Millisecond // least time between two writes to one reader: what comes faster goes together
)

// entry is a row of the log, written once for all who read it.
type entry struct {
	store.Entry
	resource string
	text     []byte // as JSON
	frame    []byte // as a Server-Sent Event
}

func newEntry(e *store.Event) (*entry, error) {
	x := &entry{Entry: e.Entry(), resource: e.Resource}
	text, err := json.Marshal(x.Entry)
	if err != nil {
		return nil, fmt.Errorf("write entry %d: %w", e.Seq, err)
	}
	x.text = text
	x.frame = fmt.Appendf(nil, "id: %d\nevent: %s\ndata: %s\n\n", e.Seq, e.Type, text)
	return x, nil
}

// tail is the end of the log in memory. Its methods may be called from any goroutine.
type tail struct {
	store store.Store
	log   *slog.Logger

	mu    sync.Mutex
	ring  []*entry      // the newest ones, ascending
	from  int64         // ring holds everything after this
	to    int64         // up to this
	grown chan struct{} // closed when there is more
}

// follow reads the log until ctx ends. Hints come with each commit; the sweep finds what a lost one hid.
func (t *tail) follow(ctx context.Context) {
	hints, end := t.store.Hints()
	defer end()
	sweep := time.NewTicker(time.Second)
	defer sweep.Stop()
	for {
		if err := t.read(ctx); err != nil && ctx.Err() == nil {
			t.log.Warn("live streams cannot read the log", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-hints:
		case <-sweep.C:
		}
	}
}

// start begins at the end of the log.
func (t *tail) start(ctx context.Context) error {
	last, _, err := t.store.Last(ctx, "")
	t.from, t.to, t.grown = last, last, make(chan struct{})
	return err
}

func (t *tail) read(ctx context.Context) error {
	for {
		t.mu.Lock()
		after := t.to
		t.mu.Unlock()
		rows, next, err := t.store.Events(ctx, store.LogQuery{After: after, Limit: pageSize})
		if err != nil || next == after {
			return err
		}
		fresh := make([]*entry, len(rows))
		for i := range rows {
			if fresh[i], err = newEntry(&rows[i]); err != nil {
				return err
			}
		}
		t.add(fresh, next)
	}
}

func (t *tail) add(fresh []*entry, to int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ring = append(t.ring, fresh...)
	if over := len(t.ring) - tailKept; over > 0 {
		t.from = t.ring[over-1].Seq
		t.ring = append([]*entry(nil), t.ring[over:]...)
	}
	t.to = to
	close(t.grown)
	t.grown = make(chan struct{})
}

// after returns entries of the customer after a place, at most a page, and where to go on; more is closed when there is more than that.
func (t *tail) after(ctx context.Context, customer string, at int64) (list []*entry, next int64, more <-chan struct{}, err error) {
	t.mu.Lock()
	if at >= t.from {
		list, next, more = t.recent(customer, at), max(at, t.to), t.grown // the store may be ahead of the tail
		t.mu.Unlock()
		return list, next, more, nil
	}
	t.mu.Unlock()
	rows, next, err := t.store.Events(ctx, store.LogQuery{After: at, CustomerID: customer, Limit: pageSize})
	if err != nil {
		return nil, at, nil, fmt.Errorf("read the log: %w", err)
	}
	for i := range rows {
		e, err := newEntry(&rows[i])
		if err != nil {
			return nil, at, nil, err
		}
		list = append(list, e)
	}
	now := make(chan struct{})
	close(now)
	return list, next, now, nil
}

// recent is called with mu held. The ring ascends: what is new is at its end.
func (t *tail) recent(customer string, at int64) (list []*entry) {
	i := len(t.ring)
	for i > 0 && t.ring[i-1].Seq > at {
		i--
	}
	for _, e := range t.ring[i:] {
		if e.CustomerID == customer {
			list = append(list, e)
		}
	}
	return list
}
