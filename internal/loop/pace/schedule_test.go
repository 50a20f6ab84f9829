package pace

import (
	"testing"
	"time"
)

func TestSchedule(t *testing.T) {
	ms := time.Millisecond
	var s Schedule
	s.Restart(500 * ms) // slot 100
	for _, c := range []struct {
		now  time.Duration
		slot uint64
		lost int
	}{
		{500 * ms, 101, 0},
		{508 * ms, 102, 0}, // in time for the next
		{530 * ms, 103, 0}, // late: catches up
		{530 * ms, 104, 0},
		{625 * ms, 105, 0},     // exactly five frames late
		{631 * ms, 110, 1},     // a little more: a frame goes
		{1000 * ms, 183, 18},   // far behind: all but five frames
		{1000 * ms, 184, 0},    // and from there on without loss
		{time.Hour, 719980, 0}, // checked below
	} {
		if c.now == time.Hour {
			slot, at, lost := s.Next(c.now)
			if lost == 0 || c.now-at > CatchUp*Slot || slot%Phases != 185%Phases {
				t.Errorf("after an hour: slot %d at %v, %d lost", slot, at, lost)
			}
			continue
		}
		slot, at, lost := s.Next(c.now)
		if slot != c.slot || lost != c.lost || at != time.Duration(slot)*Slot {
			t.Errorf("at %v: slot %d at %v, %d lost; want slot %d, %d lost", c.now, slot, at, lost, c.slot, c.lost)
		}
	}
}
