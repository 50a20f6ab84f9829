package mixer

import (
	"errors"
	"fmt"
	"slices"

	"parley/internal/audio"
	"parley/internal/codec"
)

// Room mixes its ports. Its methods are called by one goroutine at a time, the loop that ticks it; all but Tick may allocate.
//
// It mixes at the highest rate that the formats of the present ports can use: 8, 16 or 48 kHz. When ports come and go this
// changes; encoders and resamplers then begin anew, which is heard like one lost packet.
//
// Those who are not heard share one encoding of the common mix per format; each who is heard, or for whom alone something plays, has one of its
// own, for as long as that goes on and, where the codec has memory, 600 ms longer. Who begins to be heard gets an encoder that goes on where the shared one stood,
// without a break. Who ceases to be changes to the shared one, which has encoded the same sound for those 600 ms: a frame without prediction bridges
// what is left with Opus, G.722 adapts by itself.
type Room struct {
	rate    int
	ports   []*Port
	players []*player
	taps    []Tap
	outlets []*outlet

	tick    uint64
	clock   uint64  // samples at 48 kHz, of Moment
	sum     []int32 // of all who are heard, and the players
	minus   []int32 // sum without one port, while that one is served
	dirty   bool    // sum is not zero
	heard   int     // ports in sum
	leaving []*Port // those who left since the last tick, with how they end
	playing bool    // players for everyone are in sum
	routing routing
	common  *mix
	moment  moment
	encoded uint64 // distinct mixes encoded since the room began, for tests
}

// lowestRate is what an empty room mixes at.
const lowestRate = 8000

// New makes an empty room.
func New() *Room {
	r := &Room{}
	r.resize(lowestRate)
	return r
}

// Rate returns the rate in Hz that the room mixes at.
func (r *Room) Rate() int { return r.rate }

// Enter adds a leg as a port, or refuses because its format cannot be opened; the room is then as before.
func (r *Room) Enter(leg Leg, o Options) (*Port, error) {
	p := newPort(leg, o)
	r.ports = append(r.ports, p)
	if err := r.settle(p); err != nil {
		r.detach(p)
		r.ports = r.ports[:len(r.ports)-1]
		return nil, errors.Join(fmt.Errorf("enter room: %w", err), r.settle(nil))
	}
	r.routing.seat(p)
	if p.routed() {
		r.routing.routed++
	}
	if r.routing.routed > 0 {
		r.routing.relate(p)
	}
	r.moment.reserve(len(r.routing.slots))
	return p, nil
}

// Leave removes a port, whose sound fades out in 5 ms. Repeated calls change nothing.
func (r *Room) Leave(p *Port) error {
	i := slices.Index(r.ports, p)
	if i < 0 {
		return nil
	}
	r.ports = slices.Delete(r.ports, i, i+1)
	r.removePlayers(func(x *player) bool { return x.to == p })
	r.detach(p)
	if p.routed() {
		r.routing.routed--
	}
	r.fadeOut(p)
	return r.settle(nil)
}

// Set replaces the options of a port; an empty tag leaves the old one.
func (r *Room) Set(p *Port, o Options) {
	if o.Tag == "" {
		o.Tag = p.o.Tag
	}
	was := p.routed()
	p.set(o)
	if was {
		r.routing.routed--
	}
	if p.routed() {
		r.routing.routed++
	}
	if was || p.routed() {
		r.routing.relate(p)
	}
	if p.outlet != nil && p.ear != p.hears() {
		_ = p.outlet.reserve() // without a voice for the fade it changes at once
	}
}

// Refresh asks the port's leg for its format again, after signalling has changed it.
func (r *Room) Refresh(p *Port) error {
	if !slices.Contains(r.ports, p) {
		return nil
	}
	if err := r.settle(p); err != nil {
		return fmt.Errorf("change format: %w", err)
	}
	return nil
}

// Ports returns how many ports there are.
func (r *Room) Ports() int { return len(r.ports) }

// settle brings rate and outlets in line with the ports. fresh, if any, is a port whose leg may have got a new format or does
// not know the room's rate.
func (r *Room) settle(fresh *Port) error {
	if rate := r.wanted(); rate != r.rate {
		return r.setRate(rate)
	}
	if fresh != nil {
		if err := fresh.leg.SetRate(r.rate); err != nil {
			return fmt.Errorf("set rate of leg: %w", err)
		}
		fresh.frame = make([]int16, audio.FrameSamples(r.rate))
		if err := r.attach(fresh); err != nil {
			return err
		}
	}
	return nil
}

// wanted is the highest rate that a port's format can use, and the present one while no port has a format.
func (r *Room) wanted() int {
	rate := 0
	for _, p := range r.ports {
		if f, ok := p.leg.Format(); ok {
			rate = max(rate, roomRate(f.SampleRate))
		}
	}
	if rate == 0 {
		return r.rate
	}
	return rate
}

func roomRate(sample int) int {
	switch {
	case sample <= 8000:
		return 8000
	case sample <= 16000:
		return 16000
	}
	return 48000
}

// setRate changes the rate of the room and of everyone in it. When one cannot follow, all go back.
func (r *Room) setRate(rate int) error {
	before := r.rate
	err := r.retune(rate)
	if err != nil && before != rate {
		return errors.Join(err, r.retune(before))
	}
	return err
}

func (r *Room) retune(rate int) (err error) {
	for _, p := range r.ports {
		r.detach(p)
		p.group = nil
	}
	r.resize(rate)
	for _, p := range r.ports {
		if e := p.leg.SetRate(rate); e != nil {
			err = errors.Join(err, fmt.Errorf("set rate of leg: %w", e))
		}
		p.frame = make([]int16, audio.FrameSamples(rate))
		err = errors.Join(err, r.attach(p))
	}
	for _, p := range r.players {
		p.frame = make([]int16, audio.FrameSamples(rate))
		if e := p.source.SetRate(rate); e != nil {
			err = errors.Join(err, fmt.Errorf("set rate of player: %w", e))
		}
	}
	return err
}

// resize makes the room's buffers for a rate and forgets all encoders.
func (r *Room) resize(rate int) {
	n := audio.FrameSamples(rate)
	r.rate, r.outlets, r.common = rate, nil, newMix(rate)
	r.common.tick = r.tick
	r.sum, r.minus, r.dirty = make([]int32, n), make([]int32, n), false
	r.farewell()
	r.routing.forget(nil)
	r.moment.resize(n)
}

// attach gives the port the outlet of its leg's format.
func (r *Room) attach(p *Port) error {
	f, ok := p.leg.Format()
	if ok && p.outlet != nil && p.outlet.format == f {
		return nil
	}
	r.detach(p)
	if !ok {
		return nil
	}
	o, err := r.outletFor(f)
	if err != nil {
		return err
	}
	o.members++
	p.outlet, p.fresh = o, true
	o.shared.refresh()
	return nil
}

func (r *Room) outletFor(f codec.Format) (*outlet, error) {
	for _, o := range r.outlets {
		if o.format == f {
			return o, o.reserve()
		}
	}
	o, err := newOutlet(f, r.common)
	if err != nil {
		return nil, err
	}
	r.outlets = append(r.outlets, o)
	return o, nil
}

// detach takes the port off its outlet, which goes with its last member.
func (r *Room) detach(p *Port) {
	o := p.outlet
	if o == nil {
		return
	}
	r.release(p, nil)
	p.outlet, p.lacks = nil, false
	if o.members--; o.members == 0 {
		r.routing.forget(o)
		r.outlets = slices.DeleteFunc(r.outlets, func(x *outlet) bool { return x == o })
	}
}

// release ends the port's own stream: from now on it hears that of a group, or the common one.
func (r *Room) release(p *Port, to *group) {
	if p.own == nil {
		return
	}
	r.streamOf(p.outlet, to).joins(p.own.stream, r.common.tick)
	p.outlet.spare = append(p.outlet.spare, p.own)
	p.own, p.keep = nil, 0
}
