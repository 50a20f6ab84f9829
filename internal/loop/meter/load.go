// Package meter measures how busy a media loop is, and how late. The loop's thread writes; what is atomic may be read by anyone.
package meter

import (
	"math"
	"sync/atomic"
	"time"

	"parley/internal/loop/pace"
)

// Limits of load. Busy is the share of wall time that a loop spends on its slots, so what others take from the core counts too.
const (
	fullLimit = 0.90                  // no new port on a loop that exceeds it and Options.Busy
	lateLimit = 20 * time.Millisecond // nor while slots begin so late on average
	lateClamp = 100 * time.Millisecond
	memory    = 1.0 / 200 // weight of a slot in the averages: about a second
)

// LegCost is what a session is taken to cost until it is measured, and the bounds of the measured value, as shares of a loop.
const (
	LegCost     = 0.0004 // 8 us per frame
	legCostLow  = 0.0001
	legCostHigh = 0.02
)

// Load is how busy a loop is. The thread writes, anyone reads.
type Load struct {
	Limit      float64       // of the share
	busy, late atomic.Uint64 // float64 bits: share, seconds
	legs       atomic.Int64  // in rooms

	// What follows is the thread's.
	Late    [len(Buckets) + 1]uint64 // slots by how late they began
	LateSum time.Duration
	Lost    uint64 // frames
}

// Account takes in a slot that began late, took spent, and gave up frames before it.
func (a *Load) Account(late, spent time.Duration, lost, legs int) {
	late = max(late, 0)
	mean(&a.busy, float64(spent)/float64(pace.Slot))
	mean(&a.late, min(late, lateClamp).Seconds())
	a.count(late)
	a.Lost += uint64(lost)
	a.legs.Store(int64(legs))
}

// Skipped takes in slots without work before one that began late.
func (a *Load) Skipped(late time.Duration, slots int) {
	for range slots {
		mean(&a.busy, 0)
		mean(&a.late, min(max(late, 0), lateClamp).Seconds())
	}
}

// Clear forgets the load when there is nothing left to do.
func (a *Load) Clear() {
	a.busy.Store(0) // the bits of 0.0
	a.late.Store(0)
	a.legs.Store(0)
}

func mean(of *atomic.Uint64, value float64) {
	old := math.Float64frombits(of.Load())
	of.Store(math.Float64bits(old + (value-old)*memory))
}

// Share returns the share of its time that the loop works, averaged over about a second.
func (a *Load) Share() float64 { return math.Float64frombits(a.busy.Load()) }

// Tardy reports whether slots begin too late on average.
func (a *Load) Tardy() bool {
	return math.Float64frombits(a.late.Load()) > lateLimit.Seconds()
}

// Full reports whether the loop has no time for one more port.
func (a *Load) Full() bool { return a.Share() > max(fullLimit, a.Limit) || a.Tardy() }

// Cost estimates a session's share.
func (a *Load) Cost() float64 {
	legs := a.legs.Load()
	if legs < 10 {
		return LegCost
	}
	return min(max(a.Share()/float64(legs), legCostLow), legCostHigh)
}

// Legs returns how many sessions are in rooms.
func (a *Load) Legs() int64 { return a.legs.Load() }

// Buckets are the upper bounds of Late in seconds; a last bucket takes what is above.
var Buckets = [...]float64{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.1}

// count notes how late a slot began.
func (a *Load) count(late time.Duration) {
	i := 0
	for i < len(Buckets) && late.Seconds() > Buckets[i] {
		i++
	}
	a.Late[i]++
	a.LateSum += late
}
