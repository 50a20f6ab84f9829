// Package berth shares the room for runs on no call out among customers. It starts no goroutine.
package berth

import (
	"sync"

	"parley/internal/fault"
)

// Berths counts who has taken how many. Its methods may be called from any goroutine.
type Berths struct {
	most, each int

	mu    sync.Mutex // guards what follows
	all   int
	taken map[string]int
}

// New returns berths of which there are most, each of them for one customer at most.
func New(most, each int) *Berths { return &Berths{most: most, each: each, taken: map[string]int{}} }

// Take gives the customer one more until Leave. It refuses with fault.Unavailable, FLOWS_BUSY.
func (b *Berths) Take(customerID string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.taken[customerID] >= b.each:
		return fault.New(fault.Unavailable, "FLOWS_BUSY", "as many of your flows run without a call as may (%d); stop one, or try again later", b.each)
	case b.all >= b.most:
		return fault.New(fault.Unavailable, "FLOWS_BUSY", "as many flows run without a call as may (%d); try again later", b.most)
	}
	b.all++
	b.taken[customerID]++
	return nil
}

// Spent reports whether the customer has all that it may have.
func (b *Berths) Spent(customerID string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.taken[customerID] >= b.each
}

// Leave gives one back.
func (b *Berths) Leave(customerID string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all--
	if b.taken[customerID]--; b.taken[customerID] <= 0 {
		delete(b.taken, customerID)
	}
}
