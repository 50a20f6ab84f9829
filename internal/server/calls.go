package server

import (
	"context"
	"fmt"

	"parley/internal/line"
)

// openCalls makes what performs flows, and the exchange of calls.
func (p *parts) openCalls() {
	p.openFlows()
	p.lines = line.New(line.Options{
		Store: p.store, Rooms: p.rooms, Media: line.Engine(p.engine), Flows: p.flows, Prompts: p.prompts, Tapes: p.desk, Trunks: p.trunks, Chat: texts{p.guests.chat}, Log: p.log,
		AllowAnonymous: p.c.Dev, MaxCalls: p.c.Limits.Calls, MediaTimeout: p.c.Room.MediaTimeout,
	})
}

// recoverCalls ends calls of a dead process, and the flows that ran on them.
func (p *parts) recoverCalls(ctx context.Context) error {
	if err := p.lines.Recover(ctx); err != nil {
		return fmt.Errorf("recover calls: %w", err)
	}
	if err := p.flows.Recover(ctx); err != nil {
		return fmt.Errorf("recover flows: %w", err)
	}
	return nil
}
