package dial

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"parley/internal/line"
	"parley/internal/sip/field"
	"parley/internal/sip/peer"
	"parley/internal/sip/stack"
)

// try sends one INVITE and waits until it is answered, refused or withdrawn. It returns the refusal, nil otherwise.
func (c *Call) try(number int, timeout <-chan time.Time) *sip.Response {
	req := c.request(number)
	c.mu.Lock()
	c.invite, c.last, c.legs, c.replied = req, req, map[string]*leg{}, false
	c.mu.Unlock()
	defer c.settle()
	tx, err := c.s.Begin(context.Background(), req)
	if err != nil {
		c.s.Log.Info("call cannot be sent", "sip_call_id", c.id.Value(), "error", err)
		c.End("local", 503)
		return nil
	}
	life := c.s.Life.Done()
	for {
		select {
		case res := <-c.in:
			if c.heard(res, req) {
				tx.Terminate()
				return nil
			}
		case res := <-tx.Responses(): // others come by c.in
			if res.StatusCode >= 300 {
				c.drain(req)
				return res
			}
		case <-tx.Done():
			c.unanswered(tx.Err())
			return nil
		case <-timeout:
			c.withdraw(408, "nobody answered")
		case <-life:
			life = nil
			c.withdraw(487, "the server stops")
		case <-c.Done():
			return c.takeBack(req, tx)
		case <-c.s.Quit:
			tx.Terminate()
			c.End("local", 487)
			return nil
		}
	}
}

// settle makes Heard care for what comes from now on.
func (c *Call) settle() {
	c.mu.Lock()
	c.invite = nil
	last := c.last
	c.mu.Unlock()
	for {
		select {
		case res := <-c.in:
			if res.IsSuccess() && belongs(res, last) {
				c.s.Work.Run(func() { c.accept(res, last) })
			}
		default:
			return
		}
	}
}

// unanswered ends a call whose transaction has ended by itself.
func (c *Call) unanswered(err error) {
	if errors.Is(err, sip.ErrTransactionTransport) {
		c.End("local", 503)
		return
	}
	c.End("remote", 408)
}

// heard goes by a response; true when it is the answer.
func (c *Call) heard(res *sip.Response, req *sip.Request) bool {
	if res.IsSuccess() {
		return c.accept(res, req)
	}
	c.mu.Lock()
	c.replied = true
	c.mu.Unlock()
	if p, fresh := c.provisional(res, req); fresh {
		c.publish(p)
	}
	return false
}

// drain looks at the provisional responses that came before a refusal.
func (c *Call) drain(req *sip.Request) {
	for {
		select {
		case res := <-c.in:
			if !res.IsSuccess() {
				c.heard(res, req)
			}
		default:
			return
		}
	}
}

// provisional makes news of a provisional response, confirming reliable ones; fresh is false for repetitions and for 100.
func (c *Call) provisional(res *sip.Response, req *sip.Request) (p line.Progress, fresh bool) {
	if res.StatusCode == 100 {
		return p, false
	}
	p = line.Progress{Status: res.StatusCode, Phrase: res.Reason, Body: stack.SDP(res)}
	if field.Tag(res.To().Params) == "" {
		return p, true
	}
	l := c.leg(res, req)
	if l == nil {
		return p, false
	}
	reliable := field.Lists(res, "100rel", "require")
	if reliable {
		n, err := strconv.ParseUint(field.First(res, "rseq"), 10, 32)
		if err != nil || n == 0 || l.rseq != 0 && uint32(n) != l.rseq+1 {
			return p, false // repeated, or one before it is missing and comes again first (RFC 3262 section 4)
		}
		l.rseq = uint32(n)
		to, rseq, number := l.Leg, l.rseq, req.CSeq().SeqNo
		c.s.Work.Run(func() {
			if err := c.Prack(to, rseq, number); err != nil {
				c.s.Log.Debug("PRACK got no answer", "sip_call_id", c.id.Value(), "error", err)
			}
		})
	}
	l.agreed = l.agreed || reliable && p.Body != nil
	c.Early(l.Leg, l.agreed)
	return p, true
}

// leg finds the phone that a response came from; nil when there are too many.
func (c *Call) leg(res *sip.Response, req *sip.Request) *leg {
	fresh := peer.Reached(req, res, c.way, c.o.Via != "")
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.legs[fresh.Tag()]
	switch {
	case l != nil:
		l.Leg = fresh
	case len(c.legs) < mostLegs:
		l = &leg{Leg: fresh}
		c.legs[fresh.Tag()] = l
	}
	return l
}

// accept acknowledges a 2xx, each time that it comes. The first one of a call that is still wanted is the answer, and true is returned;
// the others are said goodbye to.
func (c *Call) accept(res *sip.Response, req *sip.Request) bool {
	c.accepting.Lock()
	defer c.accepting.Unlock()
	l := c.leg(res, req)
	if l == nil {
		return false
	}
	if l.ack != nil {
		_ = c.s.Write(l.ack)
		return false
	}
	ack, err := c.Ack(&l.Leg, req)
	if err != nil {
		c.s.Log.Info("answer cannot be acknowledged", "sip_call_id", c.id.Value(), "error", err)
		return false
	}
	l.ack = ack
	to := l.Leg
	chosen := c.Establish(to, res) // before the ACK, which lets the phone send requests inside the dialog
	_ = c.s.Write(ack)
	c.mu.Lock()
	reason := c.reason
	c.mu.Unlock()
	switch {
	case chosen:
		c.publish(line.Progress{Status: res.StatusCode, Phrase: res.Reason, Body: stack.SDP(res)})
		return true
	case reason == "":
		reason = "answered elsewhere"
	}
	c.s.Work.Run(func() {
		if err := c.Dismiss(to, reason); err != nil {
			c.s.Log.Debug("BYE got no answer", "sip_call_id", c.id.Value(), "error", err)
		}
	})
	return false
}

// takeBack cancels an INVITE that nobody wants any more: as soon as something has come back (RFC 3261 section 9.1), and not at all when
// nothing does. It waits for the INVITE's end, for 64 T1 after the CANCEL at most. The line need not: the dialog is over.
func (c *Call) takeBack(req *sip.Request, tx *sip.ClientTx) *sip.Response {
	c.mu.Lock()
	sent := c.replied
	c.mu.Unlock()
	c.final()
	if sent {
		c.cancel(req)
	}
	limit := time.NewTimer(64 * c.s.Timing.T1)
	defer limit.Stop()
	for {
		select {
		case res := <-c.in:
			if res.IsSuccess() {
				tx.Terminate()
				c.accept(res, req)
				return nil
			}
			if !sent {
				sent = true
				c.cancel(req)
				limit.Reset(64 * c.s.Timing.T1)
			}
		case res := <-tx.Responses():
			if res.StatusCode >= 300 { // it acknowledges repetitions for a while
				return nil
			}
		case <-tx.Done():
			return nil
		case <-limit.C:
			tx.Terminate()
			return nil
		case <-c.s.Quit:
			tx.Terminate()
			return nil
		}
	}
}

// cancel sends CANCEL (RFC 3261 section 9.1).
func (c *Call) cancel(invite *sip.Request) {
	req := sip.NewRequest(sip.CANCEL, *invite.Recipient.Clone())
	req.AppendHeader(invite.Via().Clone())
	for _, name := range []string{"Route", "Max-Forwards", "From", "To", "Call-ID", "User-Agent"} {
		sip.CopyHeaders(name, invite, req)
	}
	req.AppendHeader(&sip.CSeqHeader{SeqNo: invite.CSeq().SeqNo, MethodName: sip.CANCEL})
	c.mu.Lock()
	reason := c.reason
	c.mu.Unlock()
	if reason != "" { // RFC 3326
		cause := "487"
		if strings.Contains(reason, "elsewhere") {
			cause = "200"
		}
		req.AppendHeader(sip.NewHeader("Reason", "SIP;cause="+cause+";text="+field.Quoted(reason)))
	}
	req.SetBody(nil)
	req.SetTransport(invite.Transport())
	req.SetDestination(invite.Destination())
	req.Laddr = invite.Laddr
	c.s.Work.Run(func() {
		if _, _, err := c.s.Ask(req); err != nil {
			c.s.Log.Debug("CANCEL got no answer", "sip_call_id", c.id.Value(), "error", err)
		}
	})
}
