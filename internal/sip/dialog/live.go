package dialog

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/emiago/sipgo/sip"

	"parley/internal/fault"
	"parley/internal/line"
	"parley/internal/sip/field"
	"parley/internal/sip/peer"
	"parley/internal/sip/stack"
)

var _ line.Live = (*Dialog)(nil)

// outcome is what an errand brings back.
type outcome struct {
	answer []byte
	err    error
}

// errand runs f in a goroutine of its own and waits for it as long as ctx allows: what has been begun with the peer is brought to an end also
// when nobody waits any more.
func (d *Dialog) errand(ctx context.Context, f func() ([]byte, error)) ([]byte, error) {
	out := make(chan outcome, 1)
	if !d.s.Work.Enter() {
		return nil, ended()
	}
	go func() {
		defer d.s.Work.Leave()
		answer, err := f()
		out <- outcome{answer, err}
	}()
	select {
	case o := <-out:
		return o.answer, o.err
	case <-ctx.Done():
		return nil, fault.New(fault.Unavailable, "REQUEST_TIMEOUT", "the phone did not answer in time; try again")
	}
}

func ended() error { return fault.New(fault.Conflict, "CALL_ENDED", "the call is over") }

// Reoffer implements line.Live.
func (d *Dialog) Reoffer(ctx context.Context, offer []byte) ([]byte, error) {
	return d.errand(ctx, func() ([]byte, error) {
		answer, err := d.reoffer(ctx, offer)
		if err == nil && ctx.Err() != nil { // nobody waits: the line hears of it as of any answer
			late, cancel := d.asking()
			defer cancel()
			err = d.line.Answered(late, answer)
		}
		return answer, err
	})
}

// reoffer sends the offer until the peer has decided. Glare and the peer's own open INVITE are waited for.
func (d *Dialog) reoffer(ctx context.Context, offer []byte) ([]byte, error) {
	timers := true
	for range 8 {
		if err := d.ourTurn(ctx); err != nil {
			return nil, err
		}
		headers := []sip.Header{d.contact(), d.s.Allow(), sip.NewHeader("Supported", stack.Supported)}
		if timers {
			headers = append(headers, d.refreshing()...)
		}
		res, err := d.reinvite(offer, headers...)
		d.release()
		wait := d.patience()
		switch {
		case errors.Is(err, stack.ErrStopping):
			return nil, ended()
		case err != nil, res.StatusCode == 408:
			d.bye(408, "the offer got no answer")
			return nil, ended()
		case res.StatusCode == 481:
			d.end("remote", 481)
			return nil, ended()
		case res.IsSuccess() && answerOf(res) == nil:
			return nil, fault.New(fault.Conflict, "OFFER_REFUSED", "the phone took the offer without an answer")
		case res.IsSuccess():
			d.adopt(res)
			return answerOf(res), nil
		case res.StatusCode == 422: // another time
			timers, wait = false, 0
		case res.StatusCode == 500 && res.GetHeader("retry-after") != nil:
			seconds, _ := strconv.Atoi(field.First(res, "retry-after"))
			wait = time.Duration(min(max(seconds, 1), 10)) * time.Second
		case res.StatusCode != 491:
			return nil, fault.New(fault.Conflict, "OFFER_REFUSED", "the phone refused the offer with status %d", res.StatusCode)
		}
		if !d.wait(ctx, wait) {
			break
		}
	}
	return nil, fault.New(fault.Unavailable, "OFFER_PENDING", "the phone was busy with an offer of its own; try again")
}

// ourTurn takes the offers' turn as soon as the call is confirmed and no other offer is open.
func (d *Dialog) ourTurn(ctx context.Context) error {
	for {
		d.mu.Lock()
		st, free := d.state, d.turn == nobody
		if st == confirmed && free {
			d.turn = ours
		}
		d.mu.Unlock()
		switch {
		case st == over, st == early:
			return ended()
		case st == confirmed && free:
			return nil
		case !d.wait(ctx, 20*time.Millisecond):
			return ended()
		}
	}
}

// wait is pause that ends with ctx too.
func (d *Dialog) wait(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-d.done:
	case <-d.s.Quit:
	}
	return false
}

// Message implements line.Live.
func (d *Dialog) Message(ctx context.Context, contentType string, body []byte) error {
	d.mu.Lock()
	st, takes := d.state, d.leg.Message
	d.mu.Unlock()
	switch {
	case st == early, st == over:
		return ended()
	case !takes:
		return fault.New(fault.Conflict, "MESSAGE_REFUSED", "the phone takes no messages")
	case !field.Token(contentType):
		return fault.New(fault.Invalid, "INVALID_CONTENT_TYPE", "%q is not a content type, for example text/plain", contentType)
	}
	_, err := d.errand(ctx, func() ([]byte, error) {
		_, res, _, err := d.ask(sip.MESSAGE, peer.Content{Kind: contentType, Body: body})
		switch {
		case err != nil, res.StatusCode == 408, res.StatusCode == 503, res.StatusCode == 504:
			return nil, fault.New(fault.Unavailable, "MESSAGE_UNANSWERED", "the phone did not confirm the message; try again")
		case !res.IsSuccess():
			return nil, fault.New(fault.Conflict, "MESSAGE_REFUSED", "the phone refused the message with status %d", res.StatusCode)
		}
		return nil, nil
	})
	return err
}

// texter is a line that takes messages.
type texter interface {
	Message(ctx context.Context, contentType string, body []byte) error
}

// messaged hands a SIP MESSAGE inside the dialog to the line.
func (d *Dialog) messaged(req *sip.Request, tx *sip.ServerTx) {
	defer d.pass(req)
	d.mu.Lock()
	l, ok := d.line.(texter)
	st := d.state
	d.mu.Unlock()
	switch {
	case st == over:
		d.s.Reply(req, tx, 481)
		return
	case !ok:
		d.s.Reply(req, tx, 405, d.s.Allow())
		return
	}
	d.inTurn(req)
	ctx, cancel := d.asking()
	defer cancel()
	code, headers := 200, []sip.Header(nil)
	if err := l.Message(ctx, field.First(req, "content-type", "c"), req.Body()); err != nil {
		v := d.s.VerdictOf(err)
		code, headers = v.Code, v.Headers
	}
	d.s.Reply(req, tx, code, headers...)
}
