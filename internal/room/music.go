package room

import "parley/internal/conference"

// music plays the conference's music into a mix until stop is called or the mix ends, to one port or to all.
func (r *room) music(m Mixer, to Port) (stop func()) {
	c := &r.state.Conference
	return r.host.band.Music(m, to, c.CustomerID, c.WaitMusic)
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
	if !ok || r.mixer == nil {
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
	r.host.band.Tone(r.mixer, name, nil, func() { r.ringing.Store(false) })
}
