// Package dialog holds INVITE dialogs, those that peers open and what is common to those that we open: final and reliable provisional
// responses with their repetition, requests inside the dialog in both directions, route sets and target refresh, offers' turns and glare,
// session timers, transfers. It starts a goroutine for each request that it sends on its own (BYE, refresh) and for each transfer, counted in
// Stack.Work. Which requests start a dialog and who may call is left to package sip, the INVITEs that we send to package dial, and what the
// session means to the line.
package dialog

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"

	"parley/internal/fault"
	"parley/internal/line"
	"parley/internal/sip/digest"
	"parley/internal/sip/field"
	"parley/internal/sip/peer"
	"parley/internal/sip/prack"
	"parley/internal/sip/stack"
)

// state of a dialog; it only grows.
type state uint8

const (
	early     state = iota // INVITE without a final response
	answered               // 2xx sent
	confirmed              // ACK seen
	over
)

// Errors of a dialog that ended or is about to.
var (
	errOver    = errors.New("the dialog is over")
	errNoACK   = errors.New("no ACK came")
	errNoPRACK = errors.New("no PRACK came")
)

// Dialog is our side of one INVITE dialog (RFC 3261 section 12); one that a peer opened implements line.Dialog. Requests inside
// the dialog come in goroutines of their own, so everything below mu is shared; no method of a transaction is called with mu held, since
// a CANCEL calls back with the transaction's lock held.
type Dialog struct {
	origin
	s    *stack.Stack
	done chan struct{}

	mu      sync.Mutex
	state   state
	line    Line
	by      string // who ended it
	status  int    // of a failure, or 0
	leg     peer.Leg
	agreed  bool // offer and answer of the INVITE have met
	session session
	cseq    uint32   // of our last request
	remote  uint32   // of the peer's last INVITE or UPDATE
	passed  uint32   // of the peer's last request that INFO need not wait for
	turn    turn     // whose offer is open
	pending *pending // a 2xx of ours that waits for its ACK
	ring    *prack.Response
	refer   *transfer // a REFER of ours that waits to hear how it went
}

// origin is what a dialog was made of; it does not change.
type origin struct {
	as   peer.Sender
	req  *sip.Request  // the INVITE; of ours the first one
	tx   *sip.ServerTx // nil for an INVITE of ours
	keys *digest.Keys  // that we answer challenges with, or nil
	self sip.Uri       // scheme and user of our Contact
}

// turn says whose INVITE or offer is open.
type turn uint8

const (
	nobody turn = iota
	ours
	theirs
)

// pending waits for the ACK of one 2xx.
type pending struct {
	cseq uint32
	ack  chan *sip.Request // capacity 1
}

var _ line.Dialog = (*Dialog)(nil)

// Line is the running call as a dialog sees it; see line.Line for the promises.
type Line interface {
	Offer(ctx context.Context, offer []byte) (answer []byte, err error)
	Answered(ctx context.Context, answer []byte) error
	Digit(ctx context.Context, digit string)
}

// New makes the dialog that an INVITE starts. The request carries the dialog's To tag already, and is not changed from now on. A verdict
// means that the INVITE cannot be served.
func New(s *stack.Stack, req *sip.Request, tx *sip.ServerTx) (*Dialog, *stack.Verdict) {
	if c := req.Contact(); c != nil && (c.Address.Host == "" || c.Address.Wildcard) {
		return nil, stack.Refuse(400, sip.NewHeader("Warning", "399 parley "+field.Quoted("INVITE without a usable Contact")))
	}
	sess, v := negotiate(s, req)
	if v != nil {
		return nil, v
	}
	d := &Dialog{
		origin: origin{as: peer.Sender{Stack: s, From: req.To().AsFrom(), ID: *req.CallID()}, req: req, tx: tx, self: req.Recipient},
		s:      s, done: make(chan struct{}), remote: req.CSeq().SeqNo, session: sess, leg: peer.Of(req),
	}
	d.session.timer = time.AfterFunc(s.Timing.Answer, func() { s.Work.Run(d.tick) })
	return d, nil
}

// Drop gives a dialog up that has sent and promised nothing.
func (d *Dialog) Drop() { d.end("local", 0) }

// Attach tells the dialog whom to ask; it precedes Answer.
func (d *Dialog) Attach(l Line) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.line = l
}

// Cancelled ends the dialog for a CANCEL that the transaction layer has answered, the INVITE's 487 included.
func (d *Dialog) Cancelled() {
	if _, first := d.end("remote", 487); first {
		d.s.Count(487)
	}
}

// end closes the dialog once; later causes do not count. It returns whether this call was the one and in which state the dialog was.
func (d *Dialog) end(by string, status int) (was state, first bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.state == over {
		return over, false
	}
	was = d.state
	d.endLocked(by, status)
	return was, true
}

// endLocked closes the dialog. d.mu is held.
func (d *Dialog) endLocked(by string, status int) {
	d.state, d.by, d.status = over, by, status
	d.session.timer.Stop()
	close(d.done)
}

// Close makes sure that nothing is left when the line has gone.
func (d *Dialog) Close() {
	d.mu.Lock()
	st := d.state
	d.mu.Unlock()
	switch st {
	case early:
		d.Reject(fault.New(fault.Conflict, "CALL_NOT_ANSWERED", "nobody answered"))
	case answered, confirmed:
		d.Hangup("")
	}
}

// Ring implements line.Dialog. What the caller requires to be reliable, and early media where it knows how, is repeated until PRACK comes (RFC 3262).
func (d *Dialog) Ring(ctx context.Context, body []byte) error {
	status, asked := 180, []string{"require"}
	if body != nil {
		status, asked = 183, append(asked, "supported", "k")
	}
	headers := []sip.Header{d.contact(), d.s.Allow()}
	d.mu.Lock()
	if d.state != early {
		d.mu.Unlock()
		return errOver
	}
	if !field.Lists(d.req, "100rel", asked...) {
		d.mu.Unlock()
		return d.s.Send(d.tx, d.s.Response(d.req, status, body, headers...))
	}
	d.ring = prack.Next(d.ring, d.req.CSeq().SeqNo)
	r := d.ring
	d.mu.Unlock()
	res := d.s.Response(d.req, status, body, append(headers, r.Headers()...)...)
	_, err := d.repeat(ctx, func() error { return d.s.Send(d.tx, res) }, errNoPRACK, r.Came(), nil)
	d.mu.Lock()
	d.agreed = d.agreed || err == nil && body != nil
	d.mu.Unlock()
	if errors.Is(err, errNoPRACK) {
		d.RejectWith(d.s.Response(d.req, 504, nil))
	}
	return err
}

// Answer implements line.Dialog: 200, repeated until ACK. Without an ACK the dialog ends with BYE (RFC 3261 section 13.3.1.4).
func (d *Dialog) Answer(ctx context.Context, body []byte) ([]byte, error) {
	d.mu.Lock()
	if d.state != early {
		d.mu.Unlock()
		return nil, errOver
	}
	d.state = answered
	d.session.timer.Stop()
	headers := d.session.headers()
	d.mu.Unlock()
	headers = append(headers, d.contact(), d.s.Allow(), sip.NewHeader("Supported", stack.Supported))
	ack, err := d.confirm(ctx, d.req, d.tx, d.s.Response(d.req, 200, body, headers...))
	switch {
	case errors.Is(err, sip.ErrTransactionCanceled): // the CANCEL came first and has been answered
		d.Cancelled()
		return nil, err
	case errors.Is(err, errOver): // a BYE that overtook the ACK, or came instead of it, confirms as well
		return nil, nil
	case err != nil:
		d.bye(statusOf(ctx, err), "the call was not confirmed")
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.state == answered {
		d.state = confirmed
		d.armLocked()
	}
	return answerOf(ack), nil
}

// statusOf is the status that a failed confirmation leaves behind: 0 when we ended it ourselves.
func statusOf(ctx context.Context, err error) int {
	switch {
	case errors.Is(err, errNoACK):
		return 408
	case ctx.Err() != nil, errors.Is(err, stack.ErrStopping):
		return 0
	}
	return 503
}

// confirm sends a 2xx and repeats it until its ACK, for 64 T1 at most.
func (d *Dialog) confirm(ctx context.Context, req *sip.Request, tx *sip.ServerTx, res *sip.Response) (*sip.Request, error) {
	p := &pending{cseq: req.CSeq().SeqNo, ack: make(chan *sip.Request, 1)}
	d.setPending(p)
	defer d.setPending(nil)
	// Peers that repeat the branch of the INVITE in their ACK reach the transaction instead of the dialog.
	return d.repeat(ctx, func() error { return d.s.Send(tx, res) }, errNoACK, p.ack, tx.Acks())
}

func (d *Dialog) setPending(p *pending) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pending = p
}

// repeat sends until a request comes by one of the channels: after T1, then twice as long each time up to 8 T1, for 64 T1 at most; then
// it returns late.
func (d *Dialog) repeat(ctx context.Context, send func() error, late error, got, also <-chan *sip.Request) (*sip.Request, error) {
	if err := send(); err != nil {
		return nil, err
	}
	t1 := d.s.Timing.T1
	limit := time.NewTimer(64 * t1)
	defer limit.Stop()
	again := time.NewTimer(t1)
	defer again.Stop()
	for wait := t1; ; {
		select {
		case req := <-got:
			return req, nil
		case req := <-also:
			return req, nil
		case <-again.C:
			if err := send(); err != nil {
				return nil, err
			}
			wait = min(2*wait, 8*t1)
			again.Reset(wait)
		case <-limit.C:
			return nil, late
		case <-d.done:
			select {
			case req := <-got: // it came first
				return req, nil
			default:
				return nil, errOver
			}
		case <-d.s.Quit:
			return nil, stack.ErrStopping
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Acked hands the ACK of a 2xx to whoever waits for it.
func (d *Dialog) Acked(req *sip.Request) {
	d.mu.Lock()
	p := d.pending
	d.mu.Unlock()
	if p == nil || req.CSeq() == nil || req.CSeq().SeqNo != p.cseq {
		return
	}
	select {
	case p.ack <- req:
	default: // repeated
	}
}

// Reject implements line.Dialog.
func (d *Dialog) Reject(err error) {
	v := d.s.VerdictOf(err)
	d.RejectWith(d.s.Response(d.req, v.Code, nil, v.Headers...))
}

// RejectWith refuses an unanswered call with a response of its own, such as a challenge.
func (d *Dialog) RejectWith(res *sip.Response) {
	d.mu.Lock()
	st := d.state
	d.mu.Unlock()
	if st != early {
		return
	}
	if _, first := d.end("local", res.StatusCode); first {
		_ = d.s.Send(d.tx, res)
	}
}

// Hangup implements line.Dialog. It returns at once; the BYE is repeated in the background until it is answered.
func (d *Dialog) Hangup(reason string) {
	d.mu.Lock()
	st := d.state
	d.mu.Unlock()
	if st == early {
		d.Reject(fault.New(fault.Conflict, "CALL_ENDED", "%s", reason))
		return
	}
	d.bye(0, reason)
}

// Done implements line.Dialog.
func (d *Dialog) Done() <-chan struct{} { return d.done }

// Cause implements line.Dialog.
func (d *Dialog) Cause() (by string, status int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.by, d.status
}

// contact is our own target with the feature tag of a conference focus (RFC 4579 section 4.2).
func (d *Dialog) contact() *sip.ContactHeader {
	d.mu.Lock()
	at := stack.Way{Network: d.leg.Network, Addr: d.leg.Source}
	d.mu.Unlock()
	return Contact(d.s, at, &d.self)
}

// Contact is the Contact of an INVITE or of an answer to one: scheme and user of self, and where the peer at the end of the way reaches us.
func Contact(s *stack.Stack, at stack.Way, self *sip.Uri) *sip.ContactHeader {
	c := &sip.ContactHeader{Address: s.Self(at)}
	c.Address.User, c.Address.Password = self.User, self.Password
	if self.IsEncrypted() { // RFC 3261 section 12.1.1
		c.Address.Scheme = "sips"
	}
	c.Params.Add("isfocus", "")
	return c
}
