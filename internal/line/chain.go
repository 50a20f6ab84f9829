package line

import (
	"context"

	"parley/internal/call"
	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/line/finish"
	"parley/internal/wall"
)

// chain ties a call to its master, whose end is its own.
func (x *Exchange) chain(ctx context.Context, l *Line) error {
	id := l.outbound.master
	if id == "" {
		return nil
	}
	master := x.roll.Line(call.ID(id))
	if master == nil || master.customer != l.customer {
		return fault.New(fault.NotFound, "CALL_NOT_FOUND", "there is no such master call that is live; check master_call_id")
	}
	x.roll.Chain(master.id, l)
	// A master that has ended by now has not seen this one.
	return master.ask(ctx, func() { master.note(master.life, call.Chain{At: wall.Now(), CallID: string(l.id)}) })
}

// unchain ends the calls whose master has ended.
func (x *Exchange) unchain(ctx context.Context, id call.ID) {
	for _, l := range x.roll.Unchain(id) {
		e := finish.ByUs(call.Normal, conference.LeftCallEnded, "its master call has ended")
		e.Hangup.Reason = "" // what its state suggests
		l.press(ctx, &e)
	}
}
