package feed

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"parley/internal/store"
)

const (
	tailKept = 4096             // entries in memory
	pageSize = 256              // entries read at once
	sweep    = 30 * time.Second // the log is looked at without a hint after that
)

// entry is a row of the log, written once for all who read it, when somebody does.
type entry struct {
	store.Entry
	resource    string
	short, long string // topics
	owner       string // the agent whose it is, "" for none

	once  sync.Once // guards what follows
	event []byte    // as a Server-Sent Event
	frame []byte    // as a frame of a WebSocket
}

func newEntry(e *store.Event) *entry {
	x := &entry{Entry: e.Entry(), resource: e.Resource}
	x.short, x.long = topicsOf(x)
	x.owner = ownerOf(x)
	return x
}

// write makes the forms that readers get.
func (x *entry) write() {
	text, err := json.Marshal(x.Entry)
	if err != nil { // the store keeps nothing that is no JSON
		text = fmt.Appendf(nil, `{"seq":%d}`, x.Seq)
	}
	x.event = fmt.Appendf(nil, "id: %d\nevent: %s\ndata: %s\n\n", x.Seq, x.Type, text)
	x.frame = frameOf(text)
}

func (x *entry) asEvent() []byte {
	x.once.Do(x.write)
	return x.event
}

func (x *entry) asFrame() []byte {
	x.once.Do(x.write)
	return x.frame
}

// frameOf returns an unmasked text frame, as servers send it (RFC 6455 section 5.2).
func frameOf(text []byte) []byte {
	b := make([]byte, 0, len(text)+10)
	switch n := len(text); {
	case n < 126:
		b = append(b, 0x81, byte(n))
	case n <= 0xffff:
		b = binary.BigEndian.AppendUint16(append(b, 0x81, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x81, 127), uint64(n))
	}
	return append(b, text...)
}

// tail is the end of the log in memory. Its methods may be called from any goroutine.
type tail struct {
	store store.Store
	log   *slog.Logger
	see   func(*entry) // is told of each entry, in order

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
	safety := time.NewTicker(sweep)
	defer safety.Stop()
	for {
		if err := t.read(ctx); err != nil && ctx.Err() == nil {
			t.log.Warn("live streams cannot read the log", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-hints:
		case <-safety.C:
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
			fresh[i] = newEntry(&rows[i])
		}
		t.add(fresh, next)
		for _, e := range fresh {
			t.see(e)
		}
	}
}

func (t *tail) add(fresh []*entry, to int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ring = append(t.ring, fresh...)
	if over := len(t.ring) - tailKept; over > 0 {
		t.from = t.ring[over-1].Seq
		clear(t.ring[:over]) // append moves what is left to another array before long, and the old one goes
		t.ring = t.ring[over:]
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
		list = append(list, newEntry(&rows[i]))
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
