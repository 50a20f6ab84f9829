package stream

import (
	"parley/internal/audio"
	"parley/internal/mixer"
)

// ear is what a stream hears, tick by tick and silence too, so that its time goes on with the room's: what an ordinary listener hears, or one port with
// its two sides, without what the stream itself has sent. It writes into a ring and never waits.
type ear struct {
	ring *mixer.Ring
	tag  string       // of the port; "" for the common mix
	own  *mixer.Inlet // what the stream sends

	// What follows belongs to the loop.
	sum     [mostSamples]int32
	out     [mostSamples]int16
	limiter audio.Limiter
}

// mostSamples is a frame at the highest rate.
const mostSamples = 960

// quiet is a frame of silence in the ring: one without samples.
var quiet = []int16{}

// See implements mixer.Tap.
func (e *ear) See(m mixer.Moment) {
	own := e.own.Sounding()
	switch sum := e.sum[:m.Rate/50]; {
	case e.tag != "":
		m.Mix = e.sides(m, sum, own)
	case len(own) == len(sum) && m.Sum() != nil:
		copy(sum, m.Sum())
		m.Mix = e.without(sum, own)
	}
	if m.Mix == nil {
		m.Mix = quiet
	}
	e.ring.See(m)
}

// sides returns what one port says and hears together, nil for silence.
func (e *ear) sides(m mixer.Moment, sum []int32, own []int16) []int16 {
	sounds := false
	clear(sum)
	for i := range m.Voices {
		if m.Voices[i].Tag == e.tag {
			audio.Add(sum, m.Voices[i].Frame)
			sounds = true
		}
	}
	if heard := m.Heard(e.tag); heard != nil {
		audio.Add(sum, heard)
		if sounds = true; len(own) == len(sum) {
			return e.without(sum, own)
		}
	}
	if !sounds {
		return nil
	}
	return e.without(sum, nil)
}

// without takes what the stream has sent out of a sum, and limits it.
func (e *ear) without(sum []int32, own []int16) []int16 {
	for i, v := range own {
		sum[i] -= int32(v)
	}
	e.limiter.Apply(e.out[:len(sum)], sum)
	return e.out[:len(sum)]
}
