package mixer

import (
	"time"

	"parley/internal/mixer/sound"
)

// What players play is made in package sound; who owns a room finds it here.
type (
	Sound = sound.Sound // a Source that has an end and a volume
	Clip  = sound.Clip  // sound in memory
	Inlet = sound.Inlet // sound that comes while it is played
)

// NewClip is that of package sound.
func NewClip(samples []int16, rate int, repeat bool) (*Clip, error) {
	return sound.NewClip(samples, rate, repeat)
}

// NewInlet is that of package sound.
func NewInlet(rate int, queue time.Duration) (*Inlet, error) { return sound.NewInlet(rate, queue) }
