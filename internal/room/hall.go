package room

import (
	"reflect"
	"sync"

	"parley/internal/conference"
	"parley/internal/loop"
	"parley/internal/wall"
)

// hall is a mix of its own: the conference's, and the lobby's, where all are muted and hear the music. Nothing of the lobby can get into the
// conference or into a recording of it.
type hall struct {
	seats  int      // with a port
	guests []*guest // of the conference: who listen or play without being in it
	mixer  Mixer    // of the lobby, nil while nobody is in it; the conference's is room.mixer
	music  func()   // of the lobby: stops it
}

// departure is a seat that ends, and why.
type departure struct {
	seat  *Seat
	cause conference.LeaveReason
}

// media returns the conference's place in the media loop, and makes it if need be.
func (r *room) media() Mixer {
	if r.mixer == nil {
		r.mixer = r.host.o.Media.NewRoom()
		r.facts = r.mixer.Facts()
	}
	return r.mixer
}

// waitingRoom is the same for the lobby. Nobody reads its facts: what matters of them is told again in the conference.
func (r *room) waitingRoom() Mixer {
	if r.lobby.mixer == nil {
		r.lobby.mixer = r.host.o.Media.NewRoom()
		r.lobby.music = r.music(r.lobby.mixer, nil)
	}
	return r.lobby.mixer
}

// hallOf returns where the participant belongs.
func (r *room) hallOf(p *conference.Participant) *hall {
	if p.Waiting != "" {
		return &r.lobby
	}
	return &r.stage
}

func portOptions(p *conference.Participant) loop.PortOptions {
	o := loop.PortOptions{
		Tag: string(p.ID), Muted: p.Muted, Deaf: p.Deaf, Held: p.Held || p.RemoteHeld, Volume: p.Volume, CanHear: p.CanHear, CanSpeak: p.CanSpeak,
	}
	if p.Waiting != "" {
		o.Muted, o.Deaf, o.Held, o.CanHear, o.CanSpeak = true, false, p.RemoteHeld, nil, nil
	}
	return o
}

// tune makes the port as the record says.
func (r *room) tune(seat *Seat, p *conference.Participant) {
	if seat == nil || seat.port == nil || seat.hall != r.hallOf(p) {
		return
	}
	if o := portOptions(p); !reflect.DeepEqual(o, seat.options) {
		seat.options = o
		seat.port.Set(o)
	}
	r.console(seat, p)
}

// enter gives seats their ports, and takes them from one hall to the other. Each waits for the media loop, so all wait together. Whose
// session the loop does not take leaves again.
func (r *room) enter(in []*Seat) {
	var entered sync.WaitGroup
	for _, seat := range in {
		p := find(r.state.Participants, seat.id)
		if p == nil || p.Status == conference.Leaving || seat.session == nil || seat.hall == r.hallOf(p) {
			continue // gone in the same step, not here yet, or there
		}
		entered.Go(r.usher(seat, p))
	}
	entered.Wait()
	for _, seat := range in {
		if seat.refused == nil {
			if p := find(r.state.Participants, seat.id); p != nil && seat.port != nil {
				r.console(seat, p)
				r.host.legs.Store(seat.id, leg{seat.port, seat.session})
			}
			continue
		}
		r.pending = append(r.pending, &request{
			command: conference.Leave{At: wall.Now(), ID: seat.id, Reason: conference.LeftRefused}, must: true,
		})
	}
	r.tidy()
}

// usher returns what brings the seat to where its participant belongs.
func (r *room) usher(seat *Seat, p *conference.Participant) func() {
	if seat.hall != nil {
		seat.hall.seats--
	}
	seat.hall = r.hallOf(p)
	seat.hall.seats++
	mixer, from := r.media, seat.port
	if seat.hall == &r.lobby {
		mixer = r.waitingRoom
	}
	to, options := mixer(), portOptions(p)
	seat.options = options
	return func() {
		if from != nil {
			from.Leave()
		}
		seat.port, seat.refused = to.Enter(seat.session, options)
	}
}

// unseat takes ports out of the mix and then tells their holders. Each port waits for the media loop, so all wait together.
func (r *room) unseat(out []departure) {
	for _, d := range out {
		if d.seat.hall != nil {
			d.seat.hall.seats--
		}
		d.seat.console(nil)
	}
	r.tidy() // a mix that ends lets everybody go at once
	var left sync.WaitGroup
	for _, d := range out {
		if d.seat.port != nil && (d.seat.hall == &r.lobby && r.lobby.mixer != nil || d.seat.hall == &r.stage && r.mixer != nil) {
			left.Go(d.seat.port.Leave)
		}
	}
	left.Wait()
	for _, d := range out {
		d.seat.port, d.seat.hall = nil, nil
		r.host.legs.Delete(d.seat.id)
		d.seat.end(d.cause)
		r.host.seated.Add(-1)
	}
}

// tidy closes halls that nobody is in.
func (r *room) tidy() {
	if r.mixer != nil && r.stage.seats == 0 && r.reel == nil && len(r.stage.guests) == 0 {
		r.mixer.Close()
		r.mixer, r.facts = nil, nil
	}
	if r.lobby.mixer != nil && r.lobby.seats == 0 {
		r.lobby.music()
		r.lobby.mixer.Close()
		r.lobby.mixer, r.lobby.music = nil, nil
	}
}
