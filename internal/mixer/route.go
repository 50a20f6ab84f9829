package mixer

import (
	"math/bits"
	"slices"

	"parley/internal/audio"
	"parley/internal/mixer/bitset"
)

// routing is who hears whom. What is said to some only is not in the common mix; those who do not hear the common mix share a group with all others who
// hear the same speakers just now. So there are never more mixes than different sets of present speakers that somebody hears, whatever the lists say.
type routing struct {
	slots  []*Port    // each port has one for its stay
	routed int        // ports with a list
	voices []*Port    // those who are heard in this tick, leaving ones included
	active bitset.Set // their slots
	public bitset.Set // without those who speak to some only
	key    bitset.Set // scratch
	groups []*group
	before []*group // of the last tick
	spare  []*group
}

// group is a mix that listeners share who do not hear what all hear.
type group struct {
	*mix
	sum     []int32
	key     bitset.Set // whom it hears
	heard   int        // how many
	streams []groupStream
	used    uint64 // tick
	origin  *group // whose streams its own go on with since this tick; itself when they are its own, nil for the common ones
}

type groupStream struct {
	outlet *outlet
	stream *stream
}

// seat gives a port a slot.
func (g *routing) seat(p *Port) {
	p.slot = slices.Index(g.slots, nil)
	if p.slot < 0 {
		p.slot = len(g.slots)
		g.slots = append(g.slots, nil)
	}
	g.slots[p.slot] = p
	words := (len(g.slots) + 63) / 64
	for len(g.active) < words {
		g.active, g.public, g.key = append(g.active, 0), append(g.public, 0), append(g.key, 0)
	}
	g.voices = slices.Grow(g.voices[:0], len(g.slots))
}

// unseat takes it back, once nobody hears the port any more.
func (g *routing) unseat(p *Port) {
	g.slots[p.slot] = nil
	for _, q := range g.slots {
		if q != nil {
			q.barred.Put(p.slot, false)
		}
	}
}

// relate brings the relations of a port to all others in line with its options and theirs.
func (g *routing) relate(p *Port) {
	for _, q := range g.slots {
		if q != nil && q != p {
			p.barred.Put(q.slot, p.bars(q))
			q.barred.Put(p.slot, q.bars(p))
		}
	}
}

// bars reports whether a port does not hear another, by the list of either.
func (p *Port) bars(speaker *Port) bool {
	return p.o.CanHear != nil && !listed(p.o.CanHear, speaker.o.Tag) || speaker.private() && !listed(speaker.o.CanSpeak, p.o.Tag)
}

func listed(tags []string, tag string) bool {
	_, ok := slices.BinarySearch(tags, tag)
	return ok
}

// private reports whether what the port says is for some only.
func (p *Port) private() bool { return p.o.CanSpeak != nil }

func (p *Port) routed() bool { return p.o.CanHear != nil || p.o.CanSpeak != nil }

// sorted are lists of tags in order, those of the caller untouched; a nil one, which stands for everyone, stays nil.
func sorted(tags []string) []string {
	tags = slices.Clone(tags)
	slices.Sort(tags)
	return tags
}

// rests reports whether everyone hears everyone, as in the tick before: then nobody has a group.
func (g *routing) rests() bool { return g.routed == 0 && len(g.groups) == 0 }

// route finds the mix of this tick for each port: its group, or nil for the common mix. Ports keep or change their streams accordingly.
func (r *Room) route() {
	g := &r.routing
	g.before, g.groups = g.groups, g.before[:0]
	if g.routed > 0 {
		clear(g.active)
		clear(g.public)
		for _, v := range g.voices {
			g.active.Put(v.slot, true)
			g.public.Put(v.slot, !v.private())
		}
	}
	for _, p := range r.ports {
		now := r.groupOf(p)
		r.follow(p, now)
		p.group = now
	}
	for _, x := range g.before {
		if x.used != r.tick {
			g.spare = append(g.spare, x)
		}
	}
	clear(g.before)
	for _, x := range g.groups {
		x.start(r.tick, x.sum, x.heard == 0 && !r.playing)
	}
}

// groupOf returns the group of those who hear the same as a port.
func (r *Room) groupOf(p *Port) *group {
	g := &r.routing
	if g.routed == 0 || p.outlet == nil || !p.hears() && !p.ear {
		return nil
	}
	var differs, private uint64 // from what all hear
	for i, active := range g.active {
		g.key[i] = active &^ p.barred.Word(i)
		x := g.key[i] ^ g.public[i]
		if i == p.slot/64 && !p.o.Echo {
			private |= x &^ (1 << (p.slot % 64))
		} else {
			private |= x
		}
		differs |= x
	}
	if differs == 0 || private == 0 { // the latter: only its own voice is not in what all hear, and need not be taken out
		return nil
	}
	if x := p.group; x != nil && x.used == r.tick && slices.Equal(x.key, g.key) {
		return x
	}
	for _, x := range g.groups {
		if slices.Equal(x.key, g.key) {
			return x
		}
	}
	return r.claim(p.group)
}

// claim begins a group for the key of this tick. It goes on with the mix that its first listener has heard, if nobody else does, or else after it.
func (r *Room) claim(old *group) *group {
	g := &r.routing
	x := old
	if x == nil || x.used == r.tick {
		x = r.newGroup()
		x.startAfter(r.mixOf(old))
		for i := range x.streams {
			if s := r.streamOf(x.streams[i].outlet, old); s != nil {
				x.streams[i].stream.startAfter(s)
			}
		}
	}
	x.origin, x.used = old, r.tick
	x.key = append(x.key[:0], g.key...)
	g.groups = append(g.groups, x)
	r.sumUp(x)
	return x
}

// sumUp sums those whom a group hears, starting with what is nearer: everything or nothing.
func (r *Room) sumUp(x *group) {
	all, differ := 0, 0
	for i, word := range x.key {
		all += bits.OnesCount64(word)
		differ += bits.OnesCount64(word ^ r.routing.public[i])
	}
	x.heard = all
	fresh := all <= differ
	switch {
	case !fresh:
		copy(x.sum, r.sum)
	case r.playing:
		copy(x.sum, r.moment.sum)
	default:
		clear(x.sum)
	}
	for _, v := range r.routing.voices {
		in, was := x.key.Has(v.slot), !fresh && !v.private()
		if in && !was {
			audio.Add(x.sum, v.frame)
		} else if was && !in {
			audio.MixMinus(x.sum, x.sum, v.frame)
		}
	}
}

// newGroup takes a group out of the pool, which grows to the number of those that there ever were at once and only then allocates.
func (r *Room) newGroup() *group {
	g := &r.routing
	var x *group
	if n := len(g.spare); n > 0 {
		x, g.spare = g.spare[n-1], g.spare[:n-1]
	} else {
		x = &group{mix: newMix(r.rate), sum: make([]int32, audio.FrameSamples(r.rate))}
	}
	for _, o := range r.outlets {
		if x.streamFor(o) != nil {
			continue
		}
		// Without a stream its listeners hear silence, and the next group tries again.
		if s, err := x.newStream(o.format, o.silence); err == nil {
			s.loss = o.shared.loss
			x.streams = append(x.streams, groupStream{o, s})
		}
	}
	return x
}

func (x *group) streamFor(o *outlet) *stream {
	for i := range x.streams {
		if x.streams[i].outlet == o {
			return x.streams[i].stream
		}
	}
	return nil
}

// mixOf returns the mix of a group, nil being all others.
func (r *Room) mixOf(x *group) *mix {
	if x == nil {
		return r.common
	}
	return x.mix
}

// streamOf returns the stream that a group's listeners share in a format, nil when it could not be made.
func (r *Room) streamOf(o *outlet, x *group) *stream {
	if x == nil {
		return o.shared
	}
	return x.streamFor(o)
}

// forget drops the streams of an outlet, or everything when o is nil.
func (g *routing) forget(o *outlet) {
	if o == nil {
		g.groups, g.before, g.spare = nil, nil, nil
		return
	}
	for _, list := range [][]*group{g.groups, g.before, g.spare} {
		for _, x := range list {
			if x != nil {
				x.streams = slices.DeleteFunc(x.streams, func(s groupStream) bool { return s.outlet == o })
			}
		}
	}
}
