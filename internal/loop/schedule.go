package loop

import (
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

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

// skip passes on to the slot after the last one.
func (s *schedule) skip() (slot uint64, at time.Duration) {
	s.slot++
	return s.slot, time.Duration(s.slot) * slotLength
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

// bed is where the thread of a loop sleeps and others wake it (futex(2)).
type bed struct {
	state atomic.Uint32
}

const (
	awake  = 0
	asleep = 1

	// Operations of futex(2) on a word of one process; the wait ends at an absolute time of the monotonic clock.
	futexWake = 1 | 128
	futexWait = 9 | 128
	anyBit    = 0xffffffff
)

// lieDown announces the sleep. What is asked of the thread after that wakes it; what was asked before, it must look for itself.
func (b *bed) lieDown() { b.state.Store(asleep) }

func (b *bed) getUp() { b.state.Store(awake) }

// sleep blocks the thread until at on the clock, at most: wake and signals of the runtime cut it short. The runtime's timers wake a
// millisecond late, this within 0.1 ms.
func (b *bed) sleep(c clock, at time.Duration) error {
	ts := unix.NsecToTimespec(int64(c.base + at))
	_, _, err := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&b.state)), futexWait, asleep, uintptr(unsafe.Pointer(&ts)), 0, anyBit)
	switch err {
	case 0, unix.EINTR, unix.EAGAIN, unix.ETIMEDOUT:
		return nil
	}
	return fmt.Errorf("sleep until the next slot: %w", err)
}

// wake ends the sleep of the thread, if it sleeps.
func (b *bed) wake() {
	if b.state.CompareAndSwap(asleep, awake) {
		_, _, _ = unix.RawSyscall(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&b.state)), futexWake, 1)
	}
}
