package room

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/room/ledger"
	"parley/internal/store"
	"parley/internal/wall"
)

const (
	reapEvery = time.Second // at most so often
	reapLeast = time.Minute // at least so often, whatever the log says
	reapMost  = 256         // conferences that are ended in one go
	atOnce    = 32          // conferences that are recovered or ended at the same time, so that their appends share a sync
)

// Run ends conferences that nobody is in when their time has come, until ctx ends. Then all rooms end: who is still seated leaves with reason lost, a
// connect conference that had somebody in it is over, a permanent one stays progressing. It returns when everything is written, or
// StopTimeout has passed; what could not be written is for Recover.
func (h *Host) Run(ctx context.Context) error {
	defer h.stop()
	hints, end := h.o.Store.Hints()
	defer end()
	for ctx.Err() == nil {
		wait := reapEvery
		next, err := h.reap(ctx)
		if err == nil {
			wait = min(max(wall.Until(next), reapEvery), reapLeast)
		} else if ctx.Err() == nil {
			h.o.Log.Error("cannot end conferences whose time has come; trying again", "error", err)
		}
		until := wall.Now().Add(wait)
		if pause(ctx, reapEvery, nil) {
			pause(ctx, wall.Until(until), hints) // what is written meanwhile may be due earlier
		}
	}
	return nil
}

// pause waits, for a hint at most, and reports whether ctx goes on.
func pause(ctx context.Context, d time.Duration, hints <-chan struct{}) bool {
	timer := wall.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-hints:
	case <-timer.C:
	}
	return true
}

func (h *Host) stop() {
	h.deck.Stop() // first, so that who is refused from now on knows why
	h.mu.Lock()
	h.stopping = true
	h.mu.Unlock()
	close(h.quit)
	h.end()
	h.wg.Wait()
	h.desk.Wait()
	h.band.Wait()
	h.deck.Close()
}

// reap sends Expire to the conferences that are due and have no room to keep their time. It returns when the next one is due.
func (h *Host) reap(ctx context.Context) (next time.Time, err error) {
	due, err := h.o.Store.Due(ctx, store.Conference, wall.Now(), reapMost)
	if err != nil {
		return next, fmt.Errorf("find due conferences: %w", err)
	}
	var ids []conference.ID
	for _, record := range due {
		if id := conference.ID(record.ID); !h.live(id) {
			ids = append(ids, id)
		}
	}
	if err := h.tell(ctx, ids, func(at time.Time) conference.Command { return conference.Expire{At: at} }); err != nil {
		return next, err
	}
	next = wall.Now().Add(reapLeast)
	first, err := h.o.Store.Due(ctx, store.Conference, next, 1)
	if err != nil {
		return next, fmt.Errorf("find the next due conference: %w", err)
	}
	if len(first) > 0 {
		next = first[0].Deadline
	}
	return next, nil
}

// tell sends a command to many conferences and returns the first error, after all have been told.
func (h *Host) tell(ctx context.Context, ids []conference.ID, command func(at time.Time) conference.Command) error {
	var group errgroup.Group
	group.SetLimit(atOnce)
	for _, id := range ids {
		group.Go(func() error {
			q := newRequest(command(wall.Now()), DoOptions{})
			q.passing = true
			if _, err := h.do(ctx, id, q); err != nil && fault.KindOf(err) != fault.NotFound {
				return fmt.Errorf("conference %s: %w", id, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// Recover ends what a dead process left behind: participants leave with reason lost, and conferences that were about to end do. It is
// called once, before Run and before anybody can join. Conferences with nobody in them are not touched, however many there are.
func (h *Host) Recover(ctx context.Context) error {
	found := map[conference.ID]bool{}
	var ids []conference.ID
	visit := func(id string) {
		if !found[conference.ID(id)] {
			found[conference.ID(id)] = true
			ids = append(ids, conference.ID(id))
		}
	}
	err := ledger.Each(ctx, h.o.Store, store.Query{Kind: store.Conferencecall, Live: true, Limit: ledger.PageSize}, func(r store.Record) error {
		visit(r.Conference)
		return nil
	})
	if err != nil {
		return fmt.Errorf("recover conferences: %w", err)
	}
	if err == nil {
		err = ledger.Each(ctx, h.o.Store, store.Query{Kind: store.Recording, Live: true, Deleted: true, Limit: ledger.PageSize}, func(r store.Record) error {
			if r.Conference != "" { // that of a call has somebody else
				visit(r.Conference)
			}
			return nil
		})
	}
	if err != nil {
		return fmt.Errorf("recover recordings: %w", err)
	}
	ending := store.Query{
		Kind: store.Conference, Status: []string{string(conference.Starting), string(conference.Terminating)},
		Live: true, Deleted: true, Limit: ledger.PageSize,
	}
	err = ledger.Each(ctx, h.o.Store, ending, func(r store.Record) error {
		visit(r.ID)
		return nil
	})
	if err == nil {
		err = h.tell(ctx, ids, func(at time.Time) conference.Command { return conference.Recover{At: at} })
	}
	if err != nil {
		return fmt.Errorf("recover conferences: %w", err)
	}
	if len(ids) > 0 {
		h.o.Log.Info("recovered conferences of the process before", "conferences", len(ids))
	}
	return nil
}
