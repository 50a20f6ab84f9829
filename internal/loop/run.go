package loop

import (
	"context"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"parley/internal/loop/meter"
	"parley/internal/loop/orders"
	"parley/internal/loop/pace"
	"parley/internal/loop/udp"
)

// Figures of the command queue.
const (
	queueLength     = 1024
	commandsPerSlot = 64 // so that a storm of joins cannot make a slot late by itself
)

// loop is one thread's share of the media.
type loop struct {
	clock pace.Clock
	queue *orders.Queue
	rooms atomic.Int64 // open rooms, for placing new ones
	load  meter.Load
	bed   pace.Bed

	// What follows belongs to the thread.
	plan      pace.Schedule
	mixing    [pace.Phases][]*Room
	idle      [pace.Phases][]*leg // sessions with media but without a room
	legs      int                 // in rooms
	lost      int                 // frames given up since the start
	arrived   uint64              // legs ever taken, to spread their housekeeping
	in, out   []byte              // the packet being read, the packet being written
	scratch   []int16             // a frame that nobody hears
	counts    Counts
	shown     shown
	published uint64 // slot of that, in units of publishSlots
}

// initialRate is that of a session before it enters a room.
const initialRate = 8000

// highestRate is the highest that a room mixes at.
const highestRate = 48000

func newLoop(c pace.Clock, busy float64) *loop {
	l := &loop{
		clock: c, load: meter.Load{Limit: busy},
		in: make([]byte, udp.MaxPacket), out: make([]byte, 0, udp.MaxPacket), scratch: make([]int16, highestRate/50),
	}
	l.queue = orders.New(queueLength, l.bed.Wake)
	return l
}

// do has the thread take a step and waits for it; it is taken at once, or after the slot that is being worked on. After the loop's end it does
// nothing and returns MEDIA_STOPPED.
func (l *loop) do(step func() error) error {
	if taken, err := l.queue.Do(step); taken {
		return err
	}
	return errStopped()
}

// post has the thread take a step after those posted before, without waiting. It reports false when the loop has ended.
func (l *loop) post(step func() error) bool { return l.queue.Post(step) }

// niceness is what the thread asks for, so that work that can wait yields to audio. Without the right to it the thread runs like
// any other.
const niceness = -10

// run is the thread. It stays locked, so it ends with the goroutine.
func (l *loop) run(ctx context.Context) error {
	defer l.queue.Close()
	runtime.LockOSThread()
	_ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), niceness)
	l.plan.Restart(l.clock.Now())
	for ctx.Err() == nil {
		if l.empty() {
			l.doze(ctx)
			continue
		}
		slot, at, lost, skipped := l.next()
		obeyed, err := l.sleepUntil(at)
		if err != nil {
			return err
		}
		begun := l.clock.Now()
		l.lost += lost
		l.tick(slot, at)
		l.load.Skipped(begun-at, skipped)
		l.load.Account(begun-at, l.clock.Now()-begun+obeyed, lost, l.legs)
	}
	l.goodbye()
	return nil
}

// next passes over slots with nothing to do: waking up for them costs more than all else in a small room.
func (l *loop) next() (slot uint64, at time.Duration, lost, skipped int) {
	slot, at, lost = l.plan.Next(l.clock.Now())
	for ; skipped < pace.Phases-1 && l.idleIn(slot%pace.Phases); skipped++ {
		slot, at = l.plan.Skip()
	}
	return slot, at, lost, skipped
}

// sleepUntil waits until the clock shows at. Meanwhile it takes the steps that are asked for, and returns how long they took.
func (l *loop) sleepUntil(at time.Duration) (obeyed time.Duration, err error) {
	for {
		l.bed.LieDown()
		now := l.clock.Now()
		switch {
		case now >= at:
			l.bed.GetUp()
			return obeyed, nil
		case l.queue.Len() > 0:
			l.bed.GetUp()
			l.obey()
			obeyed += l.clock.Now() - now
			continue
		}
		err = l.bed.Sleep(l.clock, at)
		l.bed.GetUp()
		if err != nil {
			return obeyed, err
		}
	}
}

func (l *loop) idleIn(phase uint64) bool { return len(l.mixing[phase])+len(l.idle[phase]) == 0 }

// empty reports whether no slot has anything to do.
func (l *loop) empty() bool {
	for phase := range pace.Phases {
		if !l.idleIn(uint64(phase)) {
			return false
		}
	}
	return true
}

// doze waits for a command, without waking for slots. The schedule then goes on from the present.
func (l *loop) doze(ctx context.Context) {
	l.load.Clear()
	l.publish()
	select {
	case o := <-l.queue.Orders():
		o.Take()
	case <-ctx.Done():
	}
	l.plan.Restart(l.clock.Now())
}

// tick does what is due in a slot. at is its nominal time: what is late is played as if it were not.
func (l *loop) tick(slot uint64, at time.Duration) {
	l.obey()
	phase := slot % pace.Phases
	for _, r := range l.mixing[phase] {
		r.tick(at)
	}
	for _, s := range l.idle[phase] {
		s.rest(at)
	}
	if slot/publishSlots != l.published {
		l.published = slot / publishSlots
		l.publish()
	}
}

// obey takes the steps that were asked for.
func (l *loop) obey() {
	for range min(l.queue.Len(), commandsPerSlot) {
		(<-l.queue.Orders()).Take()
	}
}

// addIdle takes a session that is in no room; its socket is emptied like any other.
func (l *loop) addIdle(s *leg) {
	s.loop, s.room = l, nil
	s.missed = l.lost
	if s.turn == 0 {
		l.arrived++
		s.turn = l.arrived
	}
	s.phase = emptiest(&l.idle)
	l.idle[s.phase] = append(l.idle[s.phase], s)
}

func (l *loop) removeIdle(s *leg) {
	l.idle[s.phase] = slices.DeleteFunc(l.idle[s.phase], func(x *leg) bool { return x == s })
	s.loop = nil
}

// emptiest returns the phase with the least to do.
func emptiest[T any](in *[pace.Phases][]T) (best int) {
	for phase := range in {
		if len(in[phase]) < len(in[best]) {
			best = phase
		}
	}
	return best
}

// goodbye tells all peers that their streams end (RTCP BYE).
func (l *loop) goodbye() {
	for phase := range pace.Phases {
		for _, r := range l.mixing[phase] {
			r.endPlayers(everyPlayer)
			for _, p := range r.ports {
				p.leg.bye()
				p.leg.endKeyings()
			}
		}
		for _, s := range l.idle[phase] {
			s.bye()
			s.endKeyings()
		}
	}
}
