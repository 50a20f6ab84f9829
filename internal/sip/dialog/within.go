package dialog

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/emiago/sipgo/sip"

	"parley/internal/sip/field"
	"parley/internal/sip/stack"
)

// Within answers a request inside the dialog.
func (d *Dialog) Within(req *sip.Request, tx *sip.ServerTx) {
	if req.Method != sip.INFO && req.Method != sip.MESSAGE {
		d.pass(req)
	}
	switch req.Method {
	case sip.BYE:
		d.byed(req, tx)
	case sip.INVITE:
		d.reoffered(req, tx)
	case sip.UPDATE:
		d.updated(req, tx)
	case sip.INFO:
		d.informed(req, tx)
	case sip.PRACK:
		d.pracked(req, tx)
	case sip.REFER:
		d.refers(req, tx)
	case sip.NOTIFY:
		d.notified(req, tx)
	case sip.MESSAGE:
		d.messaged(req, tx)
	case sip.OPTIONS:
		d.s.Reply(req, tx, 200, d.s.Abilities()...)
	default: // a CANCEL whose INVITE is over
		d.s.Reply(req, tx, 481)
	}
}

// byed ends the dialog for the peer. A BYE before our final response also ends the INVITE (RFC 3261 section 15.1.2).
func (d *Dialog) byed(req *sip.Request, tx *sip.ServerTx) {
	was, first := d.end("remote", 0)
	if first && was == early && d.tx != nil {
		_ = d.s.Send(d.tx, d.s.Response(d.req, 487, nil))
	}
	d.s.Reply(req, tx, 200)
}

// informed takes a key. A body is of a known type here; an INFO without one is a sign of life.
func (d *Dialog) informed(req *sip.Request, tx *sip.ServerTx) {
	defer d.pass(req)
	d.mu.Lock()
	l, st := d.line, d.state
	d.mu.Unlock()
	if st == over || l == nil {
		d.s.Reply(req, tx, 481)
		return
	}
	if len(req.Body()) == 0 {
		d.s.Reply(req, tx, 200)
		return
	}
	digit, ok := field.Digit(req.Body())
	if !ok {
		d.s.Reply(req, tx, 400, sip.NewHeader("Warning", "399 parley "+field.Quoted("the body names no key of 0-9 * # A-D")))
		return
	}
	d.inTurn(req)
	ctx, cancel := d.asking()
	defer cancel()
	l.Digit(ctx, digit)
	d.s.Reply(req, tx, 200)
}

// inTurn waits for the request before this one: keys that a phone sends without waiting for answers come in a goroutine each, and their order
// counts. A number that stays away (lost, or skipped by the phone) is not waited for long.
func (d *Dialog) inTurn(req *sip.Request) {
	var known uint32
	for patience := 20; patience > 0; patience-- {
		d.mu.Lock()
		now := max(d.remote, d.passed)
		d.mu.Unlock()
		if now != known {
			known, patience = now, 20
		}
		if req.CSeq().SeqNo <= now+1 || !d.pause(5*time.Millisecond) {
			return
		}
	}
}

// pass lets requests after this one go on.
func (d *Dialog) pass(req *sip.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.passed = max(d.passed, req.CSeq().SeqNo)
}

// claim is take with a little patience: an ACK that was sent before the request may be on its way in another goroutine.
func (d *Dialog) claim(req *sip.Request, offers bool) *stack.Verdict {
	v := d.take(req, offers)
	for try := 0; try < 10 && v != nil && (v.Code == 491 || len(v.Headers) > 0) && d.pause(5*time.Millisecond); try++ {
		v = d.take(req, offers)
	}
	return v
}

// asking bounds a question to the line.
func (d *Dialog) asking() (context.Context, context.CancelFunc) {
	return context.WithTimeout(d.s.Life, 10*time.Second)
}

// pause waits; it ends early and returns false when the dialog or the server ends.
func (d *Dialog) pause(wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-d.done:
	case <-d.s.Quit:
	}
	return false
}

// take gives the offers' turn to the peer, or says why not: our own INVITE is open or its first one not acknowledged yet (491), or another
// of its own is (500 with Retry-After), or the request is out of order (500) (RFC 3261 sections 12.2.2 and 14.2, RFC 3311 section 5.2).
func (d *Dialog) take(req *sip.Request, offers bool) *stack.Verdict {
	d.mu.Lock()
	defer d.mu.Unlock()
	later := sip.NewHeader("Retry-After", stack.Seconds(time.Duration(rand.IntN(10)+1)*time.Second))
	switch {
	case d.state == over:
		return stack.Refuse(481)
	case req.CSeq().SeqNo <= d.remote:
		return stack.Refuse(500)
	case offers && d.state == early && d.tx != nil, offers && d.turn == theirs:
		return stack.Refuse(500, later)
	case offers && (d.state == answered || d.turn == ours || d.state == early && !d.agreed):
		return stack.Refuse(491)
	}
	d.remote = req.CSeq().SeqNo
	if offers {
		d.turn = theirs
	}
	return nil
}

func (d *Dialog) release() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.turn = nobody
}

// reoffered answers a re-INVITE: with an answer to its offer, or with an offer of ours whose answer the ACK brings. Without an ACK the call
// ends.
func (d *Dialog) reoffered(req *sip.Request, tx *sip.ServerTx) {
	if v := d.claim(req, true); v != nil {
		d.s.Reply(req, tx, v.Code, v.Headers...)
		return
	}
	defer d.release()
	d.s.Reply(req, tx, 100)
	res := d.agree(req, tx, true)
	if res == nil {
		return
	}
	late := len(req.Body()) == 0
	ack, err := d.confirm(context.Background(), req, tx, res)
	switch {
	case errors.Is(err, errNoACK):
		d.bye(408, "no ACK came")
	case err != nil:
	case late && answerOf(ack) != nil:
		ctx, cancel := d.asking()
		defer cancel()
		if err := d.line.Answered(ctx, answerOf(ack)); err != nil {
			v := d.s.VerdictOf(err)
			d.bye(v.Code, "the answer cannot be used")
		}
	}
}

// updated answers an UPDATE. Without an offer it refreshes target and session timer only.
func (d *Dialog) updated(req *sip.Request, tx *sip.ServerTx) {
	offers := len(req.Body()) > 0
	if v := d.claim(req, offers); v != nil {
		d.s.Reply(req, tx, v.Code, v.Headers...)
		return
	}
	if offers {
		defer d.release()
	}
	if res := d.agree(req, tx, offers); res != nil {
		_ = d.s.Send(tx, res)
	}
}

// agree negotiates a target refresh request and makes its 200; nil when it has been refused, which leaves the session as it was.
func (d *Dialog) agree(req *sip.Request, tx *sip.ServerTx, media bool) *sip.Response {
	t, v := negotiate(d.s, req)
	var body []byte
	if v == nil && media {
		var err error
		var offer []byte
		if len(req.Body()) > 0 {
			offer = req.Body()
		}
		ctx, cancel := d.asking()
		body, err = d.line.Offer(ctx, offer)
		cancel()
		if err != nil {
			v = d.s.VerdictOf(err)
		}
	}
	if v != nil {
		d.s.Reply(req, tx, v.Code, v.Headers...)
		return nil
	}
	d.mu.Lock()
	d.leg.Refresh(req)
	confirmed := d.state == confirmed
	d.mu.Unlock()
	headers := []sip.Header{d.contact(), d.s.Allow(), sip.NewHeader("Supported", stack.Supported)}
	if confirmed {
		d.renew(t)
		headers = append(headers, t.headers()...)
	}
	return d.s.Response(req, 200, body, headers...)
}

// pracked answers a PRACK.
func (d *Dialog) pracked(req *sip.Request, tx *sip.ServerTx) {
	d.mu.Lock()
	r := d.ring
	d.mu.Unlock()
	d.s.Reply(req, tx, r.Take(req))
}
