package sip

import (
	"context"
	"maps"
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

// replaced finds the dialog whose place an INVITE with Replaces wants, nil for an INVITE without it, or else the status to refuse it with (RFC 3891
// section 3).
func (s *Server) replaced(req *sip.Request) (d *dialog.Dialog, was dialog.Standing, refuse int) {
	h, there, ok := replaces.Of(req)
	if !there {
		return nil, was, 0
	}
	if !ok {
		return nil, was, 400
	}
	if d = s.book.named(h); d == nil {
		return nil, was, 481
	}
	was = d.Standing()
	_, able := was.Line.(replaceable)
	switch {
	case was.Over, !able && !was.Early && !h.EarlyOnly:
		return nil, was, 603
	case was.Early && (!was.Ours || !able):
		return nil, was, 481
	case h.EarlyOnly && !was.Early:
		return nil, was, 486
	}
	return d, was, 0
}

// successor runs the phone that takes another one's place, and has the dialog of that one forgotten.
type successor struct {
	*line.Heir
	s   *Server
	old *dialog.Dialog
}

// Run implements Line.
func (h successor) Run(ctx context.Context) error {
	done := make(chan struct{})
	defer close(done)
	h.s.stack.Work.Run(func() {
		select {
		case <-h.old.Done():
			h.s.book.drop(h.old)
		case <-done:
		}
	})
	return h.Heir.Run(ctx)
}

// drop takes a dialog away whose line goes on without it.
func (b *book) drop(d *dialog.Dialog) {
	b.mu.Lock()
	defer b.mu.Unlock()
	maps.DeleteFunc(b.dialogs, func(_ string, x *dialog.Dialog) bool { return x == d })
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
	case successor:
		if !was.Over {
			return l.Line, was.Early
		}
	}
	return nil, false
}

// route finds what is to run the call. Refusals are faults, or a status that has been sent.
func (s *Server) route(ctx context.Context, req *sip.Request, in line.Invite, d *dialog.Dialog) (Line, error) {
	old, was, status := s.replaced(req)
	switch {
	case status != 0:
		d.RejectWith(s.stack.Response(req, status, nil))
		return nil, fault.New(fault.Conflict, "REPLACES_REFUSED", "the call to be replaced is not there, or cannot be: status %d", status)
	case old != nil:
		at, err := netip.ParseAddrPort(was.Source)
		same := err == nil && at.Addr().Unmap() == field.Source(req).Addr().Unmap()
		h, err := was.Line.(replaceable).Replace(in, d, same)
		if err != nil {
			return nil, err
		}
		return successor{h, s, old}, nil
	}
	return s.o.Exchange.Accept(ctx, in, d)
}
