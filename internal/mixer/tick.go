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
	r.play(now)
	r.gather(now)
	if !r.routing.rests() {
		r.route()
	}
	r.common.start(r.tick, r.sum, r.heard == 0 && !r.playing)
	for _, p := range r.ports {
		p.leg.Send(r.payload(p))
		p.ear, p.fresh = p.hears(), false
	}
	r.tap()
	r.farewell()
	r.clock += clockSamples
}

// Skip moves the room's clock on by ticks that were never made, because their time had passed.
func (r *Room) Skip(ticks int) { r.clock += uint64(ticks) * clockSamples }

// gather pulls all legs and sums those that everyone hears.
func (r *Room) gather(now time.Duration) {
	r.heard, r.routing.voices = 0, r.routing.voices[:0]
	for _, p := range r.leaving {
		r.count(p)
	}
	plain := r.routing.rests()
	for _, p := range r.ports {
		if p.heard = p.pull(now); p.heard {
			r.count(p)
		}
		if plain {
			r.follow(p, nil)
		}
	}
}

func (r *Room) count(p *Port) {
	r.routing.voices = append(r.routing.voices, p)
	if !p.private() {
		r.add(p.frame)
		r.heard++
	}
}

func (r *Room) add(frame []int16) {
	audio.Add(r.sum, frame)
	r.dirty = true
}

// follow gives a port a stream of its own while its voice is in the mix that it would hear, or something plays for it alone, or what it hears fades in
// or out, and some ticks longer. Others change streams when they come to hear another group's mix than before.
func (r *Room) follow(p *Port, now *group) {
	switch {
	case p.outlet == nil:
	case p.apart(now) || p.played > 0 || p.ear != p.hears():
		p.keep = p.outlet.keep
		if p.own == nil {
			var shared *stream
			if p.ear && !p.fresh {
				shared = r.streamOf(p.outlet, p.group)
			}
			p.own = p.outlet.take(r.mixOf(p.group), shared)
		}
		p.lacks = p.own == nil
	case p.own == nil:
		p.lacks = false
		if now != p.group && (now == nil || now.origin != p.group) {
			r.streamOf(p.outlet, now).joins(r.streamOf(p.outlet, p.group), r.common.tick)
		}
	case p.keep > 0:
		p.keep--
	default:
		r.release(p, now)
	}
}

// payload returns what the port is to hear, nil when it cannot be told.
func (r *Room) payload(p *Port) []byte {
	switch {
	case p.outlet == nil || !p.leg.Ready():
		return nil
	case p.own != nil:
		return r.ownPayload(p)
	case p.lacks || !p.hears():
		return p.outlet.silence.payload
	}
	if s := r.streamOf(p.outlet, p.group); s != nil {
		return r.encode(r.mixOf(p.group), s)
	}
	return p.outlet.silence.payload
}

func (r *Room) ownPayload(p *Port) []byte {
	base, heard := r.sum, r.heard
	if p.group != nil {
		base, heard = p.group.sum, p.group.heard
	}
	turns, apart := p.ear != p.hears(), p.apart(p.group)
	if apart {
		heard--
	}
	rest, sum := (p.ear || p.hears()) && (heard > 0 || r.playing), base
	if apart || p.played > 0 || turns {
		sum = r.minus
	}
	switch {
	case rest && apart:
		audio.MixMinus(sum, base, p.frame)
	case rest && (p.played > 0 || turns):
		copy(sum, base)
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

func (r *Room) encode(m *mix, s *stream) []byte {
	if s.tick != r.tick && !m.silent {
		r.encoded++
	}
	return m.payload(s)
}
