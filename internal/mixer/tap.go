package mixer

import (
	"slices"

	"parley/internal/audio"
)

// Tap gets a copy of what is mixed. See is called once per tick by the loop and must neither block nor allocate: it copies what
// it wants and returns.
type Tap interface {
	See(m Moment)
}

// Moment is one tick of a room. Its slices are valid during the call only.
type Moment struct {
	Clock  uint64  // samples at 48 kHz since the room began, whatever its rate: 960 more each tick
	Rate   int     // of the frames, in Hz
	Voices []Voice // those who are heard by somebody
	Played []int16 // what the players for everyone added, nil for silence
	Mix    []int16 // what silent listeners hear to whom nobody speaks in private, nil for silence

	room *Room
}

// Heard returns what the listener of the port with the tag got to hear, before its codec: the others, the players for everyone and those for it
// alone. It is nil for silence, and for a tag that no port has.
func (m *Moment) Heard(tag string) []int16 {
	if m.room == nil {
		return nil
	}
	for _, p := range m.room.ports {
		if p.o.Tag != tag {
			continue
		}
		heard := m.room.mixOf(p.group)
		if p.own != nil {
			heard = p.own.mix
		} else if !p.hears() {
			return nil
		}
		if heard.silent || heard.tick != m.room.tick {
			return nil
		}
		return heard.frame
	}
	return nil
}

// Sum returns what silent listeners hear before it is limited, nil for silence. Nobody may change it.
func (m *Moment) Sum() []int32 {
	if m.room == nil || m.room.common.silent {
		return nil
	}
	return m.room.sum
}

// Voice is the frame of one port as it went into the mix.
type Voice struct {
	Tag     string
	Frame   []int16
	Private bool // it is for some only and not in Mix
}

// clockSamples is how far the room's clock goes in a tick.
const clockSamples = 960

// moment is what the room keeps to make a Moment without allocating.
type moment struct {
	voices  []Voice
	sum     []int32 // of the players
	played  []int16
	limiter audio.Limiter
}

func (m *moment) reserve(ports int) { m.voices = slices.Grow(m.voices[:0], ports) }

func (m *moment) resize(n int) { m.sum, m.played = make([]int32, n), make([]int16, n) }

// AddTap shows every following tick to t.
func (r *Room) AddTap(t Tap) { r.taps = append(r.taps, t) }

// RemoveTap ends that; t has seen its last tick when it returns.
func (r *Room) RemoveTap(t Tap) {
	r.taps = slices.DeleteFunc(r.taps, func(x Tap) bool { return x == t })
}

func (r *Room) tap() {
	if len(r.taps) == 0 {
		return
	}
	m := Moment{Clock: r.clock, Rate: r.rate, Voices: r.moment.voices[:0], room: r}
	for _, p := range r.routing.voices {
		m.Voices = append(m.Voices, Voice{Tag: p.o.Tag, Frame: p.frame, Private: p.private()})
	}
	if r.playing {
		r.moment.limiter.Apply(r.moment.played, r.moment.sum)
		m.Played = r.moment.played
	}
	if !r.common.silent {
		m.Mix = r.common.frame
	}
	for _, t := range r.taps {
		t.See(m)
	}
}
