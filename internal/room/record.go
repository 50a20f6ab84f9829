package room

import (
	"context"
	"fmt"

	"parley/internal/conference"
	"parley/internal/room/ledger"
)

// load reads the conference and who is in it.
func (r *room) load() error {
	ctx, cancel := context.WithTimeout(context.Background(), r.patience)
	defer cancel()
	v, changed, err := r.host.view(ctx, r.id)
	if err != nil {
		return err
	}
	r.state.Conference = v.Conference
	r.place = place{version: v.Version, changed: min(changed, v.Version), seq: v.Seq}
	if r.state.Participants, err = ledger.Inside(ctx, r.host.o.Store, r.id); err != nil {
		return fmt.Errorf("load conference: %w", err)
	}
	r.seen.Store(new(r.state.Conference))
	if r.state.Recordings, err = ledger.Unfinished(ctx, r.host.o.Store, r.id); err != nil {
		err = fmt.Errorf("load conference: %w", err)
	}
	return err
}

// view reads a conference as it stands in the store, and at which version its record was written.
func (h *Host) view(ctx context.Context, id conference.ID) (v View, changed int64, err error) {
	s, err := ledger.Read(ctx, h.o.Store, id)
	return View{Conference: s.Conference, Version: s.Version, Seq: s.Seq}, s.Changed, err
}

// Seen returns a conference that is live on this node as it was committed last, asking neither the store nor the room.
func (h *Host) Seen(id conference.ID) (c conference.Conference, live bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r := h.rooms[id]; r != nil && r.seen.Load() != nil {
		return *r.seen.Load(), true
	}
	return c, false
}
