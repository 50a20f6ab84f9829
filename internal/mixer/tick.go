package mixer

import (
	"time"

	"parley/internal/audio"
)

// Tick mixes one frame of 20 ms: pulls every leg, sums, sends every leg its payload, and shows the result to the taps. now is
// the loop's clock, the nominal time of the tick. A leg whose stream goes on gets exactly one Send.
func (r *Room) Tick(now time.Duration) {
	if r.tick++; r.tick%mendTicks == 0 {
		r.mend()
	}
	if r.dirty {
		clear(r.sum)
		r.dirty = false
	}
	r.end()
	r.play(now)
	r.gather(now)
	r.common.start(r.tick, r.sum, r.heard == 0 && !r.playing && !r.fading)
	for _, p := range r.ports {
		p.leg.Send(r.payload(p))
		p.ear = p.hears()
	}
	r.tap()
	r.clock += clockSamples
}

// Skip moves the room's clock on by ticks that were never made, because their time had passed.
func (r *Room) Skip(ticks int) { r.clock += uint64(ticks) * clockSamples }

// gather pulls all legs and sums those that are heard.
func (r *Room) gather(now time.Duration) {
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

// follow gives a port a stream of its own while it is heard, or something plays for it alone, or what it hears fades in or out, and some ticks
// longer.
func (r *Room) follow(p *Port) {
	switch {
	case p.outlet == nil:
	case p.apart() || p.played > 0 || p.ear != p.hears():
		p.keep = p.outlet.keep
		if p.own == nil {
			p.own = p.outlet.take(r.common, p.ear)
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
	case p.own != nil:
		return r.ownPayload(p)
	case !p.hears():
		return p.outlet.silence.payload
	}
	return r.encode(r.common, p.outlet.shared)
}

func (r *Room) ownPayload(p *Port) []byte {
	turns := p.ear != p.hears()
	rest, sum := (p.ear || p.hears()) && r.others(p), r.sum
	if p.apart() || p.played > 0 || turns {
		sum = r.minus
	}
	switch {
	case rest && p.apart():
		audio.MixMinus(sum, r.sum, p.frame)
	case rest && (p.played > 0 || turns):
		copy(sum, r.sum)
	case p.played > 0:
		clear(sum)
	}
	if rest && turns {
		turn(sum, p.hears())
	}
	if p.played > 0 {
		r.addPlayed(sum, p)
	}
	p.own.start(r.tick, sum, !rest && p.played == 0)
	return r.encode(p.own.mix, p.own.stream)
}

// others reports whether there is sound in the room that the port hears: all but its own, without Echo.
func (r *Room) others(p *Port) bool {
	heard := r.heard
	if p.apart() {
		heard--
	}
	return heard > 0 || r.playing || r.fading
}

func (r *Room) encode(m *mix, s *stream) []byte {
	if s.tick != r.tick && !m.silent {
		r.encoded++
	}
	return m.payload(s)
}
