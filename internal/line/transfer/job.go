package transfer

import (
	"context"

	"parley/internal/call/transfer"
	"parley/internal/store/cause"
	"parley/internal/wall"
)

// run carries a transfer out until it has ended, and writes how.
func (j *job) run(life context.Context) {
	h := j.h
	ctx := cause.Put(context.WithoutCancel(life), j.by)
	why := j.carryOut(life, ctx)
	j.hush()
	if j.record.Consultation != "" {
		h.close(ctx, j.record.Consultation)
	}
	err := j.record.step(ctx, func(t *transfer.Transfer) string {
		if why == "" {
			return t.Complete(wall.Now())
		}
		return t.Fail(wall.Now(), why)
	})
	if err != nil {
		h.o.Log.Error("transfer not written", "transfer", j.record.ID, "error", err)
	}
	h.mu.Lock()
	delete(h.live, j.record.ID)
	h.mu.Unlock()
	j.done()
	close(j.over)
}

// carryOut returns why the transfer has failed, "" when it has not. Effects may outlast life.
func (j *job) carryOut(life, ctx context.Context) transfer.Reason {
	gone, left, lost := j.phone.Over(), (<-chan struct{})(nil), (<-chan struct{})(nil)
	if partner := j.partner(ctx); partner != nil {
		left = partner.Over()
	}
	blind := j.record.Type == transfer.Blind
	if blind {
		gone = nil
	}
	for {
		select {
		case id := <-j.won:
			j.meet(ctx, id)
			if blind || gone == nil {
				return j.through(ctx)
			}
			lost = j.newcomer.Over()
		case why := <-j.lost:
			return j.back(ctx, transfer.Reason(why))
		case <-lost:
			return j.back(ctx, transfer.TransfereeLeft)
		case <-gone:
			if gone = nil; j.newcomer != nil {
				return j.through(ctx)
			}
			j.hush() // it goes on ringing for who waits
		case <-left:
			return j.forsaken(life, ctx)
		case <-j.cancel:
			return j.back(ctx, transfer.Canceled)
		case <-life.Done():
			j.takeBack()
			return transfer.Lost
		}
	}
}

// meet notes that the transferee has answered.
func (j *job) meet(ctx context.Context, id string) {
	j.hush()
	if j.newcomer = j.h.o.Lines.Phone(id); j.newcomer == nil {
		j.newcomer = ghost{}
	}
	if err := j.record.step(ctx, func(t *transfer.Transfer) string { return t.Answer(wall.Now(), id) }); err != nil {
		j.h.o.Log.Warn("transfer not written", "transfer", j.record.ID, "error", err)
	}
	j.takeBack()
}

// through gives the transferee the transferer's place.
func (j *job) through(ctx context.Context) transfer.Reason {
	j.hold(ctx, false)
	if j.record.Type == transfer.Attended {
		if err := j.h.bring(ctx, j.newcomer, j.at.Conference); err != nil {
			j.h.o.Log.Info("a transferee is not put through", "transfer", j.record.ID, "error", err)
		}
	}
	if j.arrived(ctx, j.newcomer) {
		return ""
	}
	j.newcomer.Hangup(ctx, "its transfer has failed")
	j.desert(ctx)
	return transfer.TransfereeLeft
}

// back gives the transferer its place again, if it is still there.
func (j *job) back(ctx context.Context, why transfer.Reason) transfer.Reason {
	j.hush()
	j.takeBack()
	if j.newcomer != nil {
		j.newcomer.Hangup(ctx, "its transfer has ended")
	}
	if j.record.Type == transfer.Blind || over(j.phone) {
		j.desert(ctx)
		return why
	}
	if err := j.h.bring(ctx, j.phone, j.at.Conference); err != nil {
		j.h.o.Log.Info("a transferer is not taken back", "transfer", j.record.ID, "error", err)
		j.phone.Hangup(ctx, "its conversation has ended")
		j.desert(ctx)
		return why
	}
	j.hold(ctx, false)
	j.phone.HandOver(false)
	return why
}

// forsaken ends a transfer whose partner has hung up. Transferer and transferee may finish their talk.
func (j *job) forsaken(life, ctx context.Context) transfer.Reason {
	j.takeBack()
	if j.record.Type == transfer.Attended && j.newcomer != nil {
		select {
		case <-j.phone.Over():
		case <-j.newcomer.Over():
		case <-j.cancel:
		case <-life.Done():
		}
	}
	j.phone.Hangup(ctx, "the other side of the call has gone")
	if j.newcomer != nil {
		j.newcomer.Hangup(ctx, "the other side of the call has gone")
	}
	j.desert(ctx)
	return transfer.PartnerLeft
}

// ghost is a phone that has ended before it could be found.
type ghost struct{}

func (ghost) ID() string                     { return "" }
func (ghost) Seat() (Seat, bool)             { return Seat{}, false }
func (ghost) HandOver(bool)                  {}
func (ghost) Vacate(context.Context) error   { return nil }
func (ghost) Hangup(context.Context, string) {}
func (ghost) Over() <-chan struct{} {
	over := make(chan struct{})
	close(over)
	return over
}
