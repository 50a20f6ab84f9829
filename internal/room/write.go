package room

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/store"
	"parley/internal/wire"
)

// writing is a change of something that belongs to a conference without being part of its state.
type writing struct {
	decide func(s *conference.State, version int64) (*store.Change, error)
	wrote  func()
}

// Write commits a change of what belongs to a conference without being part of its state, such as messages, under the conference's key: between two of its
// steps, so that nothing else happens from the decision to the commit. decide and wrote run in the room's goroutine: they read records at most. decide must
// not keep or change the state; it gets the version that the change's first event will have and returns records, events and an answer, nil for no
// change. wrote is called right after the commit. Unknown conferences are CONFERENCE_NOT_FOUND; an error means that nothing was written.
func (h *Host) Write(ctx context.Context, id conference.ID, decide func(s *conference.State, version int64) (*store.Change, error), wrote func()) error {
	known, ok := wire.ParseUUID(string(id))
	if !ok {
		return unknownConference()
	}
	q := newRequest(nil, DoOptions{})
	q.writing = &writing{decide, wrote}
	_, err := h.do(ctx, conference.ID(known), q)
	return err
}

// write carries out the writings of a group and returns the others.
func (r *room) write(group []*request) []*request {
	return slices.DeleteFunc(group, func(q *request) bool {
		if q.writing != nil {
			q.answer(View{}, r.writeOne(q.writing))
		}
		return q.writing != nil
	})
}

func (r *room) writeOne(w *writing) error {
	if r.ended {
		return errMoved
	}
	c, err := w.decide(&r.state, r.place.version+1)
	if err != nil || c == nil {
		return err
	}
	c.Key, c.Version = keyOf(r.id), r.place.version
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
	w.wrote()
	return nil
}
