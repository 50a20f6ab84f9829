package callee

import (
	"context"
	"sync"

	"parley/internal/call"
)

// Find finds the phones of an address, as Finder does.
type Find func(ctx context.Context, to call.Address) ([]Callee, error)

// Ahead finds phones before their turn has come, so that nothing is begun when there are none; who asks for the same address then is told what was
// found. Its methods may be called from any goroutine.
type Ahead struct {
	find Find

	mu    sync.Mutex // guards found
	found map[call.Address]finding
}

type finding struct {
	callees []Callee
	err     error
	left    int // how often it is still good for
}

// NewAhead returns one that finds as find does.
func NewAhead(find Find) *Ahead { return &Ahead{find: find, found: map[call.Address]finding{}} }

// Any returns nil if one of the addresses has a phone that can be called now, and else the refusal of the first. It looks no further than needed.
func (a *Ahead) Any(ctx context.Context, list []call.Address) (refusal error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, to := range list {
		known, ok := a.found[to]
		if !ok {
			known.callees, known.err = a.find(ctx, to)
		}
		known.left++
		a.found[to] = known
		if known.err == nil {
			return nil
		}
		if refusal == nil {
			refusal = known.err
		}
	}
	return refusal
}

// Find returns what Any has found, once for each time that Any saw the address, and looks anew after that.
func (a *Ahead) Find(ctx context.Context, to call.Address) ([]Callee, error) {
	a.mu.Lock()
	known, ok := a.found[to]
	if known.left--; known.left > 0 {
		a.found[to] = known
	} else {
		delete(a.found, to)
	}
	a.mu.Unlock()
	if ok {
		return known.callees, known.err
	}
	return a.find(ctx, to)
}
