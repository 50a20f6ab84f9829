package mixer

import (
	"time"

	"parley/internal/audio"
	"parley/internal/codec"
	"parley/internal/mixer/bitset"
	"parley/internal/mixer/sound"
)

// Source gives audio in frames of 20 ms. It is one of package sound, like what players play.
type Source = sound.Source

// Leg is the media transport of a port. All methods are called by whoever calls the Room.
type Leg interface {
	Source
	// Format says what its listener decodes; false before that is agreed. Room.Refresh makes the room ask again.
	Format() (codec.Format, bool)
	// Ready reports whether it may send just now.
	Ready() bool
	// Send takes the payload of one frame, which is valid during the call. It is called once per tick; nil means that nothing is
	// sent for this frame and only the stream's clock moves on.
	Send(payload []byte)
	// Loss says which share of what was sent its listener loses, in percent; 0 while nobody knows. It is asked once a second.
	Loss() int
}

// Options say what a port gives and gets.
type Options struct {
	Tag    string // names the port to taps
	Muted  bool   // is not heard
	Deaf   bool   // hears silence
	Held   bool   // neither
	Volume int    // dB on the way into the mix, clamped to -60..+30
	Echo   bool   // hears itself, like everyone else does

	CanHear  []string // tags of the ports that it hears; nil: everyone, empty: nobody
	CanSpeak []string // tags of the ports that hear it; nil: everyone, empty: nobody
}

// Port joins a leg to a room.
type Port struct {
	leg    Leg
	o      Options
	gain   float32 // at the end of the last frame
	volume float32 // that gain goes to
	open   bool    // the last frame could be heard to its end
	talk   audio.Talk
	level  uint8 // of the last frame, -dBov
	heard  bool  // the frame is in this tick's mix
	ear    bool  // it heard the room in the last tick
	frame  []int16
	outlet *outlet // of the leg's format; nil before there is one
	own    *voice  // its mix without itself, nil while it hears the common one
	keep   int     // ticks for which own outlives the last frame that needs it
	played int     // players for this port alone that sound in this tick
	fresh  bool    // has not heard its outlet yet
	lacks  bool    // it should have a stream of its own, which could not be made

	slot   int
	barred bitset.Set // slots of those whom it does not hear
	group  *group     // whose mix it hears; nil: the common one
}

func newPort(leg Leg, o Options) *Port {
	p := &Port{leg: leg, talk: audio.NewTalk(audio.FreeSWITCH), level: silentLevel}
	p.set(o)
	p.gain, p.ear = p.volume, p.hears()
	return p
}

const silentLevel = 127

func (p *Port) set(o Options) {
	o.CanHear, o.CanSpeak = sorted(o.CanHear), sorted(o.CanSpeak)
	p.o = o
	p.volume = sound.Volume(o.Volume)
	if o.Muted || o.Held {
		p.talk.Stop()
	}
}

// Talking reports whether the talk detector hears speech; never while muted or held.
func (p *Port) Talking() bool { return p.talk.Talking() }

// Level returns the loudness of the last frame, muted or not, as RFC 6464 has it: 0 (loud) to 127, meaning -dBov.
func (p *Port) Level() uint8 { return p.level }

// pull takes the frame that is due and reports whether it belongs into the mix. A muted leg is pulled like any other: its buffer
// must not grow stale.
func (p *Port) pull(now time.Duration) bool {
	audible := p.leg.Pull(p.frame, now)
	score := 0
	p.level = silentLevel
	if audible {
		sound.Fade(p.frame, p.gain, p.volume)
		score = audio.Score(p.frame)
		p.level = audio.Level(p.frame)
	}
	p.gain = p.volume
	was, open := p.open, !p.o.Muted && !p.o.Held
	p.open = open
	switch {
	case !open && !was:
		return false
	case !open:
		if audible = audible && p.heard; audible {
			sound.Fade(p.frame, 1, 0)
		}
		return audible
	}
	p.talk.Push(score, audio.FrameMillis)
	audible = audible && p.talk.Audible()
	if audible && !was {
		sound.Fade(p.frame, 0, 1)
	}
	return audible
}

// apart reports whether what the port hears is a group's mix, or the common one, without its own frame.
func (p *Port) apart(x *group) bool {
	if !p.heard || p.o.Echo {
		return false
	}
	return x == nil && !p.private() || x != nil && x.key.Has(p.slot)
}

// hears reports whether the port gets any audio.
func (p *Port) hears() bool { return !p.o.Deaf && !p.o.Held }
