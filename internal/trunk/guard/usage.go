package guard

import (
	"time"

	"parley/internal/trunk/route"
	"parley/internal/wall"
)

// Usage is the talk of one account on one day.
type Usage struct {
	Kind, ID string // customer or trunk
	Day      time.Time
	Used     time.Duration
}

// Changed returns a channel of capacity one that gets a value when a call begins or ends to talk.
func (g *Guard) Changed() <-chan struct{} { return g.changed }

// Usage returns the counts of today that have changed since they were taken last. ahead is added for each call that talks: as long as the next
// ones are taken before it is over, what was taken is never less than the truth.
func (g *Guard) Usage(ahead time.Duration) []Usage {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := wall.Now()
	var out []Usage
	for key, a := range g.accounts {
		a.settle(now)
		a.forget(now)
		u := Usage{a.kind, a.id, a.day, a.used + time.Duration(a.talking)*ahead}
		switch {
		case u.Used > 0 && u != a.kept:
			a.kept = u
			out = append(out, u)
		case u.Used == 0 && len(a.passes) == 0 && len(a.recent) == 0:
			delete(g.accounts, key)
		}
	}
	return out
}

// Restore sets counts that were taken before a restart. Those of another day are left out.
func (g *Guard) Restore(list []Usage) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := wall.Now()
	for _, u := range list {
		if !u.Day.Equal(dayOf(now)) {
			continue
		}
		a := g.account(u.Kind, u.ID, g.customersOr(u.Kind))
		a.day, a.at, a.used, a.kept = u.Day, now, u.Used, u
	}
}

func (g *Guard) customersOr(kind string) route.Limits {
	if kind == "customer" {
		return g.customers
	}
	return route.Limits{} // a trunk's come with its next call
}

// Untake makes the next Usage bring all counts again, because those that were taken could not be kept.
func (g *Guard) Untake() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, a := range g.accounts {
		a.kept = Usage{}
	}
	g.hint()
}
