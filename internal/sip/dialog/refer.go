package dialog

import (
	"context"
	"strconv"
	"time"

	"github.com/emiago/sipgo/sip"

	"parley/internal/fault"
	"parley/internal/sip/field"
	"parley/internal/sip/peer"
	"parley/internal/sip/replaces"
	"parley/internal/sip/stack"
)

// transfer waits to hear how a REFER of ours went.
type transfer struct{ news chan int } // SIP statuses; capacity 8

// longestTransfer is how long a transfer that a peer asked for may take.
const longestTransfer = 2 * time.Minute

// Refer implements line.Live. A peer that took the REFER and hangs up without telling how it went has gone where it was sent.
func (d *Dialog) Refer(ctx context.Context, to string) error {
	if !field.URI(to) {
		return fault.New(fault.Invalid, "INVALID_DESTINATION", "%q is not an address to refer to, for example sip:ada@example.com", to)
	}
	t := &transfer{news: make(chan int, 8)}
	d.mu.Lock()
	st, busy := d.state, d.refer != nil
	if st == confirmed && !busy {
		d.refer = t
	}
	d.mu.Unlock()
	switch {
	case st != confirmed:
		return ended()
	case busy:
		return fault.New(fault.Conflict, "REFER_PENDING", "a transfer of this call is under way")
	}
	_, err := d.errand(ctx, func() ([]byte, error) {
		defer d.referred()
		return nil, d.sendRefer(ctx, to, t)
	})
	return err
}

func (d *Dialog) referred() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refer = nil
}

func (d *Dialog) sendRefer(ctx context.Context, to string, t *transfer) error {
	_, res, _, err := d.ask(
		sip.REFER, peer.Content{}, d.contact(), d.s.Allow(), sip.NewHeader("Refer-To", "<"+to+">"), sip.NewHeader("Referred-By", "<"+d.as.From.Address.String()+">"),
	)
	switch {
	case err != nil, res.StatusCode == 408:
		return fault.New(fault.Unavailable, "REFER_UNANSWERED", "the phone did not answer the transfer; try again")
	case !res.IsSuccess():
		return fault.New(fault.Conflict, "REFER_REFUSED", "the phone refused the transfer with status %d", res.StatusCode)
	case field.First(res, "refer-sub") == "false": // RFC 4488: it will not tell
		return nil
	}
	for {
		select {
		case status := <-t.news:
			switch {
			case status >= 300:
				return fault.New(fault.Conflict, "REFER_FAILED", "the call to the new place failed with status %d", status)
			case status >= 200:
				return nil
			}
		case <-d.done:
			return nil
		case <-d.s.Quit:
			return ended()
		case <-ctx.Done():
			return fault.New(fault.Unavailable, "REFER_UNCONFIRMED", "the phone does not tell how the transfer went")
		}
	}
}

// notified takes news of a transfer (RFC 3515 section 2.4.5).
func (d *Dialog) notified(req *sip.Request, tx *sip.ServerTx) {
	d.mu.Lock()
	t := d.refer
	d.mu.Unlock()
	switch {
	case !field.Is(req, "event", "refer"):
		d.s.Reply(req, tx, 489, sip.NewHeader("Allow-Events", "refer"))
		return
	case t == nil:
		d.s.Reply(req, tx, 481)
		return
	}
	status, ok := field.Fragment(req.Body())
	if field.Is(req, "subscription-state", "terminated") && status < 200 { // it will not tell more
		status, ok = 487, true
	}
	if ok {
		select {
		case t.news <- status:
		default:
		}
	}
	d.s.Reply(req, tx, 200)
}

// referrer is a line that takes transfers.
type referrer interface {
	Refer(ctx context.Context, to, replaces string) error
}

// refers takes a REFER of the peer: it is accepted at once, carried out beside, and NOTIFY tells how it goes.
func (d *Dialog) refers(req *sip.Request, tx *sip.ServerTx) {
	to, header, ok := field.ReferTo(req)
	if ok && header != "" {
		_, ok = replaces.Parse(header)
	}
	d.mu.Lock()
	l, able := d.line.(referrer)
	d.mu.Unlock()
	st := d.settled()
	switch {
	case st == over:
		d.s.Reply(req, tx, 481)
		return
	case !ok:
		d.s.Reply(req, tx, 400, sip.NewHeader("Warning", "399 parley "+field.Quoted("REFER needs one Refer-To with a URI, and a Replaces in that names a dialog")))
		return
	case !able:
		d.s.Reply(req, tx, 405, d.s.Allow())
		return
	case st != confirmed:
		d.s.Reply(req, tx, 500, sip.NewHeader("Retry-After", "1"))
		return
	}
	d.s.Reply(req, tx, 202, d.contact(), d.s.Allow())
	silent := field.First(req, "refer-sub") == "false"
	id := strconv.FormatUint(uint64(req.CSeq().SeqNo), 10)
	d.s.Work.Run(func() { d.carryOut(l, to, header, func(code int) { d.tell(silent, id, code) }) })
}

// settled is the dialog's state, with a little patience for an ACK that is on its way in another goroutine.
func (d *Dialog) settled() (st state) {
	for range 10 {
		d.mu.Lock()
		st = d.state
		d.mu.Unlock()
		if st != answered || !d.pause(5*time.Millisecond) {
			break
		}
	}
	return st
}

func (d *Dialog) carryOut(l referrer, to, header string, tell func(code int)) {
	tell(100)
	ctx, cancel := context.WithTimeout(d.s.Life, longestTransfer)
	defer cancel()
	code := 200
	if err := l.Refer(ctx, to, header); err != nil {
		code = d.s.VerdictOf(err).Code
	}
	tell(code)
}

// tell sends a NOTIFY with a status line as its body; the last one ends the subscription.
func (d *Dialog) tell(silent bool, id string, code int) {
	select {
	case <-d.done:
		return
	default:
	}
	if silent {
		return
	}
	state := "active;expires=" + stack.Seconds(longestTransfer)
	if code >= 200 {
		state = "terminated;reason=noresource"
	}
	body := "SIP/2.0 " + strconv.Itoa(code) + " " + stack.Phrase(code) + "\r\n"
	_, _, _, err := d.ask(
		sip.NOTIFY, peer.Content{Kind: "message/sipfrag;version=2.0", Body: []byte(body)}, d.contact(), sip.NewHeader("Event", "refer;id="+id),
		sip.NewHeader("Subscription-State", state),
	)
	if err != nil {
		d.s.Log.Debug("NOTIFY got no answer", "sip_call_id", d.req.CallID().Value(), "error", err)
	}
}
