// Package dial places calls: it sends INVITEs and goes by what comes back, early media and reliable provisionals, challenges, forks,
// refusals, CANCEL with all that may cross it. A call's goroutine is started by package sip and runs Call.Run until the call is over; CANCEL,
// PRACK and goodbyes to unwanted answers have goroutines of their own, counted in Stack.Work. What happens inside the dialog is left to
// package dialog, whom to call and what it means to the line.
package dial

import (
	"context"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"

	"parley/internal/line"
	"parley/internal/sip/dialog"
	"parley/internal/sip/digest"
	"parley/internal/sip/field"
	"parley/internal/sip/peer"
	"parley/internal/sip/stack"
)

// mostLegs is how many phones one INVITE may reach.
const mostLegs = 16

// progressRoom is how many responses wait for a line that is slow; provisional ones beyond that are left out.
const progressRoom = 32

// Call is a call that we place; it implements line.Departure.
type Call struct {
	*dialog.Dialog
	s        *stack.Stack
	o        line.Outgoing
	to       sip.Uri
	hop      stack.Hop
	from     sip.FromHeader
	id       sip.CallIDHeader
	keys     *digest.Keys
	self     sip.Uri // scheme and user of our Contact
	progress chan line.Progress
	in       chan *sip.Response // provisional responses and 2xx to the INVITE of the moment, in their order

	accepting sync.Mutex // held while a 2xx is looked at; guards the ack of legs
	mu        sync.Mutex // guards what follows
	way       stack.Way
	invite    *sip.Request // of the moment; nil before the first and after the last
	last      *sip.Request // the INVITE of the moment or the last one
	reason    string       // of Cancel
	legs      map[string]*leg
	replied   bool // something came, CANCEL is allowed
	told      bool // the line has the final response
}

// leg is one phone that was reached.
type leg struct {
	peer.Leg
	rseq   uint32       // of its last reliable provisional; 0 for none
	agreed bool         // it has answered our offer reliably
	ack    *sip.Request // of its 2xx
}

var _ line.Departure = (*Call)(nil)

// Progress implements line.Departure.
func (c *Call) Progress() <-chan line.Progress { return c.progress }

// Key finds the call by the Call-ID and our tag.
func (c *Call) Key() string { return Key(c.id.Value(), field.Tag(c.from.Params)) }

// Key names a call of ours.
func Key(callID, tag string) string { return callID + "\x00" + tag }

// Cancel implements line.Departure. A reason that says "elsewhere" tells phones that somebody else took the call.
func (c *Call) Cancel(reason string) { c.withdraw(487, reason) }

// Hangup implements line.Live; before the answer it is Cancel.
func (c *Call) Hangup(reason string) { c.withdraw(487, reason) }

func (c *Call) withdraw(status int, reason string) {
	c.mu.Lock()
	if c.reason == "" {
		c.reason = reason
	}
	c.mu.Unlock()
	if !c.End("local", status) {
		c.Dialog.Hangup(reason)
	}
}

// Heard takes a response that the transport layer has read, in its goroutine: it never blocks. The transaction layer sees it too; what is
// taken here are provisional responses, for their order, and each 2xx, which are not the transaction's (RFC 3261 section 13.2.2.4).
func (c *Call) Heard(res *sip.Response) {
	if !res.IsProvisional() && !res.IsSuccess() || res.CSeq() == nil || res.Via() == nil || res.To() == nil {
		return
	}
	c.mu.Lock()
	now, last := c.invite, c.last
	c.mu.Unlock()
	if last == nil || !belongs(res, last) {
		return
	}
	if now == nil {
		if res.IsSuccess() {
			c.s.Work.Run(func() { c.accept(res, last) })
		}
		return
	}
	select {
	case c.in <- res:
	default: // a 2xx comes again
	}
}

// belongs tells that a response answers the INVITE, by the number and the branch that we chose.
func belongs(res *sip.Response, invite *sip.Request) bool {
	return res.CSeq().MethodName == sip.INVITE && res.CSeq().SeqNo == invite.CSeq().SeqNo &&
		res.Via().Params.GetOr("branch", "") == invite.Via().Params.GetOr("branch", "-")
}

// Run walks the call to its end. It returns when the dialog is over and nothing more has to be said but by goroutines in Stack.Work.
func (c *Call) Run() {
	c.place()
	if c.Answered() {
		c.stay()
	}
}

// place sends the INVITE until it is answered, refused or withdrawn, and tells the line.
func (c *Call) place() {
	timeout := time.NewTimer(c.o.Timeout)
	defer timeout.Stop()
	way, ok := c.route(timeout.C)
	if !ok {
		c.final()
		return
	}
	c.mu.Lock()
	c.way = way
	c.mu.Unlock()
	for try := 0; ; try++ {
		res := c.try(try, timeout.C)
		switch {
		case c.Answered():
		case c.over():
			c.final()
		case res != nil && stack.Challenged(res, c.keys, try), res != nil && res.StatusCode == 422 && try < 3 && c.Raise(res):
			continue
		default:
			c.refused(res)
		}
		return
	}
}

// route finds the way to the callee as long as the call is wanted.
func (c *Call) route(timeout <-chan time.Time) (stack.Way, bool) {
	type found struct {
		way stack.Way
		err error
	}
	out := make(chan found, 1)
	c.s.Work.Run(func() {
		w, err := c.s.Route(context.Background(), c.hop)
		out <- found{w, err}
	})
	select {
	case f := <-out:
		if f.err != nil {
			c.s.Log.Info("call cannot be sent", "sip_call_id", c.id.Value(), "error", f.err)
			c.End("local", 503)
		}
		return f.way, f.err == nil
	case <-timeout:
		c.withdraw(408, "")
	case <-c.Done():
	case <-c.s.Life.Done():
		c.withdraw(487, "the server stops")
	}
	return stack.Way{}, false
}

// over tells that the dialog has ended.
func (c *Call) over() bool {
	select {
	case <-c.Done():
		return true
	default:
		return false
	}
}

// stay waits for the end of an answered call. When the server stops, the line may say goodbye first.
func (c *Call) stay() {
	select {
	case <-c.Done():
		return
	case <-c.s.Life.Done():
	}
	grace := time.NewTimer(c.s.Timing.Drain / 3)
	defer grace.Stop()
	select {
	case <-c.Done():
	case <-grace.C:
		c.Hangup("the server stops")
	}
}

// refused ends the call for a final response; nil stands for none.
func (c *Call) refused(res *sip.Response) {
	if res == nil {
		c.End("remote", 408)
		c.final()
		return
	}
	c.End("remote", res.StatusCode)
	c.publish(line.Progress{Status: res.StatusCode, Phrase: res.Reason})
}

// final tells the line how a call ended that got no final response.
func (c *Call) final() {
	_, status := c.Cause()
	if status == 0 {
		status = 487
	}
	c.publish(line.Progress{Status: status, Phrase: stack.Phrase(status)})
}

// publish hands a response to the line, never waiting: one place is kept for the final one, with which the channel closes.
func (c *Call) publish(p line.Progress) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.told:
	case p.Status >= 200:
		c.told = true
		c.progress <- p
		close(c.progress)
	case len(c.progress) < cap(c.progress)-1:
		c.progress <- p
	}
}
