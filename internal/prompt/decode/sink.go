package decode

import (
	"context"
	"time"

	"parley/internal/audio"
	"parley/internal/fault"
)

const (
	// shortMillis is how long a sound may be to be kept at more than longRate.
	shortMillis = 3 * 60 * 1000
	longRate    = 16000
)

// sink takes the mono samples of a file block by block and brings them to a rate of ours.
type sink struct {
	ctx     context.Context
	longest time.Duration
	from    int // the file's rate
	rate    int // of out
	first   *audio.Resampler
	second  *audio.Resampler // from what first gives to longRate, once the sound is long
	wide    []int16
	narrow  []int16
	out     []int16
	taken   int // samples of the file
	loud    bool
}

// rates are those that the server's resamplers know.
var rates = [...]int{8000, 12000, 16000, 24000, 48000}

// start tells the file's rate. It may be called again with another one, as chained files have it.
func (s *sink) start(rate int) error {
	if s.rate == 0 {
		s.rate = rates[len(rates)-1]
		for i := len(rates) - 1; i >= 0 && rates[i] >= rate; i-- {
			s.rate = rates[i]
		}
	}
	mid := s.rate
	if s.second != nil {
		mid = rates[len(rates)-1]
		s.second, _ = audio.NewResampler(mid, s.rate)
	}
	var err error
	if s.first, err = audio.NewFileResampler(rate, mid); err != nil {
		return unreadable("it has %d Hz: convert it to 8000 to 48000 Hz", rate)
	}
	s.from = rate
	return nil
}

// write takes the next samples.
func (s *sink) write(mono []int16) error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	for _, v := range mono {
		if v != 0 {
			s.loud = true
			break
		}
	}
	s.taken += len(mono)
	s.wide = grow(s.wide, 48*len(mono)/4+1)
	n := s.first.Process(s.wide, mono)
	wide := s.wide[:n]
	if s.second != nil {
		s.narrow = grow(s.narrow, n+1)
		wide = s.narrow[:s.second.Process(s.narrow, wide)]
	}
	s.out = append(s.out, wide...)
	if len(s.out) > int(s.longest.Milliseconds())*s.rate/1000 {
		return fault.New(fault.Invalid, TooLarge, "the sound is longer than %v: use a shorter one", s.longest)
	}
	if s.rate > longRate && len(s.out) > shortMillis*(s.rate/1000) {
		return s.shrink()
	}
	return nil
}

// shrink goes on at longRate, with what is there and what comes.
func (s *sink) shrink() (err error) {
	if s.second, err = audio.NewResampler(s.rate, longRate); err != nil {
		return err
	}
	narrow := make([]int16, len(s.out)*longRate/s.rate+1)
	s.out, s.rate = narrow[:s.second.Process(narrow, s.out)], longRate
	return nil
}

// end returns everything, with what the filters still hold.
func (s *sink) end() ([]int16, error) {
	if s.taken == 0 {
		return nil, unreadable("there is no sound in the file")
	}
	if !s.loud {
		return s.out, nil
	}
	if s.from != s.rate {
		if err := s.write(make([]int16, s.from/200)); err != nil {
			return nil, err
		}
	}
	return s.out, nil
}

func grow(b []int16, n int) []int16 {
	if cap(b) < n {
		return make([]int16, n)
	}
	return b[:n]
}
