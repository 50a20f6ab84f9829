package script

import (
	"context"
	"errors"
	"sync"
	"time"

	"parley/internal/fault"
	"parley/internal/flow/active"
	"parley/internal/flow/run"
	"parley/internal/line/script/record"
	"parley/internal/line/script/sequel"
	"parley/internal/store"
	"parley/internal/wall"
)

const (
	lateEvery = 2 * time.Second // between two tries to write what could not be written
	triesMax  = 16              // how often a change is decided anew because somebody else was faster
)

// Run owns the goroutines of runs on no call, of requests that nobody waits for, and of what has to be written later. It returns when ctx has ended and
// everything is written that can be; runs that still go on then end as lost. It is called once.
func (p *Performer) Run(ctx context.Context) error {
	var group sync.WaitGroup
	defer group.Wait()
	group.Go(func() { p.outside.Run(ctx) })
	group.Go(func() { p.catchUp(ctx) })
	group.Go(func() { sequel.Watch(ctx, p.o.Store, "recording_f*", p.afterRecording, p.o.Log) })
	stopping, cancel := context.WithCancelCause(context.Background())
	defer cancel(cause(run.Lost))
	defer context.AfterFunc(ctx, func() { cancel(cause(run.Lost)) })()
	for {
		select {
		case w := <-p.starts:
			group.Go(func() { p.alone(stopping, w) })
		case <-ctx.Done():
			cancel(cause(run.Lost))
			p.close()
			for {
				select {
				case w := <-p.starts:
					p.alone(stopping, w)
				default:
					return nil
				}
			}
		}
	}
}

func (p *Performer) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
}

// alone performs a run that is on no call.
func (p *Performer) alone(ctx context.Context, w *walk) {
	defer p.berths.Leave(w.plan.CustomerID)
	ctx, cancel := context.WithTimeoutCause(ctx, p.o.MaxAge, cause("FLOW_TOO_LONG"))
	defer cancel()
	w.perform(ctx, nil)
}

// catchUp writes the ends of runs that could not be written when they came.
func (p *Performer) catchUp(ctx context.Context) {
	for {
		var r *record.Record
		select {
		case r = <-p.late:
		case <-ctx.Done():
			return
		}
		for r.Again(ctx) != nil {
			select {
			case <-time.After(lateEvery):
			case <-ctx.Done():
				return // Recover ends it
			}
		}
	}
}

// Stop ends a run of the customer's (stopped) and returns its record; its call, if it has one, is hung up, also while it still rings. One that has ended comes back as it is. An
// unknown one is a fault.NotFound, ACTIVEFLOW_NOT_FOUND. When ctx ends before the run has, it ends all the same.
func (p *Performer) Stop(ctx context.Context, customerID, id string) (active.Activeflow, error) {
	return p.change(ctx, customerID, id, active.End{At: wall.Now(), Reason: run.Stopped})
}

// Delete hides a run of the customer's from lists, and ends it before as Stop does. Repeated, it changes nothing.
func (p *Performer) Delete(ctx context.Context, customerID, id string) (active.Activeflow, error) {
	return p.change(ctx, customerID, id, active.Delete{At: wall.Now()})
}

func (p *Performer) change(ctx context.Context, customerID, id string, c active.Command) (active.Activeflow, error) {
	id, err := idOf(id)
	if err != nil {
		return active.Activeflow{}, err
	}
	if err := p.halt(ctx, customerID, id); err != nil {
		return active.Activeflow{}, err
	}
	for range triesMax {
		r := record.New(p.o.Store, p.o.WriteTimeout)
		a, err := r.Settle(ctx, customerID, id, c)
		if !errors.Is(err, store.ErrFenced) {
			return a, err
		}
	}
	return active.Activeflow{}, fault.New(fault.Unavailable, "STORE_BUSY", "this activeflow is being changed by many at once; try again")
}

// halt stops a run that is live and waits for its end.
func (p *Performer) halt(ctx context.Context, customerID, id string) error {
	p.mu.Lock()
	w := p.live[id]
	begun := w != nil && w.begun
	p.mu.Unlock()
	if w == nil || w.plan.CustomerID != customerID {
		return nil
	}
	w.halt(ctx)
	if !begun { // its call still rings; Perform will find it stopped
		err := w.record.Write(ctx, active.End{At: wall.Now(), Reason: run.Stopped})
		if w.plan.Halted != nil {
			w.plan.Halted(ctx)
		}
		return err
	}
	select {
	case <-w.finished:
		return nil
	case <-ctx.Done():
		return fault.New(fault.Unavailable, "REQUEST_TIMEOUT", "the activeflow is ending, but that is not written yet; look at it again later")
	}
}

// Recover ends what a dead process left behind, as lost: call it once, before the doors open and after the calls are recovered. Runs that this process
// has begun are left alone.
func (p *Performer) Recover(ctx context.Context) error {
	found, err := record.Recover(ctx, p.o.Store, p.o.WriteTimeout, p.runs)
	if err == nil && found > 0 {
		p.o.Log.Info("ended the flows of the process before", "flows", found)
	}
	return err
}

// Live returns how many runs go on or are prepared.
func (p *Performer) Live() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.live)
}

func (p *Performer) runs(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.live[id] != nil
}
