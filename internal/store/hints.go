package store

import "sync"

// Hints is what stores make Log.Hints of: the channels of those who wait for the log to grow. The zero value is ready; all
// methods may be called from any goroutine, and none of them waits for a reader.
type Hints struct {
	mu    sync.Mutex
	chans map[chan struct{}]struct{} // guarded by mu
}

// Add returns a new channel of capacity one and the function that ends it.
func (h *Hints) Add() (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.chans == nil {
		h.chans = map[chan struct{}]struct{}{}
	}
	h.chans[c] = struct{}{}
	return c, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.chans, c)
	}
}

// Poke puts a value into every channel that has none.
func (h *Hints) Poke() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.chans {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
