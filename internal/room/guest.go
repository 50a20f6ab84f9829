package room

import (
	"context"
	"errors"
	"slices"
	"sync"

	"parley/internal/conference"
	"parley/internal/fault"
	mix "parley/internal/mixer"
	"parley/internal/room/wish"
	"parley/internal/wire"
)

// guest is somebody who listens or plays without being a participant. It belongs to the room's goroutine.
type guest struct {
	room   *room
	tap    mix.Tap
	sound  mix.Sound
	remove func() // the tap
	player Player // of the sound
	end    context.CancelCauseFunc
}

// Attach shows every tick of a conference to the tap and plays the sound to everyone until detach has returned; either may be nil. Meanwhile the room
// stays live and keeps its clock, although nobody may be in it. life ends with the conference, by a fault that says why (context.Cause): CONFERENCE_ENDED,
// STOPPING, OWNER_CHANGED. detach may be called more than once, also after that. A conference that is not progressing is refused with
// CONFERENCE_NOT_PROGRESSING.
func (h *Host) Attach(ctx context.Context, id conference.ID, t mix.Tap, s mix.Sound) (life context.Context, detach func(), err error) {
	known, ok := wire.ParseUUID(string(id))
	if !ok {
		return nil, nil, wish.Unknown()
	}
	g := &guest{tap: t, sound: s}
	life, g.end = context.WithCancelCause(context.Background())
	if err := h.step(ctx, conference.ID(known), func(r *room) error { return r.admit(g) }); err != nil {
		g.end(err)
		return nil, nil, err
	}
	return life, sync.OnceFunc(func() {
		q := newRequest(nil, DoOptions{})
		q.passing, q.step = true, func(r *room) error { r.showOut(g); return nil }
		select {
		case g.room.mail <- q:
			<-q.reply
		case <-g.room.done: // which has ended its guests
		}
	}), nil
}

func (r *room) admit(g *guest) (err error) {
	switch {
	case r.ended:
		return errMoved
	case r.state.Conference.Status != conference.Progressing:
		return fault.New(fault.Conflict, "CONFERENCE_NOT_PROGRESSING", "the conference is %s; there is nothing to hear in it", r.state.Conference.Status)
	}
	defer r.tidy()
	mixer := r.media()
	if g.sound != nil {
		if g.player, err = mixer.Pour(g.sound); err != nil {
			return err
		}
	}
	if g.tap != nil {
		g.remove = mixer.Tap(g.tap)
	}
	g.room = r
	r.stage.guests = append(r.stage.guests, g)
	return nil
}

func (r *room) showOut(g *guest) {
	if i := slices.Index(r.stage.guests, g); i >= 0 {
		r.stage.guests = slices.Delete(r.stage.guests, i, i+1)
		g.leave(context.Canceled)
		r.tidy()
	}
}

func (g *guest) leave(why error) {
	if g.remove != nil {
		g.remove()
	}
	if g.player != nil {
		g.player.Stop()
	}
	g.end(why)
}

// dismiss ends all guests. Whoever calls it lets the mixer close.
func (r *room) dismiss(why error) {
	if errors.Is(why, errMoved) {
		why = fault.New(fault.Unavailable, "OWNER_CHANGED", "the conference is moving between owners; try again")
	}
	for _, g := range r.stage.guests {
		g.leave(why)
	}
	r.stage.guests = nil
}

// dismissAtEnd does so when the conference goes on no more.
func (r *room) dismissAtEnd() {
	if r.state.Conference.Status != conference.Progressing {
		r.dismiss(fault.New(fault.Conflict, "CONFERENCE_ENDED", "the conference has ended"))
	}
}
