package loop

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"parley/internal/fault"
	"parley/internal/mixer"
)

// Room is a live conference's place in the media loop. Its methods may be called from any goroutine, Enter before Close.
type Room struct {
	loop  *loop
	facts chan Fact
	once  sync.Once // Close

	// What follows belongs to the loop's thread.
	mix     *mixer.Room
	ports   []*Port
	players []*Player
	phase   int
	open    bool // in the loop's list
	closed  bool
	lost    int // of the loop's lost frames, how many the mixer knows
	kept    []Fact
}

// Port joins a session to a room. Its methods may be called from any goroutine.
type Port struct {
	room    *Room
	session *Session
	gone    atomic.Bool  // has left
	level   atomic.Int32 // -dBov of the last frame

	// What follows belongs to the loop's thread.
	leg  *leg
	mix  *mixer.Port
	tag  string
	told told
}

// PortOptions say what a port gives and gets.
type PortOptions struct {
	Tag    string // the participant's id; comes back in facts
	Muted  bool   // is not heard
	Deaf   bool   // hears silence
	Held   bool   // neither, until taken off hold
	Volume int    // dB on the way into the mix
	Echo   bool   // hears itself, like everyone else does

	CanHear  []string // tags of the ports that it hears; nil: everyone, empty: nobody
	CanSpeak []string // tags of the ports that hear it; nil: everyone, empty: nobody
}

// Enter makes a port for the session. The session must not be in a room. It waits for the loop, and fails with
// fault.Unavailable, reason OVERLOADED, when the room's own loop has no time for one more.
func (r *Room) Enter(s *Session, o PortOptions) (*Port, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, errClosed()
	case s.port != nil && !s.port.gone.Load():
		return nil, fault.New(fault.Conflict, "SESSION_IN_ROOM", "the media session is in a room: leave that first")
	case r.loop.load.Full():
		return nil, errOverloaded()
	}
	if err := s.moveTo(r.loop); err != nil {
		return nil, err
	}
	p := &Port{room: r, session: s, leg: s.leg, tag: o.Tag}
	p.level.Store(silentLevel)
	if err := r.loop.do(func() error { return r.add(p, o) }); err != nil {
		return nil, err
	}
	s.port = p
	return p, nil
}

// Close removes every port and frees the room. It may be called twice.
func (r *Room) Close() {
	r.once.Do(func() {
		err := r.loop.do(func() error { r.end(); return nil })
		if err != nil {
			close(r.facts) // the loop is over, nobody sends any more
		}
		r.loop.rooms.Add(-1)
	})
}

// Set replaces the options; the tag stays. It takes effect within a slot or two, in the order of calls.
func (p *Port) Set(o PortOptions) {
	o.Tag = p.tag
	p.room.loop.post(func() error {
		if !p.gone.Load() {
			p.room.mix.Set(p.mix, mixer.Options(o))
		}
		return nil
	})
}

// Silence is that of the session.
func (p *Port) Silence() time.Duration { return p.session.Silence() }

const silentLevel = 127

// Level returns the level of the last frame in dBov, 0 (loud) to -127.
func (p *Port) Level() int { return -int(p.level.Load()) }

// Leave takes the session out of the room; after it returns, no more facts of this port come and no more of its audio is mixed.
// It may be called twice.
func (p *Port) Leave() {
	_ = p.room.loop.do(func() error {
		if !p.gone.Load() {
			p.room.loop.addIdle(p.room.remove(p.leg))
		}
		return nil
	})
}

// add, on the loop's thread, makes the port.
func (r *Room) add(p *Port, o PortOptions) error {
	s := p.leg
	if s.loop == nil {
		s.loop, s.missed = r.loop, r.loop.lost
		r.loop.arrived++
		s.turn = r.loop.arrived
	} else {
		r.loop.removeIdle(s)
	}
	s.loop = r.loop
	err := errRoomClosed()
	if !r.closed {
		p.mix, err = r.mix.Enter(s, mixer.Options(o))
	}
	if err != nil {
		r.loop.addIdle(s)
		return err
	}
	s.room = r
	r.ports = append(r.ports, p)
	r.loop.legs++
	if !r.open {
		r.begin()
	}
	return nil
}

// begin puts the room into the loop's list, in the emptiest of the phases.
func (r *Room) begin() {
	r.open = true
	r.phase = emptiest(&r.loop.mixing)
	r.lost = r.loop.lost
	r.loop.mixing[r.phase] = append(r.loop.mixing[r.phase], r)
}

// tick mixes a frame.
func (r *Room) tick(at time.Duration) {
	if r.lost != r.loop.lost {
		r.mix.Skip(r.loop.lost - r.lost)
		r.lost = r.loop.lost
	}
	r.mix.Tick(at)
	if len(r.players) > 0 {
		r.endPlayers(hasEnded)
	}
	for _, p := range r.ports {
		r.report(p)
	}
}

// refresh follows a leg whose media have changed.
func (r *Room) refresh(s *leg) error {
	for _, p := range r.ports {
		if p.leg == s {
			return r.mix.Refresh(p.mix)
		}
	}
	return nil
}

// remove takes a leg's port out of the room, and what the port has still to tell out of the channel.
func (r *Room) remove(s *leg) *leg {
	i := slices.IndexFunc(r.ports, func(p *Port) bool { return p.leg == s })
	if i < 0 {
		return s
	}
	p := r.ports[i]
	r.ports = slices.Delete(r.ports, i, i+1)
	r.drop(p)
	r.loop.legs--
	s.room = nil
	return s
}

// drop ends a port.
func (r *Room) drop(p *Port) {
	p.gone.Store(true)
	p.level.Store(silentLevel)
	// The others' legs have run at the rate that remains before, so they can again; if not, they keep the one they have.
	_ = r.mix.Leave(p.mix)
	r.endPlayers(func(x *Player) bool { return x.port == p })
	r.withdraw(p.tag)
}

// end closes the room.
func (r *Room) end() {
	r.closed = true
	r.endPlayers(everyPlayer)
	for _, p := range r.ports {
		p.gone.Store(true)
		p.level.Store(silentLevel)
		r.loop.legs--
		r.loop.addIdle(p.leg)
	}
	r.ports = nil
	if r.open {
		list := &r.loop.mixing[r.phase]
		*list = slices.DeleteFunc(*list, func(x *Room) bool { return x == r })
	}
	close(r.facts)
}

func errRoomClosed() error {
	return fault.New(fault.Conflict, "ROOM_CLOSED", "the room has been closed: nobody can enter")
}
