package ear

import (
	"fmt"
	"time"

	"parley/internal/audio"
	"parley/internal/mixer"
)

const (
	roomRate = 48000 // of a room's clock
	tickLen  = roomRate / 50
	jumpMost = 60 * roomRate
)

// Stamp is where a frame stands in its stream, in the terms of RTP (RFC 3550 section 5.1).
type Stamp struct {
	Sequence  uint16
	Timestamp uint32 // in samples
	Marker    bool   // the first, or the first after a loss or a pause
}

// Speech turns what an Ear has heard into the frames of a stream: its rate, its time. One goroutine uses it.
type Speech struct {
	rate      int
	resampler *audio.Resampler
	from      int // the resampler's
	still     int // silent frames since the last with sound
	out       []int16
	in        []int16
	clock     uint64 // of the room, at the last frame
	at        Stamp
	begun     bool
	paused    bool
}

// NewSpeech makes the frames of a stream at rate Hz, a divisor of 48000.
func NewSpeech(rate int) *Speech {
	return &Speech{rate: rate, out: make([]int16, rate/50), in: make([]int16, Samples)}
}

// Frame returns the 20 ms that come next, valid until the next call, and where they stand. It fails for a rate that cannot be resampled.
func (s *Speech) Frame(f mixer.Frame) ([]int16, Stamp, error) {
	s.move(f)
	if f.Rate != s.from {
		r, err := audio.NewResampler(f.Rate, s.rate)
		if err != nil {
			return nil, s.at, fmt.Errorf("resample: %w", err)
		}
		s.resampler, s.from = r, f.Rate
	}
	if len(f.Samples) > 0 {
		s.still = 0
		s.resampler.Process(s.out, f.Samples)
		return s.out, s.at, nil
	}
	if s.still++; s.still <= 2 { // the end of what was heard is still in the filter
		clear(s.in)
		s.resampler.Process(s.out, s.in[:f.Rate/50])
	} else if s.still == 3 {
		clear(s.out)
	}
	return s.out, s.at, nil
}

// Pause lets time pass in which there was no room to hear, beyond the 20 ms between two frames.
func (s *Speech) Pause(d time.Duration) {
	s.at.Timestamp += uint32(d.Milliseconds()) * uint32(s.rate/1000)
	s.paused = true
}

// move goes to the next frame: one packet further, and as far in time as the room has gone. Another room's clock, after a call has moved, goes on from here.
func (s *Speech) move(f mixer.Frame) {
	step := f.Clock - s.clock
	if step == 0 || step > jumpMost || s.paused {
		step = tickLen
	}
	s.clock = f.Clock
	paused := s.paused
	if s.paused = false; !s.begun {
		s.begun = true
		s.at.Timestamp, s.at.Marker = uint32(f.Clock/uint64(roomRate/s.rate)), true
		return
	}
	s.at.Sequence++
	s.at.Timestamp += uint32(step / uint64(roomRate/s.rate))
	s.at.Marker = f.Missing > 0 || paused
}
