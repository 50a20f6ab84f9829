// Package inside joins a call out of this server with a call into it, without a network between them: what one end says of the call the other is told, and
// the sound goes from one media session to the other. It also knows which conferences such calls link, so that none hears itself. What two ends are for is
// their lines' business; the only thing that runs by itself is the timer of an unanswered call.
package inside

import (
	"context"
	"net/http"
	"sync"
	"time"

	"parley/internal/fault"
	"parley/internal/line/door"
)

// Pair is the dialog between the two ends. Its methods may be called from any goroutine.
type Pair struct {
	callee, caller end
	replies        chan door.Progress
	timer          *time.Timer

	mu       sync.Mutex // guards what follows
	answered bool
	rang     bool
	over     bool
}

// end is one side of it.
type end struct {
	done   chan struct{}
	by     string // set before done is closed
	status int    // likewise
}

// NewPair makes the dialog of a call that is given up when nobody has answered for so long.
func NewPair(patience time.Duration) *Pair {
	p := &Pair{replies: make(chan door.Progress, 4)} // one that rings, one with sound before the answer, the last one
	p.callee.done, p.caller.done = make(chan struct{}), make(chan struct{})
	p.timer = time.AfterFunc(patience, func() { p.finish(&p.caller, http.StatusRequestTimeout, "nobody has answered") })
	return p
}

// Callee is the end that was called.
func (p *Pair) Callee() Callee { return Callee{p} }

// Caller is the end that calls.
func (p *Pair) Caller() Caller { return Caller{p} }

// finish ends the call by one of the ends. status is that of SIP for a call that was not answered.
func (p *Pair) finish(by *end, status int, phrase string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return
	}
	p.over = true
	p.timer.Stop()
	if p.answered {
		status = 0
	} else {
		p.replies <- door.Progress{Status: status, Phrase: phrase}
		close(p.replies)
	}
	for _, e := range []*end{&p.callee, &p.caller} {
		e.by, e.status = "remote", status
		if e == by {
			e.by = "local"
		}
		close(e.done)
	}
}

// Callee is a door.Dialog.
type Callee struct{ p *Pair }

// Ring implements door.Dialog.
func (c Callee) Ring(_ context.Context, body []byte) error {
	p := c.p
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over || p.answered || body == nil && p.rang || len(p.replies) == cap(p.replies)-1 {
		return nil
	}
	status := 180
	if body != nil {
		status = 183
	}
	p.rang = true
	p.replies <- door.Progress{Status: status, Body: body}
	return nil
}

// Answer implements door.Dialog.
func (c Callee) Answer(_ context.Context, body []byte) ([]byte, error) {
	p := c.p
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.over:
		return nil, fault.New(fault.Conflict, "CALL_ENDED", "the caller gave up")
	case p.answered:
		return nil, nil
	}
	p.answered = true
	p.timer.Stop()
	p.replies <- door.Progress{Status: http.StatusOK, Body: body}
	close(p.replies)
	return nil, nil
}

// Reject implements door.Dialog.
func (c Callee) Reject(err error) { c.p.finish(&c.p.callee, fault.KindOf(err).SIP(), err.Error()) }

// Hangup implements door.Dialog.
func (c Callee) Hangup(reason string) { c.p.finish(&c.p.callee, 480, reason) }

// Done implements door.Dialog.
func (c Callee) Done() <-chan struct{} { return c.p.callee.done }

// Cause implements door.Dialog.
func (c Callee) Cause() (by string, status int) { return c.p.callee.by, c.p.callee.status }

// Caller is a door.Departure.
type Caller struct{ p *Pair }

// Progress implements door.Departure.
func (c Caller) Progress() <-chan door.Progress { return c.p.replies }

// Cancel implements door.Departure.
func (c Caller) Cancel(reason string) { c.p.finish(&c.p.caller, 487, reason) }

// Hangup implements door.Departure.
func (c Caller) Hangup(reason string) { c.p.finish(&c.p.caller, 487, reason) }

// Done implements door.Departure.
func (c Caller) Done() <-chan struct{} { return c.p.caller.done }

// Cause implements door.Departure.
func (c Caller) Cause() (by string, status int) { return c.p.caller.by, c.p.caller.status }

// Reoffer implements door.Departure: what was agreed at first stays.
func (c Caller) Reoffer(context.Context, []byte) ([]byte, error) { return nil, unsupported() }

// Refer implements door.Departure.
func (c Caller) Refer(context.Context, string) error { return unsupported() }

// Message implements door.Departure.
func (c Caller) Message(context.Context, string, []byte) error { return unsupported() }

func unsupported() error {
	return fault.New(fault.Conflict, "STATE_INVALID", "the other end of this call is a conference of this server, which takes no such requests; ask for it in the conference")
}
