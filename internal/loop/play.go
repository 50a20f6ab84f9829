package loop

import (
	"math"
	"slices"
	"sync"
	"time"

	"parley/internal/audio"
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
	clip clip
	port *Port
}

// playersMost is how many players a room takes: each costs as much as a talker.
const playersMost = 32

// Play starts a player with the next frame. It waits for the loop, and refuses sound that it cannot play with SOUND_INVALID, a port that has left with
// PORT_LEFT, more than 32 players in a room with PLAYERS_EXHAUSTED.
func (r *Room) Play(o PlayOptions) (*Player, error) {
	if len(o.Samples) == 0 || !slices.Contains([]int{8000, 12000, 16000, 24000, 48000}, o.Rate) {
		return nil, fault.New(fault.Invalid, "SOUND_INVALID", "cannot play %d samples at %d Hz: want some, at 8000, 12000, 16000, 24000 or 48000", len(o.Samples), o.Rate)
	}
	p := &Player{room: r, done: make(chan struct{}), port: o.Port, clip: newClip(o)}
	if err := r.loop.do(func() error { return r.play(p) }); err != nil {
		return nil, err
	}
	return p, nil
}

// Done is closed once the sound has ended: played out, stopped, its port gone, or the room closed.
func (p *Player) Done() <-chan struct{} { return p.done }

// Stop fades the sound out within a frame or two. It may be called twice.
func (p *Player) Stop() {
	if !p.room.loop.post(func() error { p.clip.stop(); return nil }) {
		p.end()
	}
}

// SetVolume changes the volume in dB, without a click.
func (p *Player) SetVolume(volume int) {
	p.room.loop.post(func() error { p.clip.setVolume(volume); return nil })
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
	if err := r.mix.AddPlayer(&p.clip, to); err != nil {
		return err
	}
	r.players = append(r.players, p)
	if !r.open {
		r.begin()
	}
	return nil
}

func hasEnded(p *Player) bool  { return p.clip.ended }
func everyPlayer(*Player) bool { return true }

// endPlayers takes out those that have ended.
func (r *Room) endPlayers(ended func(*Player) bool) {
	r.players = slices.DeleteFunc(r.players, func(p *Player) bool {
		if !ended(p) {
			return false
		}
		r.mix.RemovePlayer(&p.clip)
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

// clip is sound in memory as the mixer pulls it, frame by frame, at the mixer's rate.
type clip struct {
	samples    []int16
	repeat     bool
	at         int     // next sample
	in         []int16 // a frame at the rate of samples
	rate       int
	resampler  *audio.Resampler
	gain, want float32 // at the begin of the next frame, and where it goes
	stopping   bool
	ended      bool
	trailing   bool // the sound is over, the resampler still holds its end
}

// fadeShare is how much of a frame a fade takes: 5 ms.
const fadeShare = 4

func newClip(o PlayOptions) clip {
	c := clip{samples: o.Samples, repeat: o.Repeat, rate: o.Rate, in: make([]int16, audio.FrameSamples(o.Rate))}
	c.setVolume(o.Volume)
	return c
}

func (c *clip) setVolume(volume int) {
	if !c.stopping {
		c.want = audio.DB(float64(min(max(volume, -60), 30)))
	}
}

func (c *clip) stop() { c.stopping, c.want = true, 0 }

// SetRate implements mixer.Source.
func (c *clip) SetRate(rate int) (err error) {
	c.resampler, err = audio.NewResampler(c.rate, rate)
	return err
}

// Pull implements mixer.Source.
func (c *clip) Pull(dst []int16, _ time.Duration) bool {
	if c.ended {
		return false
	}
	c.fill()
	c.shape()
	c.resampler.Process(dst, c.in)
	if c.stopping {
		c.at, c.repeat = len(c.samples), false
	}
	switch {
	case c.repeat || c.at < len(c.samples):
	case len(dst) != len(c.in) && !c.trailing:
		c.trailing = true
	default:
		c.ended = true
	}
	return true
}

// fill takes the next samples, the last ones faded out, and silence after them.
func (c *clip) fill() {
	n := 0
	for n < len(c.in) && c.at < len(c.samples) {
		moved := copy(c.in[n:], c.samples[c.at:])
		n += moved
		c.at += moved
		if c.repeat && c.at == len(c.samples) {
			c.at = 0
		}
	}
	clear(c.in[n:])
	if c.repeat {
		return
	}
	fade := len(c.in) / fadeShare
	for i := max(0, n-fade+len(c.samples)-c.at); i < n; i++ {
		left := len(c.samples) - c.at + n - i // with this one
		c.in[i] = int16(int(c.in[i]) * left / (fade + 1))
	}
}

// shape applies the volume, and goes to a new one in 5 ms.
func (c *clip) shape() {
	fade := 0
	if c.gain != c.want {
		fade = len(c.in) / fadeShare
		step := (c.want - c.gain) / float32(fade)
		for i, v := range c.in[:fade] {
			c.gain += step
			c.in[i] = int16(min(max(float32(v)*c.gain, math.MinInt16), math.MaxInt16))
		}
		c.gain = c.want
	}
	audio.Gain(c.in[fade:], c.want)
}
