package dialog

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/emiago/sipgo/sip"

	"parley/internal/sip/field"
	"parley/internal/sip/peer"
	"parley/internal/sip/stack"
)

// session is the session timer of a dialog (RFC 4028). interval is 0 when neither side wants one.
type session struct {
	interval time.Duration
	min      time.Duration // the largest Min-SE that the peer named
	ours     bool          // we refresh
	peer     bool          // the peer knows session timers
	expires  time.Time     // when the session dies without a refresh
	due      time.Time     // when the timer fires
	timer    *time.Timer   // stopped when the dialog ends
}

// negotiate answers the session timer of a request (RFC 4028 section 9): a shorter interval than we take is refused where the peer can
// understand that, a missing one becomes ours, and the refresher is who was asked for, else the peer if it asked for a timer.
func negotiate(s *stack.Stack, req *sip.Request) (session, *stack.Verdict) {
	t := session{peer: field.Lists(req, "timer", "supported", "k", "require"), interval: s.Timing.SessionExpires}
	if v := field.First(req, "min-se"); v != "" {
		t.min, _, _ = field.Interval(v)
	}
	t.interval = max(t.interval, t.min)
	t.ours = true
	value := field.First(req, "session-expires", "x")
	if value == "" {
		return t, nil
	}
	asked, refresher, ok := field.Interval(value)
	switch {
	case !ok:
		return t, stack.Refuse(400, sip.NewHeader("Warning", "399 parley "+field.Quoted("Session-Expires is not a number of seconds")))
	case asked < s.Timing.MinSE && t.peer:
		return t, stack.Refuse(422, sip.NewHeader("Min-SE", stack.Seconds(s.Timing.MinSE)))
	case asked < s.Timing.MinSE: // a proxy's wish, which may be raised
		asked = s.Timing.MinSE
	}
	t.interval = max(min(asked, t.interval), t.min)
	t.ours = !t.peer || refresher == "uas"
	return t, nil
}

// headers are those of our 2xx to the request that was negotiated.
func (t *session) headers() []sip.Header {
	if t.interval == 0 {
		return nil
	}
	refresher := "uas"
	if !t.ours {
		refresher = "uac"
	}
	hs := []sip.Header{sip.NewHeader("Session-Expires", stack.Seconds(t.interval)+";refresher="+refresher)}
	if t.peer {
		hs = append(hs, sip.NewHeader("Require", "timer"))
	}
	return hs
}

// renew takes a session timer that was negotiated anew, keeping the running timer.
func (d *Dialog) renew(t session) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t.timer = d.session.timer
	d.session = t
	d.armLocked()
}

// armLocked starts the interval over: a refresher acts at half of it, the other side hangs up a little before its end (RFC 4028
// section 10). d.mu is held.
func (d *Dialog) armLocked() {
	t := &d.session
	if d.state == over || t.interval == 0 {
		return
	}
	t.expires = time.Now().Add(t.interval)
	wait := t.interval - min(32*time.Second, t.interval/3)
	if t.ours {
		wait = t.interval / 2
	}
	t.wake(wait)
}

func (t *session) wake(wait time.Duration) {
	t.due = time.Now().Add(wait)
	t.timer.Reset(wait)
}

// tick is the timer: of an INVITE that nobody answers, of a session to refresh, or of one that the peer forgot.
func (d *Dialog) tick() {
	d.mu.Lock()
	st, t := d.state, d.session
	d.mu.Unlock()
	switch {
	case st == early && d.tx == nil: // package dial has a timer of its own
	case st == early:
		d.RejectWith(d.s.Response(d.req, 480, nil))
	case st != confirmed || time.Until(t.due) > 10*time.Millisecond: // set anew meanwhile
	case !t.ours:
		d.bye(408, "session timer expired")
	default:
		d.refresh()
	}
}

// refresh keeps the session alive: by UPDATE without an offer where the peer takes it, else by re-INVITE.
func (d *Dialog) refresh() {
	d.mu.Lock()
	byUpdate := d.leg.Update
	if !byUpdate && d.turn != nobody {
		d.session.wake(d.s.Timing.T1) // their re-INVITE may refresh it anyway
		d.mu.Unlock()
		return
	}
	if !byUpdate {
		d.turn = ours
	}
	d.mu.Unlock()
	headers := append([]sip.Header{d.contact(), d.s.Allow(), sip.NewHeader("Supported", stack.Supported)}, d.refreshing()...)
	var res *sip.Response
	var err error
	if byUpdate {
		_, res, _, err = d.ask(sip.UPDATE, peer.Content{}, headers...)
	} else {
		res, err = d.refreshByInvite(headers)
	}
	d.refreshed(res, err, byUpdate)
}

// refreshing are the headers of a request that refreshes the session; whoever refreshes goes on to do so.
func (d *Dialog) refreshing() []sip.Header {
	d.mu.Lock()
	t := d.session
	d.mu.Unlock()
	refresher := "uac"
	if !t.ours {
		refresher = "uas"
	}
	headers := []sip.Header{sip.NewHeader("Session-Expires", stack.Seconds(t.interval)+";refresher="+refresher)}
	if t.min > 0 {
		headers = append(headers, sip.NewHeader("Min-SE", stack.Seconds(t.min)))
	}
	return headers
}

func (d *Dialog) refreshByInvite(headers []sip.Header) (*sip.Response, error) {
	defer d.release()
	ctx, cancel := d.asking()
	defer cancel()
	offer, err := d.line.Offer(ctx, nil)
	if err != nil {
		return nil, errNoOffer
	}
	res, err := d.reinvite(offer, headers...)
	if err != nil || !res.IsSuccess() || answerOf(res) == nil {
		return res, err
	}
	if err := d.line.Answered(ctx, answerOf(res)); err != nil { // the session stays as it was
		d.s.Log.Warn("answer to our re-INVITE cannot be used", "sip_call_id", d.req.CallID().Value(), "error", err)
	}
	return res, nil
}

// refreshed goes by the answer to a refresh (RFC 4028 section 10, RFC 3261 sections 12.2.1.2 and 14.1).
func (d *Dialog) refreshed(res *sip.Response, err error, byUpdate bool) {
	switch {
	case errors.Is(err, stack.ErrStopping):
	case errors.Is(err, errNoOffer):
		d.retry()
	case res == nil, res.StatusCode == 408:
		d.bye(408, "session refresh got no answer")
	case res.StatusCode == 481:
		d.end("remote", 481) // the peer does not know the dialog: nothing to say goodbye to
	case res.IsSuccess():
		d.adopt(res)
	case res.StatusCode == 422:
		d.longer(res)
	case res.StatusCode == 491: // glare
		d.wakeIn(d.patience())
	case byUpdate:
		d.mu.Lock()
		d.leg.Update = false
		d.session.wake(time.Millisecond)
		d.mu.Unlock()
	default:
		d.retry()
	}
}

// patience is how long to wait after glare (RFC 3261 section 14.1): whoever made the Call-ID waits longer.
func (d *Dialog) patience() time.Duration {
	if d.tx == nil {
		return time.Duration(2100+10*rand.IntN(190)) * time.Millisecond
	}
	return time.Duration(10+10*rand.IntN(199)) * time.Millisecond
}

// adopt takes what the peer agreed to. Without Session-Expires in its answer it has no timer and we stay the refresher.
func (d *Dialog) adopt(res *sip.Response) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c := res.Contact(); c != nil && c.Address.Host != "" && !d.leg.NAT {
		d.leg.Target = *c.Address.Clone()
	}
	if interval, refresher, ok := field.Interval(field.First(res, "session-expires", "x")); ok {
		d.session.interval = max(interval, d.s.Timing.MinSE)
		d.session.ours = refresher != "uas"
	}
	d.armLocked()
}

// longer tries again at once with the interval that a 422 asks for; a 422 that asks for no more than we offered is a failure.
func (d *Dialog) longer(res *sip.Response) {
	least, _, ok := field.Interval(field.First(res, "min-se"))
	d.mu.Lock()
	if !ok || least <= d.session.interval {
		d.mu.Unlock()
		d.retry()
		return
	}
	d.session.interval, d.session.min = least, least
	d.session.wake(time.Millisecond)
	d.mu.Unlock()
}

// retry waits half of the time that is left, and gives up when that is no more than a second.
func (d *Dialog) retry() {
	d.mu.Lock()
	left := time.Until(d.session.expires)
	d.mu.Unlock()
	if left < 2*time.Second {
		d.bye(408, "session refresh was refused")
		return
	}
	d.wakeIn(left / 2)
}

func (d *Dialog) wakeIn(wait time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.state != over {
		d.session.wake(wait)
	}
}
