package room

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/room/ledger"
	"parley/internal/room/wish"
	"parley/internal/store"
	"parley/internal/wire"
)

// Write commits a change of what belongs to a conference without being part of its state, such as messages, under the conference's key: between two of its
// steps, so that nothing else happens from the decision to the commit. decide and wrote run in the room's goroutine: they read records at most. decide must
// not keep or change the state; it gets the version that the change's first event will have and returns records, events and an answer, nil for no
// change. wrote is called right after the commit. Unknown conferences are CONFERENCE_NOT_FOUND; an error means that nothing was written.
func (h *Host) Write(ctx context.Context, id conference.ID, decide func(s *conference.State, version int64) (*store.Change, error), wrote func()) error {
	known, ok := wire.ParseUUID(string(id))
	if !ok {
		return wish.Unknown()
	}
	return h.step(ctx, conference.ID(known), func(r *room) error {
		return r.write(ctx, decide, wrote)
	})
}

func (r *room) write(ctx context.Context, decide func(*conference.State, int64) (*store.Change, error), wrote func()) error {
	if r.ended {
		return errMoved
	}
	c, err := decide(&r.state, r.place.version+1)
	if err != nil || c == nil {
		return err
	}
	c.Key, c.Version = ledger.Key(r.id), r.place.version
	c.Attribute(ctx)
	err = r.append(c)
	switch {
	case errors.Is(err, store.ErrFenced):
		r.abandon(errMoved)
		return errMoved
	case errors.Is(err, context.DeadlineExceeded):
		return fault.New(fault.Unavailable, "STORE_BUSY", "the store did not answer in time; try again")
	case err != nil:
		return fmt.Errorf("write %s: %w", c.Events[0].Type, err)
	}
	last := c.Events[len(c.Events)-1]
	r.place.version, r.place.seq = last.Version, last.Seq
	wrote()
	return nil
}

// step has the room's goroutine do something that is no wish the rules know.
func (h *Host) step(ctx context.Context, id conference.ID, step func(*room) error) error {
	q := newRequest(nil, DoOptions{})
	q.step = step
	_, err := h.do(ctx, id, q)
	return err
}

// steps takes the steps in a group and returns the other requests.
func (r *room) steps(group []*request) []*request {
	return slices.DeleteFunc(group, func(q *request) bool {
		if q.step != nil {
			q.answer(View{}, q.step(r))
		}
		return q.step != nil
	})
}
