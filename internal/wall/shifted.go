//go:build testhooks

package wall

import (
	"sync"
	"sync/atomic"
	"time"
	"weak"
)

var shifted atomic.Int64 // nanoseconds

func offset() time.Duration { return time.Duration(shifted.Load()) }

// timers are those that may still be waited for, and when they are due by this clock.
var timers = struct {
	sync.Mutex
	due   map[weak.Pointer[time.Timer]]time.Time
	sweep int // how many there are when the dead ones are looked for
}{due: map[weak.Pointer[time.Timer]]time.Time{}, sweep: 1024}

func watch(t *time.Timer, d time.Duration) {
	timers.Lock()
	defer timers.Unlock()
	timers.due[weak.Make(t)] = Now().Add(d)
	if len(timers.due) < timers.sweep {
		return
	}
	for p := range timers.due {
		if p.Value() == nil {
			delete(timers.due, p)
		}
	}
	timers.sweep = 2*len(timers.due) + 1024
}

// Shift sets how far this clock is ahead of the machine's (behind it when negative), and brings the timers forward whose time has come.
// Any goroutine may call it.
func Shift(by time.Duration) {
	timers.Lock()
	defer timers.Unlock()
	shifted.Store(int64(by))
	for p, due := range timers.due {
		// Stop tells whether anybody waits just now: what has fired or was stopped must not fire again.
		if t := p.Value(); t != nil && t.Stop() {
			t.Reset(max(0, Until(due)))
		}
	}
}
