// Package ear makes a continuous stream, with a clock, of what is to be heard of a room or of one port: an Ear is the tap, on the loop's side, and Speech
// the reader's side. It starts no goroutine; packets and sockets are left to others.
package ear

import (
	"parley/internal/audio"
	"parley/internal/mixer"
)

// Side is what there is to hear of a port.
type Side uint8

// The sides.
const (
	Both    Side = iota
	Voice        // what it says
	Heard        // what it gets to hear
	Nothing      // silence, at the room's pace
)

// Ear is what somebody outside hears, tick by tick and silence too, so that its time goes on with the room's: what an ordinary listener hears, or the
// sides of one port, without what that somebody sends. It writes into a ring and never waits.
type Ear struct {
	ring *mixer.Ring
	own  *mixer.Inlet
	tag  string
	side Side

	// What follows belongs to the loop.
	sum     [Samples]int32
	out     [Samples]int16
	limiter audio.Limiter
}

// Samples is a frame at the highest rate.
const Samples = 960

// quiet is a frame of silence in the ring: one without samples.
var quiet = []int16{}

// New makes an ear of the port with the tag, or with "" of the common mix, whatever the side. The ring is made for no tag. own is what its owner sends
// into the same room, nil for nothing.
func New(ring *mixer.Ring, own *mixer.Inlet, tag string, side Side) *Ear {
	return &Ear{ring: ring, own: own, tag: tag, side: side}
}

// See implements mixer.Tap.
func (e *Ear) See(m mixer.Moment) {
	var own []int16
	if e.own != nil {
		own = e.own.Sounding()
	}
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

// sides returns what one port says and hears together, as far as that is to be heard, nil for silence.
func (e *Ear) sides(m mixer.Moment, sum []int32, own []int16) []int16 {
	sounds := false
	clear(sum)
	for i := range m.Voices {
		if m.Voices[i].Tag == e.tag && (e.side == Both || e.side == Voice) {
			audio.Add(sum, m.Voices[i].Frame)
			sounds = true
		}
	}
	if e.side == Both || e.side == Heard {
		if heard := m.Heard(e.tag); heard != nil {
			audio.Add(sum, heard)
			if sounds = true; len(own) == len(sum) {
				return e.without(sum, own)
			}
		}
	}
	if !sounds {
		return nil
	}
	return e.without(sum, nil)
}

// without takes what the owner has sent out of a sum, and limits it.
func (e *Ear) without(sum []int32, own []int16) []int16 {
	for i, v := range own {
		sum[i] -= int32(v)
	}
	e.limiter.Apply(e.out[:len(sum)], sum)
	return e.out[:len(sum)]
}
