package sip

import (
	"context"
	"net/netip"

	"github.com/emiago/sipgo/sip"

	"parley/internal/fault"
	"parley/internal/line"
	"parley/internal/sip/dialog"
	"parley/internal/sip/field"
	"parley/internal/sip/replaces"
)

// replaceable is a line whose phone another one can take the place of.
type replaceable interface {
	Replace(in line.Invite, d line.Dialog, same bool) (*line.Heir, error)
}

// replaced finds the line whose phone an INVITE with Replaces takes the place of, nil for an INVITE without it, or else the status to refuse it with
// (RFC 3891 section 3). same tells that the INVITE comes from where the phone's own requests come from.
func (s *Server) replaced(req *sip.Request) (l replaceable, same bool, refuse int) {
	h, there, ok := replaces.Of(req)
	if !there {
		return nil, false, 0
	}
	if !ok {
		return nil, false, 400
	}
	d := s.book.named(h)
	if d == nil {
		return nil, false, 481
	}
	was := d.Standing()
	switch {
	case was.Over:
		return nil, false, 603
	case was.Early && !was.Ours:
		return nil, false, 481
	case h.EarlyOnly && !was.Early:
		return nil, false, 486
	}
	l, ok = was.Line.(replaceable)
	if !ok {
		return nil, false, 603
	}
	at, err := netip.ParseAddrPort(was.Source)
	return l, err == nil && at.Addr().Unmap() == field.Source(req).Addr().Unmap(), 0
}

// named returns the dialog that a Replaces header names, nil for none.
func (b *book) named(h replaces.Header) *dialog.Dialog { return b.known(h.CallID, h.ToTag, h.FromTag) }

// Replaced returns the line of the dialog that the value of a Replaces header names, nil when that is none of ours, or over; early tells that nobody has
// answered it yet.
func (s *Server) Replaced(header string) (l *line.Line, early bool) {
	h, ok := replaces.Parse(header)
	if !ok {
		return nil, false
	}
	d := s.book.named(h)
	if d == nil {
		return nil, false
	}
	was := d.Standing()
	switch l := was.Line.(type) {
	case *line.Line:
		if !was.Over {
			return l, was.Early
		}
	case *line.Heir:
		if !was.Over {
			return l.Line, was.Early
		}
	}
	return nil, false
}

// route finds what is to run the call. Refusals are faults, or a status that has been sent.
func (s *Server) route(ctx context.Context, req *sip.Request, in line.Invite, d *dialog.Dialog) (Line, error) {
	l, same, status := s.replaced(req)
	switch {
	case status != 0:
		d.RejectWith(s.stack.Response(req, status, nil))
		return nil, fault.New(fault.Conflict, "REPLACES_REFUSED", "the call to be replaced is not there, or cannot be: status %d", status)
	case l != nil:
		h, err := l.Replace(in, d, same)
		if err != nil {
			return nil, err
		}
		return h, nil
	}
	return s.o.Exchange.Accept(ctx, in, d)
}
