// Package pace tells the media loops when to work: a clock that they share, slots of 5 ms counted from its start, and a place to sleep until the next
// one from which others can wake them. It starts no goroutine. A Schedule belongs to one goroutine, a Bed to the thread that sleeps in it; anyone may
// call Wake and read a Clock.
package pace

import "time"

// The clock of a loop: slots of 5 ms, four of which make a frame. A room is ticked in one of the four, so that the packets of a node
// do not leave in one burst.
const (
	Slot    = 5 * time.Millisecond
	Phases  = 4
	Frame   = Phases * Slot
	CatchUp = 5 * Phases // slots: so much delay is made good by ticking faster
)

// Schedule says which slot is due. Slots are counted from a fixed start, never from the last one: a late slot is followed by one in time, and
// the clock of no stream shifts.
type Schedule struct {
	slot uint64 // the last that was begun
}

// Next returns the slot to begin at the earliest, its nominal time since the start, and how many frames are given up because now is
// more than five frames late; every room and session misses that many ticks.
func (s *Schedule) Next(now time.Duration) (slot uint64, at time.Duration, lost int) {
	s.slot++
	at = time.Duration(s.slot) * Slot
	if late := now - at; late > CatchUp*Slot {
		lost = int((late - CatchUp*Slot + Frame - 1) / Frame)
		s.slot += uint64(lost * Phases)
		at = time.Duration(s.slot) * Slot
	}
	return s.slot, at, lost
}

// Restart lets the schedule go on from now, as after a time without work.
func (s *Schedule) Restart(now time.Duration) { s.slot = uint64(now / Slot) }

// Skip passes on to the slot after the last one.
func (s *Schedule) Skip() (slot uint64, at time.Duration) {
	s.slot++
	return s.slot, time.Duration(s.slot) * Slot
}
