package room

import (
	"context"

	"parley/internal/conference"
	"parley/internal/loop"
	"parley/internal/prompt"
)

const (
	builtIn    = "music"   // wait_music that needs no address
	silence    = "silence" // wait_music that is none
	musicLevel = -12       // dB: it is to be talked over
)

// music plays the conference's music into a mix until stop is called or the mix ends, to one port or to all. A sound that cannot be had is
// replaced by the built-in one.
func (r *room) music(m Mixer, to Port) (stop func()) {
	c := &r.state.Conference
	source, customer := c.WaitMusic, c.CustomerID
	if r.host.o.Prompts == nil || source == silence {
		return func() {}
	}
	ctx, cancel := context.WithCancel(r.host.ctx)
	log := r.host.o.Log.With("conference", r.id)
	r.host.wg.Go(func() {
		defer cancel()
		sound, err := r.host.sound(ctx, customer, source)
		if err != nil {
			log.Warn("cannot get the music for those that wait; playing the built-in one", "url", source, "error", err)
			sound, err = r.host.o.Prompts.Tone(builtIn)
		}
		var player Player
		if err == nil && ctx.Err() == nil {
			player, err = m.Play(loop.PlayOptions{Samples: sound.Samples, Rate: sound.Rate, Repeat: true, Volume: musicLevel}, to)
		}
		if err != nil {
			log.Info("no music for somebody that waits", "error", err)
			return
		}
		if player == nil {
			return
		}
		select {
		case <-ctx.Done():
			player.Stop()
		case <-player.Done():
		}
	})
	return cancel
}

func (h *Host) sound(ctx context.Context, customer, source string) (prompt.Sound, error) {
	if source == builtIn || source == "" {
		return h.o.Prompts.Tone(builtIn)
	}
	return h.o.Prompts.Fetch(ctx, customer, source)
}

// console plays music to one that is held by the conference, and to nobody else. One that has put us on hold listens to something else.
func (r *room) console(seat *Seat, p *conference.Participant) {
	switch wants := p.Held && !p.RemoteHeld && p.Waiting == ""; {
	case !wants:
		seat.console(nil)
	case seat.music == nil:
		seat.console(r.music(r.media(), seat.port))
	}
}

// console replaces the music of the seat; nil for none.
func (s *Seat) console(stop func()) {
	if s.music != nil {
		s.music()
	}
	s.music = stop
}

// retune lets those that hear music hear what the conference says now.
func (r *room) retune() {
	if r.lobby.mixer != nil {
		r.lobby.music()
		r.lobby.music = r.music(r.lobby.mixer, nil)
	}
	for _, seat := range r.seats {
		if seat.music != nil {
			seat.console(r.music(r.media(), seat.port))
		}
	}
}

// tones are what a conference sounds like when somebody comes or goes, by its entry_tone.
var tones = map[string]struct{ come, leave string }{"beep": {"beep", "beep"}, "chime": {"join", "leave"}}

// ring tells the others of who came or went, with one sound for all of a step, and none while one is heard.
func (r *room) ring(events []conference.Event) {
	set, ok := tones[r.state.Conference.EntryTone]
	if !ok || r.host.o.Prompts == nil || r.mixer == nil {
		return
	}
	name := ""
	for _, e := range events {
		switch {
		case e.Type == conference.ConferencecallJoined:
			name = set.come
		case e.Type == conference.ConferencecallLeaving && !e.Participant.Joined.IsZero() && name == "":
			name = set.leave
		}
	}
	if name == "" || name == set.come && len(r.state.Conference.Joined) < 2 || !r.ringing.CompareAndSwap(false, true) {
		return
	}
	m := r.mixer
	r.host.wg.Go(func() {
		defer r.ringing.Store(false)
		if err := r.host.tone(m, name, nil); err != nil {
			r.host.o.Log.Info("no tone for who came or went", "conference", r.id, "error", err)
		}
	})
}

// tone plays a built-in sound to its end.
func (h *Host) tone(m Mixer, name string, to Port) error {
	sound, err := h.o.Prompts.Tone(name)
	if err != nil {
		return err
	}
	player, err := m.Play(loop.PlayOptions{Samples: sound.Samples, Rate: sound.Rate}, to)
	if err != nil {
		return err
	}
	select {
	case <-player.Done():
	case <-h.ctx.Done():
		player.Stop()
	}
	return nil
}
