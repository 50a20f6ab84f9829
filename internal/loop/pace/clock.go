package pace

import (
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Clock is the time since the engine was opened, shared by its loops and readable by everyone. The zero Clock shows the end of time.
type Clock struct {
	begin time.Time
	base  time.Duration // the system's monotonic clock at begin
}

// NewClock starts a clock.
func NewClock() (Clock, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return Clock{}, fmt.Errorf("read monotonic clock: %w", err)
	}
	return Clock{begin: time.Now(), base: time.Duration(ts.Nano())}, nil
}

// Now returns what the clock shows.
func (c Clock) Now() time.Duration { return time.Since(c.begin) }

// Bed is where the thread of a loop sleeps and others wake it (futex(2)).
type Bed struct {
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

// LieDown announces the sleep. What is asked of the thread after that wakes it; what was asked before, it must look for itself.
func (b *Bed) LieDown() { b.state.Store(asleep) }

// GetUp takes that back.
func (b *Bed) GetUp() { b.state.Store(awake) }

// Sleep blocks the thread until at on the clock, at most: Wake and signals of the runtime cut it short. The runtime's timers wake a
// millisecond late, this within 0.1 ms.
func (b *Bed) Sleep(c Clock, at time.Duration) error {
	ts := unix.NsecToTimespec(int64(c.base + at))
	_, _, err := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&b.state)), futexWait, asleep, uintptr(unsafe.Pointer(&ts)), 0, anyBit)
	switch err {
	case 0, unix.EINTR, unix.EAGAIN, unix.ETIMEDOUT:
		return nil
	}
	return fmt.Errorf("sleep until the next slot: %w", err)
}

// Wake ends the sleep of the thread, if it sleeps.
func (b *Bed) Wake() {
	if b.state.CompareAndSwap(asleep, awake) {
		_, _, _ = unix.RawSyscall(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&b.state)), futexWake, 1)
	}
}
