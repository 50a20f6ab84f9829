package loop

import (
	"slices"
	"sync"

	"parley/internal/fault"
	"parley/internal/mixer"
)

// PlayOptions say what a Player plays, and for whom.
type PlayOptions struct {
	Samples []int16 // mono; nobody may change them before Done
	Rate    int     // of Samples: 8000, 12000, 16000, 24000 or 48000 Hz
	Repeat  bool    // until Stop
	Volume  int     // dB, clamped to -60..+30
	Port    *Port   // who hears it, even deaf or held; nil: everyone in the room
}

// Player plays sound from memory into a room. Its methods may be called from any goroutine and do not wait for the loop.
type Player struct {
	room *Room
	done chan struct{}
	once sync.Once // done

	// What follows belongs to the loop's thread.
	clip mixer.Sound
	port *Port
}

// playersMost is how many players a room takes: each costs as much as a talker.
const playersMost = 32

// Play starts a player with the next frame. It waits for the loop, and refuses sound that it cannot play with SOUND_INVALID, a port that has left with
// PORT_LEFT, more than 32 players in a room with PLAYERS_EXHAUSTED.
func (r *Room) Play(o PlayOptions) (*Player, error) {
	clip, err := mixer.NewClip(o.Samples, o.Rate, o.Repeat)
	if err != nil {
		return nil, err
	}
	clip.SetVolume(o.Volume)
	return r.Pour(clip, o.Port)
}

// Pour plays a sound of the caller's own like Play, for one port or, without one, for everyone: an Inlet, which is filled while it is played. Until Done
// the sound belongs to the loop.
func (r *Room) Pour(s mixer.Sound, to *Port) (*Player, error) {
	p := &Player{room: r, done: make(chan struct{}), port: to, clip: s}
	if err := r.loop.do(func() error { return r.play(p) }); err != nil {
		return nil, err
	}
	return p, nil
}

// Done is closed once the sound has ended: played out, stopped, its port gone, or the room closed.
func (p *Player) Done() <-chan struct{} { return p.done }

// Stop fades the sound out within a frame or two. It may be called twice.
func (p *Player) Stop() {
	if !p.room.loop.post(func() error { p.clip.Stop(); return nil }) {
		p.end()
	}
}

// SetVolume changes the volume in dB, without a click.
func (p *Player) SetVolume(volume int) {
	p.room.loop.post(func() error { p.clip.SetVolume(volume); return nil })
}

func (p *Player) end() { p.once.Do(func() { close(p.done) }) }

// play, on the loop's thread, adds the player.
func (r *Room) play(p *Player) error {
	var to *mixer.Port
	switch {
	case r.closed:
		return errRoomClosed()
	case len(r.players) == playersMost:
		return fault.New(fault.Exhausted, "PLAYERS_EXHAUSTED", "%d sounds play in this room: stop one first", playersMost)
	case p.port != nil && (p.port.room != r || p.port.gone.Load()):
		return fault.New(fault.Conflict, "PORT_LEFT", "who was to hear the sound is not in this room any more: play it for somebody else")
	case p.port != nil:
		to = p.port.mix
	}
	if err := r.mix.AddPlayer(p.clip, to); err != nil {
		return err
	}
	r.players = append(r.players, p)
	if !r.open {
		r.begin()
	}
	return nil
}

func hasEnded(p *Player) bool  { return p.clip.Ended() }
func everyPlayer(*Player) bool { return true }

// endPlayers takes out those that have ended.
func (r *Room) endPlayers(ended func(*Player) bool) {
	r.players = slices.DeleteFunc(r.players, func(p *Player) bool {
		if !ended(p) {
			return false
		}
		r.mix.RemovePlayer(p.clip)
		p.end()
		return true
	})
}

// Tap shows every following tick of the room to t, on the loop's thread, until remove has returned; both wait for the loop. A room with a tap
// keeps its clock although nobody is in it. Recorders use a mixer.Ring, from goroutines of their own.
func (r *Room) Tap(t mixer.Tap) (remove func()) {
	// After the loop's end there is nothing to see.
	_ = r.loop.do(func() error {
		r.mix.AddTap(t)
		if !r.open && !r.closed {
			r.begin()
		}
		return nil
	})
	return func() {
		_ = r.loop.do(func() error { r.mix.RemoveTap(t); return nil })
	}
}
