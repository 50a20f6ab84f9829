// Package guard counts calls out: per second, per minute, at once, and minutes of talk per day, for each customer and each trunk. What would be
// too much is refused, and a call that is under way when a day's minutes are used up is told to end. It owns the counters and one timer for
// each account that talks; who keeps the counters over a restart, and what a refusal looks like to others, is package trunk's business.
package guard

import (
	"sync"

	"parley/internal/fault"
	"parley/internal/trunk/route"
	"parley/internal/wall"
)

// Names of the limits, which follow that of the account in a rule.
const (
	perSecond = "calls_per_second"
	perMinute = "calls_per_minute"
	atOnce    = "concurrent"
	perDay    = "minutes_per_day"
)

// Claim asks for one call out.
type Claim struct {
	CustomerID string
	TrunkID    string       // "" for none
	Trunk      route.Limits // of the trunk
}

// Refusal says which rule refuses.
type Refusal struct {
	Rule    string // customer_ or trunk_, then the limit's name: customer_calls_per_minute
	Limit   int
	TrunkID string // of a trunk's rule
}

// Error says it to people.
func (r *Refusal) Error() string { return r.fault().Error() }

// Unwrap makes it a fault.
func (r *Refusal) Unwrap() error { return r.fault() }

func (r *Refusal) fault() *fault.Error {
	return fault.New(fault.Exhausted, "CALLS_OUT_LIMIT_REACHED", "no call out now: %s is %d, and used up; wait, or raise the limit", r.Rule, r.Limit)
}

// Guard keeps the counters. Its methods may be called from any goroutine.
type Guard struct {
	customers route.Limits

	mu       sync.Mutex // guards what follows, and all accounts and passes
	accounts map[string]*account
	changed  chan struct{}
}

// New makes a guard without counts; customers are the limits of each customer.
func New(customers route.Limits) *Guard {
	return &Guard{customers: customers, accounts: map[string]*account{}, changed: make(chan struct{}, 1)}
}

// Admit counts one call, or refuses it with a *Refusal and counts nothing. The pass is to be released when the call is over.
func (g *Guard) Admit(c Claim) (*Pass, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := wall.Now()
	p := &Pass{guard: g, over: make(chan struct{}), accounts: g.of(c)}
	for _, a := range p.accounts {
		if r := a.refuses(now); r != nil {
			return nil, r
		}
	}
	for _, a := range p.accounts {
		a.admit(now, p)
	}
	return p, nil
}

// Open returns the *Refusal that the call would get now, nil for none, and counts nothing.
func (g *Guard) Open(c Claim) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := wall.Now()
	for _, a := range g.of(c) {
		if r := a.refuses(now); r != nil {
			return r
		}
	}
	return nil
}

// of returns the accounts that the call counts in.
func (g *Guard) of(c Claim) []*account {
	list := []*account{g.account("customer", c.CustomerID, g.customers)}
	if c.TrunkID != "" {
		list = append(list, g.account("trunk", c.TrunkID, c.Trunk))
	}
	return list
}

// Free returns a pass that counts nowhere.
func (g *Guard) Free() *Pass { return &Pass{guard: g, over: make(chan struct{})} }

// account returns the account, with the limits that hold now.
func (g *Guard) account(kind, id string, l route.Limits) *account {
	key := kind + "/" + id
	a := g.accounts[key]
	if a == nil {
		a = &account{guard: g, kind: kind, id: id, passes: map[*Pass]bool{}}
		g.accounts[key] = a
	}
	a.limits = l
	return a
}

// Pass is the permission for one call out.
type Pass struct {
	guard    *Guard
	accounts []*account
	over     chan struct{}
	cut      *Refusal // why over is closed
	talking  bool
	released bool
}

// Answered says that the call talks from now on.
func (p *Pass) Answered() {
	p.guard.mu.Lock()
	defer p.guard.mu.Unlock()
	if p.talking || p.released {
		return
	}
	p.talking = true
	for _, a := range p.accounts {
		a.talk(wall.Now(), 1)
	}
	p.guard.hint()
}

// Over is closed when a day's minutes are used up: the call is to be ended. Why says which.
func (p *Pass) Over() <-chan struct{} { return p.over }

// Why returns the rule that closed Over, nil before.
func (p *Pass) Why() *Refusal {
	p.guard.mu.Lock()
	defer p.guard.mu.Unlock()
	return p.cut
}

// Release says that the call is over. Repeated, it does nothing.
func (p *Pass) Release() {
	p.guard.mu.Lock()
	defer p.guard.mu.Unlock()
	if p.released {
		return
	}
	p.released = true
	for _, a := range p.accounts {
		if p.talking {
			a.talk(wall.Now(), -1)
		}
		delete(a.passes, p)
	}
	p.guard.hint()
}

// hint says that there is something to keep.
func (g *Guard) hint() {
	select {
	case g.changed <- struct{}{}:
	default:
	}
}
