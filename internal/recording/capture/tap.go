package capture

import (
	"sync/atomic"

	"parley/internal/mixer"
	"parley/internal/recording/page"
)

// tap is the media loop's side of a capture.
type tap struct {
	ring   *ring
	lanes  atomic.Pointer[map[string]uint16] // of those who are stored; replaced, never changed
	want   atomic.Uint32                     // what the owner wants: running, skipping, silenced, closed
	origin atomic.Uint64                     // clock of the first tick, plus one
	clock  atomic.Uint64                     // the end of the last tick
	lost   atomic.Uint64                     // ticks in which something found no room
	limit  uint64                            // length on the clock

	// A gap that is not in the ring yet. The owner reads it after the last tick.
	gapFrom, gapTo atomic.Uint64
	gapWhy         atomic.Uint32

	state uint32 // the loop's: what it wrote last
	since uint64 // the loop's: clock of a change that is not in the ring yet, plus one
}

// The states of a capture.
const (
	running = iota
	skipping
	silenced
	closed
)

// Why there is a gap.
const (
	slowDisk = iota
	lateLoop
)

var gapReasons = []string{"slow_disk", "late_loop"}

// See implements mixer.Tap. It copies and returns: it neither waits nor allocates.
func (t *tap) See(m mixer.Moment) {
	want := t.want.Load()
	if want == closed || !t.within(m.Clock) {
		return
	}
	if want != t.state {
		t.state, t.since = want, m.Clock+1
	}
	t.ring.begin()
	t.before(m.Clock)
	if t.state == running {
		t.copy(m)
	}
	if !t.ring.end() {
		t.lost.Add(1)
		if t.state == running && (len(m.Voices) > 0 || m.Played != nil) {
			t.gap(m.Clock, slowDisk)
		}
	} else {
		t.since = 0
		t.gapFrom.Store(0)
		t.gapTo.Store(0)
	}
	t.clock.Store(m.Clock + page.Tick)
}

// within follows the room's clock and reports whether the capture goes on.
func (t *tap) within(clock uint64) bool {
	origin := t.origin.Load()
	if origin == 0 {
		t.clock.Store(clock)
		t.origin.Store(clock + 1)
		return true
	}
	last := t.clock.Load()
	if clock < last || clock-(origin-1) >= t.limit {
		return false
	}
	if clock > last {
		t.gap(last, lateLoop)
		t.gapTo.Store(clock)
	}
	return true
}

// gap notes a tick at clock of which nothing is stored.
func (t *tap) gap(clock uint64, why uint32) {
	if t.gapTo.Load() == 0 {
		t.gapFrom.Store(clock)
		t.gapWhy.Store(why)
	}
	t.gapTo.Store(clock + page.Tick)
}

// before writes what happened since the last tick.
func (t *tap) before(clock uint64) {
	if to := t.gapTo.Load(); to != 0 {
		var length [4]int16
		from := t.gapFrom.Load()
		split(length[:], to-from)
		t.ring.write(record{kind: ringGap, clock: from, lane: uint16(t.gapWhy.Load())}, length[:])
	}
	if t.since != 0 {
		t.ring.write(record{kind: ringPause, clock: t.since - 1, lane: uint16(t.state)}, nil)
	}
}

func (t *tap) copy(m mixer.Moment) {
	if m.Played != nil {
		t.ring.write(record{clock: m.Clock, lane: page.Player, rate: m.Rate}, m.Played)
	}
	lanes := *t.lanes.Load()
	for i := range m.Voices {
		if m.Voices[i].Private {
			continue // what was said to some only is for nobody's records: not in the mix that all heard, and not in a lane
		}
		if lane, ok := lanes[m.Voices[i].Tag]; ok {
			t.ring.write(record{clock: m.Clock, lane: lane, rate: m.Rate}, m.Voices[i].Frame)
		}
	}
}
