package sip

import (
	"context"
	"errors"
	"time"

	"github.com/emiago/sipgo/sip"

	"parley/internal/call"
	"parley/internal/fault"
	"parley/internal/line"
	"parley/internal/sip/dialog"
	"parley/internal/sip/field"
)

// invite takes a call from its INVITE to its end. The goroutine is the dialog's own: it runs the line.
func (s *Server) invite(req *sip.Request, tx *sip.ServerTx) {
	d, v := s.admit(req, tx)
	if v != nil {
		s.stack.Reply(req, tx, v.Code, v.Headers...)
		return
	}
	defer s.book.remove(req)
	defer d.Close()
	s.stack.Reply(req, tx, 100)
	if !tx.OnCancel(func(*sip.Request) { d.Cancelled() }) {
		d.Cancelled()
		return
	}
	l, err := s.accept(req, d)
	if err != nil {
		s.o.Log.Info("call refused", "sip_call_id", req.CallID().Value(), "source", req.Source(), "reason", fault.ReasonOf(err), "error", err)
		return
	}
	d.Attach(l)
	if err := l.Run(s.stack.Life); err != nil {
		s.o.Log.Error("line ended with an error", "sip_call_id", req.CallID().Value(), "error", err)
	}
}

// admit makes the dialog of an INVITE, or says why not.
func (s *Server) admit(req *sip.Request, tx *sip.ServerTx) (*dialog.Dialog, *dialog.Verdict) {
	if s.draining.Load() || !s.flood.admits(field.Source(req).Addr()) {
		s.stats.refused.Add(1)
		return nil, dialog.Refuse(503, s.stack.RetryLater())
	}
	d, v := dialog.New(s.stack, req, tx)
	if v != nil {
		return nil, v
	}
	switch code := s.book.add(req, d, s.o.Limits.Dialogs); code {
	case 0:
		return d, nil
	case 503:
		s.stats.refused.Add(1)
		v = dialog.Refuse(code, s.stack.RetryLater())
	default:
		v = dialog.Refuse(code)
	}
	d.Drop()
	return nil, v
}

// accept asks for credentials where they are needed and routes the call. A refusal has been answered when it returns.
func (s *Server) accept(req *sip.Request, d *dialog.Dialog) (Line, error) {
	var who Identity
	var challenge *sip.Response
	if s.o.Authenticate != nil {
		who, challenge = s.o.Authenticate(req, field.Source(req))
		if challenge != nil && (field.First(req, "authorization") != "" || field.First(req, "proxy-authorization") != "") {
			d.RejectWith(challenge)
			return nil, fault.New(fault.Unauthenticated, "CREDENTIALS_REFUSED", "the credentials do not hold")
		}
	}
	from, to := req.From(), req.To()
	in := line.Invite{
		SIPCallID:   req.CallID().Value(),
		Source:      address(&from.Address, from.DisplayName),
		Destination: address(&to.Address, to.DisplayName),
		Target:      field.User(&req.Recipient),
		CustomerID:  who.CustomerID,
		Extension:   who.Extension,
		Peer:        field.Source(req),
	}
	if len(req.Body()) > 0 {
		in.Offer = req.Body()
	}
	ctx, cancel := context.WithTimeout(s.stack.Life, 10*time.Second)
	defer cancel()
	l, err := s.o.Exchange.Accept(ctx, in, d)
	switch {
	case err == nil:
		return l, nil
	case fault.KindOf(err) == fault.Unauthenticated && challenge != nil:
		d.RejectWith(challenge)
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		d.Reject(fault.New(fault.Unavailable, "SIP_STOPPING", "the server is stopping or too busy: try again"))
	default:
		d.Reject(err)
	}
	return nil, err
}

// address is the party of a From or To header.
func address(u *sip.Uri, name string) call.Address {
	target := u.Host
	if user := field.User(u); user != "" {
		target = user + "@" + u.Host
	}
	if u.Raw() != "" {
		target = u.Scheme + ":" + u.Raw()
	}
	return call.Address{Type: "sip", Target: target, TargetName: name}
}
