package visit

import (
	"time"

	"parley/internal/mixer"
)

// staying is a sound that outlives its players: to stop it is to let go of it.
type staying struct {
	mixer.Sound
	stopped bool // belongs to the loop
	idle    chan struct{}
}

func newStaying(s mixer.Sound) *staying { return &staying{Sound: s, idle: make(chan struct{})} }

// Stop implements mixer.Sound.
func (s *staying) Stop() {
	if !s.stopped {
		s.stopped = true
		close(s.idle)
	}
}

// Ended implements mixer.Sound.
func (s *staying) Ended() bool { return s.stopped || s.Sound.Ended() }

// Pull implements mixer.Source.
func (s *staying) Pull(dst []int16, at time.Duration) bool {
	return !s.stopped && s.Sound.Pull(dst, at)
}

// wait returns when the loop has let go of the sound, or must have because its room is gone.
func (s *staying) wait() {
	late := time.NewTimer(200 * time.Millisecond)
	defer late.Stop()
	select {
	case <-s.idle:
	case <-late.C:
	}
}
