// Package crew lends goroutines to whoever has something to do in the background, as long as its Run runs, and waits for them.
package crew

import (
	"context"
	"sync"
)

// Crew lends goroutines. The zero value lends none before Run. Its methods may be called from any goroutine.
type Crew struct {
	work sync.WaitGroup

	mu   sync.Mutex      // guards life
	life context.Context // of Run; nil before and after
}

// Lend runs f in a goroutine until the context ends; false, and f is not run, when Run does not run.
func (c *Crew) Lend(f func(life context.Context)) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.life == nil || c.life.Err() != nil {
		return false
	}
	life := c.life
	c.work.Go(func() { f(life) })
	return true
}

// Run lends until ctx ends, and returns when all who have been lent are back.
func (c *Crew) Run(ctx context.Context) {
	c.mu.Lock()
	c.life = ctx
	c.mu.Unlock()
	<-ctx.Done()
	c.mu.Lock()
	c.life = nil // nobody begins after this
	c.mu.Unlock()
	c.work.Wait()
}
