package loop

import (
	"math"
	"sync/atomic"
	"time"

	"parley/internal/fault"
	"parley/internal/loop/pace"
)

// Limits of load. Busy is the share of wall time that a loop spends on its slots, so what others take from the core counts too.
const (
	busyLimit = 0.75                  // Options.Busy when that is not given
	fullLimit = 0.90                  // no new port on a loop that exceeds it and Options.Busy
	lateLimit = 20 * time.Millisecond // nor while slots begin so late on average
	lateClamp = 100 * time.Millisecond
	memory    = 1.0 / 200 // weight of a slot in the averages: about a second
)

// legCost is what a session is taken to cost until it is measured, and the bounds of the measured value, as shares of a loop.
const (
	legCost     = 0.0004 // 8 us per frame
	legCostLow  = 0.0001
	legCostHigh = 0.02
)

// load is how busy a loop is. The thread writes, anyone reads.
type load struct {
	limit      float64       // Options.Busy
	busy, late atomic.Uint64 // float64 bits: share, seconds
	legs       atomic.Int64  // in rooms
	lateness   histogram     // the thread's, shown by publish
	lost       uint64        // frames, the thread's
}

// account takes in a slot that began late, took spent, and gave up frames before it.
func (a *load) account(late, spent time.Duration, lost, legs int) {
	late = max(late, 0)
	mean(&a.busy, float64(spent)/float64(pace.Slot))
	mean(&a.late, min(late, lateClamp).Seconds())
	a.lateness.add(late)
	a.lost += uint64(lost)
	a.legs.Store(int64(legs))
}

// skipped takes in slots without work before one that began late.
func (a *load) skipped(late time.Duration, slots int) {
	for range slots {
		mean(&a.busy, 0)
		mean(&a.late, min(max(late, 0), lateClamp).Seconds())
	}
}

// clear forgets the load when there is nothing left to do.
func (a *load) clear() {
	a.busy.Store(0) // the bits of 0.0
	a.late.Store(0)
	a.legs.Store(0)
}

func mean(of *atomic.Uint64, value float64) {
	old := math.Float64frombits(of.Load())
	of.Store(math.Float64bits(old + (value-old)*memory))
}

func (a *load) share() float64 { return math.Float64frombits(a.busy.Load()) }

func (a *load) tardy() bool {
	return math.Float64frombits(a.late.Load()) > lateLimit.Seconds()
}

// full reports whether the loop has no time for one more port.
func (a *load) full() bool { return a.share() > max(fullLimit, a.limit) || a.tardy() }

// cost estimates a session's share.
func (a *load) cost() float64 {
	legs := a.legs.Load()
	if legs < 10 {
		return legCost
	}
	return min(max(a.share()/float64(legs), legCostLow), legCostHigh)
}

// Admit refuses with fault.Unavailable, reason OVERLOADED, while the loops could not take another session without being late:
// when even the least loaded would spend more of its time than Options.Busy, counting sessions that are bound but in no room
// yet, or when slots begin more than 20 ms late on average.
func (e *Engine) Admit() error {
	inRooms := 0
	for _, l := range e.loops {
		inRooms += int(l.load.legs.Load())
	}
	pending := max(e.counted()-inRooms, 0)
	for _, l := range e.loops {
		expected := l.load.share() + l.load.cost()*float64(pending/len(e.loops)+1)
		if expected <= l.load.limit && !l.load.tardy() {
			return nil
		}
	}
	return errOverloaded()
}

func errOverloaded() error {
	return fault.New(fault.Unavailable, "OVERLOADED", "the media loops have no time for another participant: try again later or on another node")
}

// leastLoaded is where a new room goes. Rooms that are still empty weigh as much as a session, so that many made at once are
// spread.
func (e *Engine) leastLoaded() *loop {
	best, lowest := e.loops[0], math.Inf(1)
	for _, l := range e.loops {
		weight := max(l.load.share(), legCost*float64(l.load.legs.Load())) + legCost*float64(l.rooms.Load())
		if weight < lowest {
			best, lowest = l, weight
		}
	}
	return best
}
