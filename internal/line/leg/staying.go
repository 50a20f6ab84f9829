package leg

import (
	"time"

	"parley/internal/mixer"
)

// Staying is a sound that outlives its players: to stop it is to let go of it.
type Staying struct {
	mixer.Sound
	stopped bool // belongs to the loop
	idle    chan struct{}
}

// NewStaying lets players of one place play a sound.
func NewStaying(s mixer.Sound) *Staying { return &Staying{Sound: s, idle: make(chan struct{})} }

// Stop implements mixer.Sound.
func (s *Staying) Stop() {
	if !s.stopped {
		s.stopped = true
		close(s.idle)
	}
}

// Ended implements mixer.Sound.
func (s *Staying) Ended() bool { return s.stopped || s.Sound.Ended() }

// Pull implements mixer.Source.
func (s *Staying) Pull(dst []int16, at time.Duration) bool {
	return !s.stopped && s.Sound.Pull(dst, at)
}

// Wait returns when the loop has let go of the sound, or must have because its room is gone.
func (s *Staying) Wait() {
	late := time.NewTimer(200 * time.Millisecond)
	defer late.Stop()
	select {
	case <-s.idle:
	case <-late.C:
	}
}
