package transfer

import (
	"sync"

	"parley/internal/call"
)

// count follows the phones that are called for one answer. Its methods may be called from any goroutine.
type count struct {
	mu    sync.Mutex // guards what follows
	calls int        // -1: not known yet
	ended int        // of those that have not won
	won   string     // the call that has answered first
	why   call.HangupReason
}

func newCount() *count { return &count{calls: -1, why: call.NoAnswer} }

// answer notes the one that has answered first.
func (c *count) answer(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.won = id
}

// end notes the end of a call. last tells that all have ended, and nobody has answered; why is the last reason.
func (c *count) end(id string, reason call.HangupReason) (why call.HangupReason, last bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if id != c.won {
		c.ended++
		if reason != "" && reason != call.Canceled {
			c.why = reason
		}
	}
	return c.why, c.over()
}

// expect says how many calls there are, as end does.
func (c *count) expect(calls int) (why call.HangupReason, last bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.over()
	c.calls = calls
	return c.why, c.over() && !before
}

func (c *count) over() bool { return c.won == "" && c.calls >= 0 && c.ended >= c.calls }
