package jitter

import "time"

// The figures of the steering.
const (
	window    = 500 * time.Millisecond // over which the shortest wait counts
	patience  = time.Second            // how long it may be too long before a frame that is not silent is left out
	tolerance = 25 * time.Millisecond  // a tick and a little: what the phase between arrivals and ticks may cost
	forget    = 2 * time.Second        // what was needed fades by a tenth this often
	memory    = 15 * time.Second       // overdue packets further apart have nothing to do with each other
)

// steering decides how long packets wait. need is what the network has shown to be necessary: it rises at once with a packet that came too late
// to be played, with the second one that was waited for, and fades slowly. When the shortest wait of a window is longer than need and the tolerance, packets wait for nothing.
type steering struct {
	need     time.Duration // shortest wait that packets should have
	last     time.Duration // wait of the last packet
	shortest time.Duration // wait in this window
	longest  time.Duration // wait in this window
	began    time.Duration // of this window
	counted  int           // packets in this window
	excess   time.Duration // of the last whole window
	since    time.Duration // since when there is an excess; 0: there is none
	left     time.Duration // when a frame was last left out
	faded    time.Duration
	held     bool          // packets were overdue
	spike    time.Duration // the wait that would have been needed then, of the last time
	spiked   time.Duration // when that was
	grow     bool          // a frame is to be put in: packets wait too little
}

func (s *steering) restart() {
	s.counted, s.excess, s.since, s.grow, s.held = 0, 0, 0, false, false
}

// late raises need by a packet that missed its turn by d.
func (s *steering) late(d time.Duration) {
	s.need = min(max(s.need, d+5*time.Millisecond), 150*time.Millisecond)
	s.excess, s.since = 0, 0
	s.grow = s.last < s.need
}

// overdue notes that packets came when others had been made up in their place: from now on they wait that much longer.
func (s *steering) overdue() { s.held = true }

// learn takes the wait of punctual packets after some were overdue: it is what was needed. Once can be a stall; twice within some seconds
// is how this network is.
func (s *steering) learn(now, wait time.Duration) {
	if s.spike > 0 && now-s.spiked < memory {
		s.need = min(max(s.need, min(wait, s.spike)), 150*time.Millisecond)
	}
	s.spike, s.spiked, s.held = wait, now, false
}

// underrun ends a window: its waits say nothing of what follows.
func (s *steering) underrun() { s.counted = 0 }

// waited takes the wait of a packet that is played at now.
func (s *steering) waited(now, wait time.Duration) {
	s.last = wait
	if s.counted == 0 {
		s.began, s.shortest, s.longest = now, wait, wait
	}
	s.counted++
	s.shortest, s.longest = min(s.shortest, wait), max(s.longest, wait)
	if now-s.faded > forget {
		s.need, s.faded = s.need*9/10, now
	}
	if now-s.began < window {
		return
	}
	if s.held {
		s.learn(now, s.longest)
	}
	s.excess = s.shortest - s.need - tolerance
	switch {
	case s.excess <= 0:
		s.since = 0
	case s.since == 0:
		s.since = now
	}
	s.counted = 0
}

// leaveOut returns how many packets to leave out before the next one, which has waited for long.
func (s *steering) leaveOut(now time.Duration, silent bool, most, long time.Duration) int {
	if over := long - most; over > 0 {
		return 1 + int(over/frame)
	}
	if s.excess <= 0 {
		return 0
	}
	pause := patience
	switch {
	case silent:
		pause = 0
	case s.excess > 3*frame:
		pause = 5 * frame
	}
	if now-max(s.left, s.since) < pause {
		return 0
	}
	s.left = now
	s.excess -= frame
	if s.excess <= 0 {
		s.since = 0
	}
	return 1
}
