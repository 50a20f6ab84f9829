// Package roll knows who is there: the calls of a node by their ids, with those that end when another one does. It starts no goroutine.
package roll

import (
	"slices"
	"sync"

	"parley/internal/call"
	"parley/internal/fault"
)

// Roll has the live calls, L being one. Its methods may be called from any goroutine.
type Roll[L comparable] struct {
	most int

	mu      sync.Mutex // guards what follows
	lines   map[call.ID]L
	chained map[call.ID][]L // by their master
}

// New makes a Roll that takes at most so many calls; 0: any number.
func New[L comparable](most int) *Roll[L] {
	return &Roll[L]{most: most, lines: map[call.ID]L{}, chained: map[call.ID][]L{}}
}

// Enlist adds a call, or refuses it when there are as many as there may be.
func (r *Roll[L]) Enlist(id call.ID, l L) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.most > 0 && len(r.lines) >= r.most {
		return fault.New(fault.Unavailable, "OVERLOADED", "the server has as many calls as it takes (%d); try again later", r.most)
	}
	r.lines[id] = l
	return nil
}

// Strike removes a call.
func (r *Roll[L]) Strike(id call.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.lines, id)
}

// Line is the call of the id, the zero L when there is none.
func (r *Roll[L]) Line(id call.ID) L {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lines[id]
}

// Live returns how many calls there are.
func (r *Roll[L]) Live() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.lines)
}

// Chain has a call end with its master.
func (r *Roll[L]) Chain(master call.ID, l L) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.chained[master] = append(r.chained[master], l)
}

// Unchain returns the calls that were to end with a master, and forgets that.
func (r *Roll[L]) Unchain(master call.ID) []L {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := slices.Clip(r.chained[master])
	delete(r.chained, master)
	return all
}
