package loop

import (
	"math"

	"parley/internal/fault"
	"parley/internal/loop/meter"
)

// busyLimit is Options.Busy when that is not given.
const busyLimit = 0.75

// Admit refuses with fault.Unavailable, reason OVERLOADED, while the loops could not take another session without being late:
// when even the least loaded would spend more of its time than Options.Busy, counting sessions that are bound but in no room
// yet, or when slots begin more than 20 ms late on average.
func (e *Engine) Admit() error {
	inRooms := 0
	for _, l := range e.loops {
		inRooms += int(l.load.Legs())
	}
	pending := max(e.counted()-inRooms, 0)
	for _, l := range e.loops {
		expected := l.load.Share() + l.load.Cost()*float64(pending/len(e.loops)+1)
		if expected <= l.load.Limit && !l.load.Tardy() {
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
		weight := max(l.load.Share(), meter.LegCost*float64(l.load.Legs())) + meter.LegCost*float64(l.rooms.Load())
		if weight < lowest {
			best, lowest = l, weight
		}
	}
	return best
}
