package loop

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// The clock of a loop: slots of 5 ms, four of which make a frame. A room is ticked in one of the four, so that the packets of a node
// do not leave in one burst.
const (
	slotLength   = 5 * time.Millisecond
	phases       = 4
	frame        = phases * slotLength
	catchUpSlots = 5 * phases // so much delay is made good by ticking faster
)

// schedule says which slot is due. Slots are counted from a fixed start, never from the last one: a late slot is followed by one in time, and
// the clock of no stream shifts.
type schedule struct {
	slot uint64 // the last that was begun
}

// next returns the slot to begin at the earliest, its nominal time since the start, and how many frames are given up because now is
// more than five frames late; every room and session misses that many ticks.
func (s *schedule) next(now time.Duration) (slot uint64, at time.Duration, lost int) {
	s.slot++
	at = time.Duration(s.slot) * slotLength
	if late := now - at; late > catchUpSlots*slotLength {
		lost = int((late - catchUpSlots*slotLength + frame - 1) / frame)
		s.slot += uint64(lost * phases)
		at = time.Duration(s.slot) * slotLength
	}
	return s.slot, at, lost
}

// clock is the time since the engine was opened, shared by its loops and readable by everyone.
type clock struct {
	begin time.Time
	base  time.Duration // the system's monotonic clock at begin
}

func newClock() (clock, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return clock{}, fmt.Errorf("read monotonic clock: %w", err)
	}
	return clock{begin: time.Now(), base: time.Duration(ts.Nano())}, nil
}

func (c clock) now() time.Duration { return time.Since(c.begin) }

// sleepUntil blocks the thread until the clock shows at. The runtime's timers wake a millisecond late; this wakes within 0.1 ms.
// Signals of the runtime cut it short, so it sleeps again.
func (c clock) sleepUntil(at time.Duration) error {
	ts := unix.NsecToTimespec(int64(c.base + at))
	for {
		switch err := unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &ts, nil); err {
		case nil:
			return nil
		case unix.EINTR:
		default:
			return fmt.Errorf("sleep until the next slot: %w", err)
		}
	}
}
