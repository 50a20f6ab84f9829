package stack

import (
	"sync"
	"time"
)

// Group counts goroutines, so that a stop can wait for them for a limited time. Unlike sync.WaitGroup it may be entered while somebody
// waits, and it can be closed for good.
type Group struct {
	mu     sync.Mutex
	n      int
	closed bool
	idle   chan struct{} // closed when n falls to 0; nil when nobody waits
}

// Enter adds the caller; false when the group is closed.
func (g *Group) Enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.n++
	return true
}

// Leave takes the caller away again.
func (g *Group) Leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.n--; g.n == 0 && g.idle != nil {
		close(g.idle)
		g.idle = nil
	}
}

// Run starts f in a goroutine of the group, not at all when the group is closed.
func (g *Group) Run(f func()) {
	if !g.Enter() {
		return
	}
	go func() {
		defer g.Leave()
		f()
	}()
}

// Wait returns how many are left: 0 as soon as all have left, otherwise after d.
func (g *Group) Wait(d time.Duration) int {
	g.mu.Lock()
	if g.n == 0 {
		g.mu.Unlock()
		return 0
	}
	if g.idle == nil {
		g.idle = make(chan struct{})
	}
	idle := g.idle
	g.mu.Unlock()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-idle:
		return 0
	case <-timer.C:
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.n
	}
}

// Close lets nobody in any more.
func (g *Group) Close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
}
