package sqlite

import (
	"slices"
	"sync"

	"parley/internal/store"
)

// How much of the log's end is kept in memory: its readers are seldom further behind.
const (
	recentEvents = 4096
	recentBytes  = 8 << 20
)

// recent is the end of the log in memory. The writer adds what it has committed; anyone reads.
type recent struct {
	mu     sync.RWMutex // guards what follows
	floor  int64        // every committed event above this number is in events
	events []store.Event
	bytes  int // of their data
}

// add takes the events of a committed change, whose numbers follow those added before.
func (r *recent) add(c *store.Change, seqs []int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.events) == 0 && len(seqs) > 0 {
		r.floor = seqs[0] - 1
	}
	for i, e := range c.Events {
		e.Key, e.Seq, e.Version = c.Key, seqs[i], c.Version+int64(i)+1
		e.At, e.Data = moment(e.At.UnixMicro()), slices.Clone(e.Data)
		r.events = append(r.events, e)
		r.bytes += len(e.Data) + len(e.Cause)
	}
	cut := 0
	for len(r.events)-cut > recentEvents || r.bytes > recentBytes && cut < len(r.events)-1 {
		r.bytes -= len(r.events[cut].Data) + len(r.events[cut].Cause)
		r.floor = r.events[cut].Seq
		cut++
	}
	if cut > 0 { // append moves what is left to another array before long, and the old one goes
		clear(r.events[:cut])
		r.events = r.events[cut:]
	}
}

// read answers a query that asks for nothing older than what is kept. Readers share the events' data and do not write to it.
func (r *recent) read(q *store.LogQuery) (events []store.Event, next int64, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if len(r.events) == 0 || q.After < r.floor {
		return nil, 0, false
	}
	next = q.After
	for i := r.from(q.After); i < len(r.events); i++ {
		e := &r.events[i]
		next = e.Seq
		if !wanted(q, e) {
			continue
		}
		if events = append(events, *e); len(events) == q.Limit {
			break
		}
	}
	return events, next, true
}

// from is the place of the first event above a number. Numbers have no gaps, as far as is known; if they ever have, the search goes back.
func (r *recent) from(after int64) int {
	i := int(min(max(after-r.floor, 0), int64(len(r.events))))
	for i > 0 && r.events[i-1].Seq > after {
		i--
	}
	return i
}

func wanted(q *store.LogQuery, e *store.Event) bool {
	return (q.CustomerID == "" || e.CustomerID == q.CustomerID) && (q.Conference == "" || e.Conference == q.Conference) &&
		(q.Resource == "" || e.Resource == q.Resource) && store.OfType(e.Type, q.Types)
}
