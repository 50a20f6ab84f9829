package mixer

import (
	"time"

	"parley/internal/audio"
)

// Tick mixes one frame of 20 ms: pulls every leg, sums, sends every leg its payload, and shows the result to the taps. now is
// the loop's clock, the nominal time of the tick. A leg whose stream goes on gets exactly one Send.
func (r *Room) Tick(now time.Duration) {
	r.tick++
	r.gather(now)
	r.play(now)
	r.common.start(r.tick, r.sum, r.heard == 0 && !r.playing)
	for _, p := range r.ports {
		p.leg.Send(r.payload(p))
	}
	r.tap()
	r.clock += clockSamples
}

// Skip moves the room's clock on by ticks that were never made, because their time had passed.
func (r *Room) Skip(ticks int) { r.clock += uint64(ticks) * clockSamples }

// gather pulls all legs and sums those that are heard.
func (r *Room) gather(now time.Duration) {
	if r.dirty {
		clear(r.sum)
		r.dirty = false
	}
	r.heard = 0
	for _, p := range r.ports {
		p.heard = p.pull(now)
		if p.heard {
			r.add(p.frame)
			r.heard++
		}
		r.follow(p)
	}
}

func (r *Room) add(frame []int16) {
	audio.Add(r.sum, frame)
	r.dirty = true
}

// follow gives a port a stream of its own while it is heard and some ticks longer.
func (r *Room) follow(p *Port) {
	switch {
	case p.outlet == nil:
	case p.heard:
		p.keep = p.outlet.keep
		if p.own == nil {
			p.own = p.outlet.take(r.common)
		}
	case p.own == nil:
	case p.keep > 0:
		p.keep--
	default:
		r.release(p)
	}
}

// payload returns what the port is to hear, nil when it cannot be told.
func (r *Room) payload(p *Port) []byte {
	switch {
	case p.outlet == nil || !p.leg.Ready():
		return nil
	case !p.hears():
		return p.outlet.silence.payload
	case p.own != nil:
		return r.ownPayload(p)
	}
	return r.encode(r.common, p.outlet.shared)
}

func (r *Room) ownPayload(p *Port) []byte {
	m, others, sum := p.own, r.heard, r.sum
	if p.heard {
		others--
		sum = r.minus
		if others > 0 || r.playing {
			audio.MixMinus(sum, r.sum, p.frame)
		}
	}
	m.start(r.tick, sum, others == 0 && !r.playing)
	return r.encode(m.mix, m.stream)
}

func (r *Room) encode(m *mix, s *stream) []byte {
	if s.tick != r.tick && !m.silent {
		r.encoded++
	}
	return m.payload(s)
}
