package render

import (
	"fmt"

	"parley/internal/audio"
)

// bus makes one channel of the lanes that play on it, exactly as the mixer makes what a listener hears: the sum in 32 bits, and a limiter
// that rests while nobody is heard and begins anew when the room's rate changes.
type bus struct {
	rate    int // of the rendition
	from    int // of the room at the moment
	limiter audio.Limiter
	sum     []int32
	frame   []int16
	heard   bool

	resamplers map[int]*audio.Resampler
	wide       []int16
	ringing    bool // the resampler holds the end of what was heard
}

func newBus(rate int) *bus { return &bus{rate: rate, resamplers: map[int]*audio.Resampler{}} }

// start begins a tick.
func (b *bus) start(rate int) {
	if rate != b.from {
		n := audio.FrameSamples(rate)
		b.from, b.limiter, b.ringing = rate, audio.Limiter{}, false
		b.sum, b.frame = make([]int32, n), make([]int16, n)
		b.heard = true // nothing to clear, but the sum is new
	}
	if b.heard {
		clear(b.sum)
		b.heard = false
	}
}

func (b *bus) add(frame []int16) {
	audio.Add(b.sum, frame)
	b.heard = true
}

// end returns the tick's frame at the rendition's rate, nil for silence.
func (b *bus) end() ([]int16, error) {
	if b.heard {
		b.limiter.Apply(b.frame, b.sum)
	}
	if b.from == b.rate {
		if !b.heard {
			return nil, nil
		}
		return b.frame, nil
	}
	return b.convert()
}

func (b *bus) convert() ([]int16, error) {
	if !b.heard && !b.ringing {
		return nil, nil
	}
	r := b.resamplers[b.from]
	if r == nil {
		var err error
		if r, err = audio.NewResampler(b.from, b.rate); err != nil {
			return nil, fmt.Errorf("bring %d Hz to %d Hz: %w", b.from, b.rate, err)
		}
		b.resamplers[b.from] = r
		b.wide = make([]int16, audio.FrameSamples(b.rate))
	}
	if !b.ringing {
		r.Reset()
	}
	if !b.heard {
		clear(b.frame)
	}
	b.ringing = b.heard
	r.Process(b.wide, b.frame)
	return b.wide, nil
}
