package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
)

// stack runs parts that build on each other: started bottom first, stopped top first, each waited for before the next.
type stack struct {
	log    *slog.Logger
	parts  []*part
	failed chan error // the first part that ended by itself
}

// part is one running part.
type part struct {
	name   string
	cancel context.CancelFunc
	done   chan error
}

func newStack(log *slog.Logger) *stack {
	return &stack{log: log, failed: make(chan error, 1)}
}

// start runs a part in a goroutine until stop. A part that returns before it was asked to stops the server.
func (s *stack) start(name string, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	p := &part{name, cancel, make(chan error, 1)}
	s.parts = append(s.parts, p)
	go func() {
		err := run(ctx)
		if ctx.Err() == nil {
			select {
			case s.failed <- fmt.Errorf("%s ended: %w", name, orUnexpected(err)):
			default:
			}
		} else if errors.Is(err, context.Canceled) {
			err = nil
		}
		p.done <- err
	}()
}

func orUnexpected(err error) error {
	if err == nil {
		return errors.New("without being asked to")
	}
	return err
}

// stop ends all parts, last started first, and returns their errors.
func (s *stack) stop() error {
	var errs []error
	for i := len(s.parts) - 1; i >= 0; i-- {
		p := s.parts[i]
		s.log.Debug("stopping", "part", p.name)
		p.cancel()
		if err := <-p.done; err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", p.name, err))
		}
	}
	s.parts = nil
	return errors.Join(errs...)
}
