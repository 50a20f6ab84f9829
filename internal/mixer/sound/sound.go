// Package sound is what players play into a room: clips of memory, inlets that are filled while they are played, and the fades and volumes of both and of
// ports. What belongs to the media loop and what may be called from elsewhere is said of each; nothing here starts a goroutine, blocks or, while it
// plays, allocates.
package sound

import (
	"math"
	"time"

	"parley/internal/audio"
)

// Source gives audio in frames of 20 ms.
type Source interface {
	// SetRate says at which rate in Hz (8000, 16000 or 48000) Pull is to deliver from now on. It may allocate.
	SetRate(rate int) error
	// Pull fills dst, one frame, with what is due at now and reports whether there is sound in it; dst is undefined when not.
	Pull(dst []int16, now time.Duration) bool
}

// Sound is a Source that has an end and a volume: a Clip, an Inlet.
type Sound interface {
	Source
	// SetVolume has the sound go to a volume in dB, clamped to -60..+30, without a click.
	SetVolume(volume int)
	// Stop has it fade out.
	Stop()
	// Ended reports whether all has been pulled.
	Ended() bool
}

// The limits of a volume in dB: below is mute's business, above only noise grows.
const (
	volumeLow  = -60
	volumeHigh = 30
)

// Volume is the factor of a volume in dB, clamped to -60..+30.
func Volume(db int) float32 { return audio.DB(float64(min(max(db, volumeLow), volumeHigh))) }

// FadeShare is how much of a frame a fade takes: 5 ms, too short to be noticed, long enough not to click.
const FadeShare = 4

// Fade lets a frame go from one gain to another and then stay there.
func Fade(frame []int16, from, to float32) {
	n := 0
	if from != to {
		n = len(frame) / FadeShare
		step := (to - from) / float32(n)
		for i, v := range frame[:n] {
			from += step
			frame[i] = int16(min(max(float32(v)*from, math.MinInt16), math.MaxInt16))
		}
	}
	audio.Gain(frame[n:], to)
}
