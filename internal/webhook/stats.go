package webhook

import (
	"context"
	"sync"
	"time"

	"parley/internal/wall"
)

// Stats are the dispatcher's figures.
type Stats struct {
	Endpoints, Failing      int           // served, and those of them whose last attempt failed
	Pending                 int           // events that wait or are under way
	Backlog                 time.Duration // age of the oldest of them
	Delivered, Failed, Dead int64         // attempts that succeeded, that failed, and deliveries given up
}

// gauges are a courier's figures for others.
type gauges struct {
	mu      sync.Mutex
	pending int
	oldest  time.Time
	failing time.Time
}

func (g *gauges) set(pending int, oldest, failing time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pending, g.oldest, g.failing = pending, oldest, failing
}

// Stats returns the figures of now.
func (d *Dispatcher) Stats() Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := Stats{Endpoints: len(d.couriers), Delivered: d.counts.delivered.Load(), Failed: d.counts.failed.Load(), Dead: d.counts.dead.Load()}
	for _, r := range d.couriers {
		r.stats.mu.Lock()
		s.Pending += r.stats.pending
		if !r.stats.failing.IsZero() {
			s.Failing++
		}
		if !r.stats.oldest.IsZero() {
			s.Backlog = max(s.Backlog, wall.Since(r.stats.oldest))
		}
		r.stats.mu.Unlock()
	}
	return s
}

// Health returns since when an endpoint fails, the zero time for one that does not.
func (d *Dispatcher) Health(ctx context.Context, id string) (time.Time, error) {
	h, err := readHealth(ctx, d.o.Store, id)
	return h.Failing, err
}
