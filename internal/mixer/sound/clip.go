package sound

import (
	"slices"
	"time"

	"parley/internal/audio"
	"parley/internal/fault"
)

// Clip is sound in memory that a Room can play. It begins and ends with a fade of 5 ms. Like the Room, it belongs to the loop.
type Clip struct {
	samples    []int16
	repeat     bool
	at         int     // next sample
	in         []int16 // a frame at the rate of samples
	rate       int
	resampler  *audio.Resampler
	gain, want float32 // at the begin of the next frame, and where it goes
	stopping   bool
	ended      bool
	trailing   bool // the sound is over, the resampler still holds its end
}

// NewClip makes a player's source of mono samples at rate Hz, which nobody may change while it plays; it plays them once or, with repeat, until Stop.
// It refuses no samples, and rates that cannot be resampled, with SOUND_INVALID.
func NewClip(samples []int16, rate int, repeat bool) (*Clip, error) {
	if len(samples) == 0 || !slices.Contains([]int{8000, 12000, 16000, 24000, 48000}, rate) {
		return nil, fault.New(fault.Invalid, "SOUND_INVALID", "cannot play %d samples at %d Hz: want some, at 8000, 12000, 16000, 24000 or 48000", len(samples), rate)
	}
	return &Clip{samples: samples, repeat: repeat, rate: rate, want: 1, in: make([]int16, audio.FrameSamples(rate))}, nil
}

// SetVolume has the sound go to a volume in dB, clamped to -60..+30, without a click.
func (c *Clip) SetVolume(volume int) {
	if !c.stopping {
		c.want = Volume(volume)
	}
}

// Stop has it fade out.
func (c *Clip) Stop() { c.stopping, c.want = true, 0 }

// Ended reports whether all has been pulled.
func (c *Clip) Ended() bool { return c.ended }

// SetRate implements Source.
func (c *Clip) SetRate(rate int) (err error) {
	c.resampler, err = audio.NewResampler(c.rate, rate)
	return err
}

// Pull implements Source.
func (c *Clip) Pull(dst []int16, _ time.Duration) bool {
	if c.ended {
		return false
	}
	c.fill()
	Fade(c.in, c.gain, c.want)
	c.gain = c.want
	c.resampler.Process(dst, c.in)
	if c.stopping {
		c.at, c.repeat = len(c.samples), false
	}
	switch {
	case c.repeat || c.at < len(c.samples):
	case len(dst) != len(c.in) && !c.trailing:
		c.trailing = true
	default:
		c.ended = true
	}
	return true
}

// fill takes the next samples, the last ones faded out, and silence after them.
func (c *Clip) fill() {
	n := 0
	for n < len(c.in) && c.at < len(c.samples) {
		moved := copy(c.in[n:], c.samples[c.at:])
		n += moved
		c.at += moved
		if c.repeat && c.at == len(c.samples) {
			c.at = 0
		}
	}
	clear(c.in[n:])
	if c.repeat {
		return
	}
	length := len(c.in) / FadeShare
	for i := max(0, n-length+len(c.samples)-c.at); i < n; i++ {
		left := len(c.samples) - c.at + n - i // with this one
		c.in[i] = int16(int(c.in[i]) * left / (length + 1))
	}
}
