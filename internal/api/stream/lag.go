package stream

import (
	"context"
	"sync/atomic"
	"time"
)

const (
	lagEvery = 50 * time.Millisecond  // between looks at the clock
	lagLeast = 150 * time.Millisecond // what is late by less is no stall
)

// lag measures how long this process has stood still: what a client could not take meanwhile is not its fault. The zero value, which nobody
// watches, has never stood still.
type lag struct {
	begin time.Time    // set before anybody asks
	seen  atomic.Int64 // when the clock was looked at last, after begin; 0: nobody does
	sum   atomic.Int64 // of stalls that are over
}

// watch looks at the clock until ctx ends.
func (l *lag) watch(ctx context.Context) {
	tick := time.NewTicker(lagEvery)
	defer tick.Stop()
	defer l.seen.Store(0)
	for ctx.Err() == nil {
		l.look(time.Since(l.begin))
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// look says that the process runs at now.
func (l *lag) look(now time.Duration) {
	l.sum.Add(int64(l.overdue(now)))
	l.seen.Store(max(int64(now), 1))
}

// overdue is how long a stall has lasted that nobody has looked at yet.
func (l *lag) overdue(now time.Duration) time.Duration {
	seen := time.Duration(l.seen.Load())
	if late := now - seen - lagEvery; seen > 0 && late >= lagLeast {
		return late
	}
	return 0
}

// total returns how long all stalls together have lasted, up to this moment.
func (l *lag) total() time.Duration {
	return time.Duration(l.sum.Load()) + l.overdue(time.Since(l.begin))
}

const (
	behindMost = 50                     // frames that a client may lose in a window before it counts as too slow
	window     = 10 * time.Second       // of these
	busyLeast  = 500 * time.Millisecond // a client that took everything faster than this has not lost a frame
)

// blame decides whether a client is too slow. A frame is the client's loss when the writer was busy with it, and not with nothing, when the frame found no
// room; what the server loses by standing still, or by making up for that in a burst, is not.
type blame struct {
	lost uint64 // as far as it has been judged
	mine int    // of these, the client's in this window

	window time.Duration // began
	since  time.Duration // the writer has been busy; with stall, set by busy
	stall  time.Duration // total of the server's stalls then
}

// busy says that the writer begins to send.
func (b *blame) busy(now, stalled time.Duration) { b.since, b.stall = now, stalled }

// late judges the frames lost so far, and reports whether they are too many.
func (b *blame) late(lost uint64, now, stalled time.Duration) bool {
	if now-b.window >= window {
		b.window, b.mine = now, 0
	}
	fresh := int(lost - b.lost)
	b.lost = lost
	if fresh > 0 && now-b.since-(stalled-b.stall) >= busyLeast {
		b.mine += fresh
	}
	return b.mine > behindMost
}
