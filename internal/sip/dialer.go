package sip

import (
	"context"
	"time"

	"parley/internal/fault"
	"parley/internal/line"
	"parley/internal/sip/dial"
	"parley/internal/sip/dialog"
)

var _ line.Dialer = (*Server)(nil)

// Dial implements line.Dialer.
func (s *Server) Dial(ctx context.Context, o line.Outgoing, l *line.Line) (line.Departure, error) {
	if l == nil {
		return s.dial(ctx, o, nil)
	}
	return s.dial(ctx, o, l)
}

func (s *Server) dial(_ context.Context, o line.Outgoing, l dialog.Line) (line.Departure, error) {
	if !s.running.Load() || s.draining.Load() {
		return nil, fault.New(fault.Unavailable, "STOPPING", "the SIP door is not open: try again in a moment")
	}
	c, err := dial.New(s.stack, o, l)
	if err != nil {
		return nil, err
	}
	if !s.book.place(c, s.o.Limits.Dialogs) {
		return nil, fault.New(fault.Unavailable, "OVERLOADED", "there are too many calls at once: try again later")
	}
	if !s.stack.Work.Enter() {
		s.book.leave(c)
		s.book.forget(c)
		return nil, fault.New(fault.Unavailable, "STOPPING", "the server is stopping; try again when it is back")
	}
	go func() {
		defer s.stack.Work.Leave()
		c.Run()
		s.book.leave(c)
		time.AfterFunc(c.Linger(), func() { s.book.forget(c) })
	}()
	return c, nil
}

// Contacts implements line.Dialer.
func (s *Server) Contacts(ctx context.Context, customerID, extension string) ([]line.Outgoing, error) {
	if s.o.Contacts == nil {
		return nil, nil
	}
	return s.o.Contacts(ctx, customerID, extension)
}
