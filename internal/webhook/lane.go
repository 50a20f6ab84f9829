package webhook

import (
	"container/heap"
	"slices"
	"time"

	"parley/internal/store"
)

// item is an event that an endpoint has to get.
type item struct {
	seq      int64
	eventID  string
	attempts int
	at       time.Time // of the event
	next     time.Time
	event    *store.Event // nil: read it from the log
}

// lane is a line of items that go one after the other: those of a conference, or a single one.
type lane struct {
	key   string
	items []item // by seq
	busy  int    // how many of them are under way
}

// lanes are the items of one endpoint by lane. A lane is busy, ready, or waiting for its time. It belongs to one goroutine.
type lanes struct {
	byKey   map[string]*lane
	has     map[int64]bool
	fresh   []*lane // ready, first attempt
	again   []*lane // ready, after failures
	waiting waiting
}

func newLanes() *lanes { return &lanes{byKey: map[string]*lane{}, has: map[int64]bool{}} }

// add puts an item in its place. One that is there already is left alone.
func (l *lanes) add(key string, it item, at time.Time) {
	if l.has[it.seq] {
		return
	}
	l.has[it.seq] = true
	ln := l.byKey[key]
	if ln == nil {
		ln = &lane{key: key}
		l.byKey[key] = ln
	}
	if ln.stuck(at) {
		it.event = nil // it will wait for long
	}
	first := min(len(ln.items), max(1, ln.busy)) // what is under way or has failed keeps its turn
	i, _ := slices.BinarySearchFunc(ln.items[first:], it.seq, func(x item, seq int64) int { return int(x.seq - seq) })
	ln.items = slices.Insert(ln.items, first+i, it)
	if len(ln.items) == 1 {
		l.queue(ln, at)
	}
}

func (ln *lane) stuck(at time.Time) bool { return len(ln.items) > 0 && ln.items[0].next.After(at) }

// queue makes a lane ready or lets it wait, as its first item says.
func (l *lanes) queue(ln *lane, at time.Time) {
	switch {
	case ln.items[0].next.After(at):
		heap.Push(&l.waiting, ln)
	case ln.items[0].attempts > 0:
		l.again = append(l.again, ln)
	default:
		l.fresh = append(l.fresh, ln)
	}
}

// take returns a ready lane for done; nil for none. Lanes that have failed come second, and only when retries is true.
func (l *lanes) take(at time.Time, retries bool) *lane {
	for len(l.waiting) > 0 && !l.waiting[0].items[0].next.After(at) {
		l.queue(heap.Pop(&l.waiting).(*lane), at)
	}
	from := &l.fresh
	if len(*from) == 0 && retries {
		from = &l.again
	}
	if len(*from) == 0 {
		return nil
	}
	ln := (*from)[0]
	*from = (*from)[1:]
	return ln
}

// done takes the first n items of a busy lane out. failed, when not nil, is when and after how many attempts the next one is due.
func (l *lanes) done(ln *lane, n int, failed *item, at time.Time) {
	for _, it := range ln.items[:n] {
		delete(l.has, it.seq)
	}
	ln.items = slices.Delete(ln.items, 0, n)
	ln.busy = 0
	if len(ln.items) == 0 {
		delete(l.byKey, ln.key)
		return
	}
	if failed != nil {
		ln.items[0].attempts, ln.items[0].next = failed.attempts, failed.next
		for i := range ln.items {
			ln.items[i].event = nil
		}
	}
	l.queue(ln, at)
}

// due returns when the first waiting lane is.
func (l *lanes) due() (time.Time, bool) {
	if len(l.waiting) == 0 {
		return time.Time{}, false
	}
	return l.waiting[0].items[0].next, true
}

// oldest returns the time of the oldest event, zero for none.
func (l *lanes) oldest() (at time.Time) {
	for _, ln := range l.byKey {
		if first := ln.items[0].at; at.IsZero() || first.Before(at) {
			at = first
		}
	}
	return at
}

// waiting is a heap of lanes by the time of their first item.
type waiting []*lane

// Len implements heap.Interface.
func (w waiting) Len() int { return len(w) }

// Less implements heap.Interface.
func (w waiting) Less(i, j int) bool { return w[i].items[0].next.Before(w[j].items[0].next) }

// Swap implements heap.Interface.
func (w waiting) Swap(i, j int) { w[i], w[j] = w[j], w[i] }

// Push implements heap.Interface.
func (w *waiting) Push(x any) { *w = append(*w, x.(*lane)) }

// Pop implements heap.Interface.
func (w *waiting) Pop() any {
	old := *w
	ln := old[len(old)-1]
	*w = old[:len(old)-1]
	return ln
}
