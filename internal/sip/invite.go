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
	"parley/internal/sip/stack"
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
func (s *Server) admit(req *sip.Request, tx *sip.ServerTx) (*dialog.Dialog, *stack.Verdict) {
	if s.draining.Load() || !s.flood.admits(field.Source(req).Addr()) {
		s.stats.refused.Add(1)
		return nil, stack.Refuse(503, s.stack.RetryLater())
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
		v = stack.Refuse(code, s.stack.RetryLater())
	default:
		v = stack.Refuse(code)
	}
	d.Drop()
	return nil, v
}

// accept asks for credentials where they are needed and routes the call. A refusal has been answered when it returns.
func (s *Server) accept(req *sip.Request, d *dialog.Dialog) (Line, error) {
	who, challenge, refused := s.identify(req)
	if refused {
		d.RejectWith(challenge)
		return nil, fault.New(fault.Unauthenticated, "CREDENTIALS_REFUSED", "the credentials do not hold")
	}
	from, to := req.From(), req.To()
	in := line.Invite{
		SIPCallID:   req.CallID().Value(),
		Source:      address(&from.Address, from.DisplayName),
		Destination: address(&to.Address, to.DisplayName),
		Target:      field.User(&req.Recipient),
		CustomerID:  who.CustomerID,
		Extension:   who.Extension,
		Secure:      who.Secure,
		Peer:        field.Source(req),
	}
	if who.Trusted {
		if u, name, ok := field.Asserted(req); ok {
			in.Source = address(&u, name)
		}
	}
	if len(req.Body()) > 0 {
		in.Offer = req.Body()
	}
	ctx, cancel := context.WithTimeout(s.stack.Life, 10*time.Second)
	defer cancel()
	l, err := s.route(ctx, req, in, d)
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

// identify looks at the credentials of a request. challenge is what to send should they be needed; refused tells that there are some that do
// not hold.
func (s *Server) identify(req *sip.Request) (who Identity, challenge *sip.Response, refused bool) {
	if s.o.Authenticate == nil {
		return who, nil, false
	}
	who, challenge = s.o.Authenticate(req, field.Source(req))
	return who, challenge, challenge != nil && (field.First(req, "authorization") != "" || field.First(req, "proxy-authorization") != "")
}

// message hands a text outside of any call over (RFC 3428).
func (s *Server) message(req *sip.Request, tx *sip.ServerTx) {
	if s.o.Message == nil {
		s.stack.Reply(req, tx, 405, s.stack.Allow())
		return
	}
	if s.draining.Load() || !s.flood.admits(field.Source(req).Addr()) {
		s.stack.Reply(req, tx, 503, s.stack.RetryLater())
		return
	}
	who, challenge, refused := s.identify(req)
	if refused {
		_ = s.stack.Send(tx, challenge)
		return
	}
	ctx, cancel := context.WithTimeout(s.stack.Life, 10*time.Second)
	defer cancel()
	err := s.o.Message(ctx, who, field.User(&req.Recipient), field.First(req, "content-type", "c"), req.Body())
	switch {
	case err == nil:
		s.stack.Reply(req, tx, 200)
	case fault.KindOf(err) == fault.Unauthenticated && challenge != nil:
		_ = s.stack.Send(tx, challenge)
	default:
		v := s.stack.VerdictOf(err)
		s.stack.Reply(req, tx, v.Code, v.Headers...)
	}
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
