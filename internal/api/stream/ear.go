package stream

import (
	"parley/internal/audio"
	"parley/internal/mixer"
)

// ear is what a stream hears, tick by tick and silence too, so that its time goes on with the room's. It writes into a ring and never waits.
type ear struct {
	ring *mixer.Ring
	tag  string // of the port whose two sides are heard; "" for the common mix

	// What follows belongs to the loop.
	sum     [mostSamples]int32
	both    [mostSamples]int16
	limiter audio.Limiter
}

// mostSamples is a frame at the highest rate.
const mostSamples = 960

// quiet is a frame of silence in the ring: one without samples.
var quiet = []int16{}

// See implements mixer.Tap.
func (e *ear) See(m mixer.Moment) {
	if e.tag != "" {
		m.Mix = e.sides(m)
	}
	if m.Mix == nil {
		m.Mix = quiet
	}
	e.ring.See(m)
}

// sides returns what one port says and hears together, nil for silence.
func (e *ear) sides(m mixer.Moment) []int16 {
	n := m.Rate / 50
	sum, sounds := e.sum[:n], false
	clear(sum)
	for i := range m.Voices {
		if m.Voices[i].Tag == e.tag {
			audio.Add(sum, m.Voices[i].Frame)
			sounds = true
		}
	}
	if heard := m.Heard(e.tag); heard != nil {
		audio.Add(sum, heard)
		sounds = true
	}
	if !sounds {
		return nil
	}
	e.limiter.Apply(e.both[:n], sum)
	return e.both[:n]
}
