package line

import (
	"context"
	"fmt"

	"parley/internal/call"
	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/line/callee"
	"parley/internal/line/finish"
	"parley/internal/wall"
)

// Heir is a phone that takes the place of another one in a live call (RFC 3891): the call goes on, in the same seat or at the same step of its flow, with
// another dialog. It is run like a Line, and has run when its dialog is over.
type Heir struct {
	*Line
	in Invite
	d  Dialog
}

// Replace makes an Heir. A phone may take the place of another one of its customer; same says that the invite comes from where that one's requests come
// from, which does for a phone that has no credentials. Others are refused: a fault.Unauthenticated when credentials may help.
func (l *Line) Replace(in Invite, d Dialog, same bool) (*Heir, error) {
	switch {
	case in.CustomerID == l.customer, in.CustomerID == "" && same:
	case in.CustomerID == "":
		return nil, fault.New(fault.Unauthenticated, "AUTHENTICATION_REQUIRED", "to replace a call takes the credentials of an extension")
	default:
		return nil, fault.New(fault.Denied, "REPLACES_DENIED", "the call to be replaced is another customer's")
	}
	if in.Extension != "" { // whatever From says
		in.Source = call.Address{Type: "extension", Target: in.Extension, TargetName: in.Source.TargetName}
	}
	return &Heir{l, in, d}, nil
}

// Run takes the place. A refusal has been answered when it returns.
func (h *Heir) Run(ctx context.Context) error {
	var err error
	if asked := h.ask(ctx, func() { err = h.takeOver(h.bySIP(ctx), h.in, h.d) }); asked != nil {
		err = asked
	}
	if err != nil {
		h.d.Reject(err)
		return nil
	}
	select {
	case <-h.d.Done():
	case <-h.finished:
	}
	return nil
}

// takeOver has the line go on with another phone. An error means that it goes on as before.
func (l *Line) takeOver(ctx context.Context, in Invite, d Dialog) error {
	early := !l.answered
	if early && (l.outbound == nil || l.outbound.leg == nil) || closed(l.hang) {
		return fault.New(fault.Conflict, "CALL_NOT_ANSWERED", "call %s cannot be taken over now", l.id)
	}
	twin := l.leg.Twin(in.Secure)
	if err := twin.Invited(in.Peer.Addr(), in.Offer); err != nil {
		return err
	}
	body := twin.Body()
	if body == nil {
		body = twin.Offer()
	}
	confirmed, err := d.Answer(ctx, body)
	if err != nil {
		return fmt.Errorf("answer a call that replaces another: %w", err)
	}
	before := l.far()
	l.heir, l.answered = d, true
	if in.Offer == nil {
		err = twin.Accept(confirmed)
	}
	if err == nil {
		err = l.leg.Become(twin)
	}
	if early {
		l.outbound.replies = nil
		l.outbound.leg.Cancel("answered elsewhere")
	} else {
		before.Hangup("replaced by another phone")
	}
	if l.outbound != nil {
		l.outbound.last.Release()
	}
	if err != nil {
		e := finish.ByUs(call.Failed, conference.LeftRefused, err.Error())
		l.fate = &e
		return nil
	}
	l.inherit(ctx, in, early)
	return nil
}

// inherit makes the records say who the call is with now.
func (l *Line) inherit(ctx context.Context, in Invite, early bool) {
	l.note(ctx, call.Replace{At: wall.Now(), SIPCallID: in.SIPCallID, Party: in.Source})
	l.setBooth()
	l.tell(ctx)
	c, name := l.chair.Load(), callee.NameOf(in.Source)
	if c != nil {
		if err := c.seat.Set(ctx, conference.ParticipantPatch{Name: &name}); err != nil {
			l.x.o.Log.Info("name of a participant not written", "call", l.id, "error", err)
		}
	}
	if early {
		if !l.began {
			l.plan.join.Name = name
		}
		l.note(ctx, call.Answer{At: wall.Now()})
		l.proceed()
	} else if c != nil && c.entered {
		l.converse(c)
	}
}
