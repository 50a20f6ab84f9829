package stream

import (
	"fmt"

	"parley/internal/audio"
	"parley/internal/mixer"
)

const (
	roomRate = 48000 // of a room's clock
	tickLen  = roomRate / 50
	jumpMost = 60 * roomRate
)

// speech turns what an ear has heard into the frames of a stream: its rate, its time.
type speech struct {
	rate      int
	resampler *audio.Resampler
	from      int // the resampler's
	still     int // silent frames since the last with sound
	out       []int16
	in        []int16
	clock     uint64 // of the room, at the last frame
	at        stamp
	begun     bool
}

func newSpeech(rate int) *speech {
	return &speech{rate: rate, out: make([]int16, rate/50), in: make([]int16, mostSamples)}
}

// frame returns the samples of one frame, valid until the next, and where it stands.
func (s *speech) frame(f mixer.Frame) ([]int16, stamp, error) {
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

// move goes to the next frame: one packet further, and as far in time as the room has gone. Another room's clock, after a call has moved, goes on from here.
func (s *speech) move(f mixer.Frame) {
	step := f.Clock - s.clock
	if step == 0 || step > jumpMost {
		step = tickLen
	}
	s.clock = f.Clock
	if !s.begun {
		s.begun = true
		s.at.timestamp, s.at.marker = uint32(f.Clock/uint64(roomRate/s.rate)), true
		return
	}
	s.at.sequence++
	s.at.timestamp += uint32(step / uint64(roomRate/s.rate))
	s.at.marker = f.Missing > 0
}
