package dialog

import (
	"context"
	"strconv"
	"time"

	"github.com/emiago/sipgo/sip"

	"parley/internal/sip/digest"
	"parley/internal/sip/field"
	"parley/internal/sip/peer"
	"parley/internal/sip/stack"
)

// Place makes the dialog of an INVITE that we send; it is early until Establish. The request gives Call-ID, our From with its tag, and the
// first CSeq; it is not changed from now on. l is asked for what comes inside the dialog.
func Place(s *stack.Stack, invite *sip.Request, self sip.Uri, keys *digest.Keys, l Line) *Dialog {
	if l == nil {
		l = deaf{}
	}
	from := peer.Sender{Stack: s, From: *invite.From(), ID: *invite.CallID()}
	d := &Dialog{
		origin: origin{as: from, req: invite, keys: keys, self: self},
		s:      s, done: make(chan struct{}), line: l, cseq: invite.CSeq().SeqNo,
	}
	d.session.interval, d.session.ours = s.Timing.SessionExpires, true
	d.session.timer = time.AfterFunc(time.Hour, func() { s.Work.Run(d.tick) })
	d.session.timer.Stop()
	return d
}

// deaf is the line of a call that nobody is behind.
type deaf struct{}

func (deaf) Offer(context.Context, []byte) ([]byte, error) { return nil, ended() }
func (deaf) Answered(context.Context, []byte) error        { return ended() }
func (deaf) Digit(context.Context, string)                 {}

// Next is the next CSeq number of ours.
func (d *Dialog) Next() uint32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cseq++
	return d.cseq
}

// Proposal are the headers of an INVITE of ours that offer a session timer (RFC 4028 section 7.1).
func (d *Dialog) Proposal() []sip.Header {
	d.mu.Lock()
	defer d.mu.Unlock()
	hs := []sip.Header{sip.NewHeader("Session-Expires", stack.Seconds(d.session.interval))}
	if d.session.min > 0 {
		hs = append(hs, sip.NewHeader("Min-SE", stack.Seconds(d.session.min)))
	}
	return hs
}

// Raise takes the interval that a 422 asks for; false when that is no longer than what we offered.
func (d *Dialog) Raise(res *sip.Response) bool {
	least, _, ok := field.Interval(field.First(res, "min-se"))
	d.mu.Lock()
	defer d.mu.Unlock()
	if !ok || least <= d.session.interval {
		return false
	}
	d.session.interval, d.session.min = least, least
	return true
}

// Early makes a leg the one that requests inside the unanswered call belong to. agreed tells that it has answered our offer for good.
func (d *Dialog) Early(leg peer.Leg, agreed bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.state == early {
		d.leg, d.agreed = leg, agreed
	}
}

// Establish makes the dialog that of a 2xx; false when it is over or has a 2xx already.
func (d *Dialog) Establish(leg peer.Leg, res *sip.Response) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.state != early {
		return false
	}
	if d.leg.Tag() != leg.Tag() {
		d.remote = 0 // numbers of another phone
	}
	d.state, d.leg, d.agreed = confirmed, leg, true
	if interval, refresher, ok := field.Interval(field.First(res, "session-expires", "x")); ok {
		d.session.interval, d.session.peer = interval, true
		d.session.ours = refresher != "uas"
	}
	d.armLocked()
	return true
}

// Tag is the tag of the peer that requests inside the dialog carry; "" as long as there is none.
func (d *Dialog) Tag() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.leg.Tag()
}

// Answered tells that the call has been answered and is not over.
func (d *Dialog) Answered() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state == answered || d.state == confirmed
}

// Standing is how a dialog stands.
type Standing struct {
	Line        Line
	Early, Over bool
	Ours        bool   // the INVITE was
	Source      string // IP:PORT that the peer's last target refresh came from
}

// Standing returns how the dialog stands just now.
func (d *Dialog) Standing() Standing {
	d.mu.Lock()
	defer d.mu.Unlock()
	return Standing{d.line, d.state == early, d.state == over, d.tx == nil, d.leg.Source}
}

// End closes an INVITE of ours that has no answer yet: by "remote" or "local", with the status of a failure or 0. It returns false when there
// is an answer; later causes do not count.
func (d *Dialog) End(by string, status int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.state == early {
		d.endLocked(by, status)
	}
	return d.state == over
}

// Prack confirms a reliable provisional response of a leg (RFC 3262 section 4). It waits for the answer.
func (d *Dialog) Prack(leg peer.Leg, rseq, invite uint32) error {
	rack := sip.NewHeader("RAck", strconv.FormatUint(uint64(rseq), 10)+" "+strconv.FormatUint(uint64(invite), 10)+" INVITE")
	_, _, _, err := d.s.AskAs(d.keys, func() (*sip.Request, error) {
		return d.as.Make(&leg, sip.CSeqHeader{SeqNo: d.Next(), MethodName: sip.PRACK}, peer.Content{}, rack)
	})
	return err
}

// Dismiss says goodbye to a leg that answered too late or beside another one. It waits for the answer.
func (d *Dialog) Dismiss(leg peer.Leg, reason string) error {
	_, _, _, err := d.s.AskAs(d.keys, func() (*sip.Request, error) {
		return d.as.Make(&leg, sip.CSeqHeader{SeqNo: d.Next(), MethodName: sip.BYE}, peer.Content{}, reasonHeader(0, reason)...)
	})
	return err
}
