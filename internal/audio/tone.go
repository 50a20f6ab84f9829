package audio

import "math"

// Tone makes a sine that begins and ends with a fade of 5 ms, so that it does not click.
type Tone struct {
	sin, cos         float64 // where the wave stands
	turnSin, turnCos float64 // by how much it turns from sample to sample
	amplitude        float64
	fade             int // samples of a fade
	played           int // samples since the begin, no further than fade
	left             int // samples to the end, negative without one
}

const toneFadeMillis = 5

// NewTone makes a tone of hz at dbov and rate. As in RFC 6464 a square wave at full scale has 0 dBov; a sine has -3 at most, and
// what asks for more gets that. A length of 0 ms means until Stop.
func NewTone(hz, dbov float64, rate, millis int) *Tone {
	t := &Tone{cos: 1, fade: rate * toneFadeMillis / 1000, left: -1}
	t.turnSin, t.turnCos = math.Sincos(2 * math.Pi * hz / float64(rate))
	t.amplitude = min(32768*math.Sqrt2*math.Pow(10, dbov/20), math.MaxInt16)
	if millis > 0 {
		t.left = rate * millis / 1000
	}
	return t
}

// Read writes the next samples, and silence after the end, over all of dst. It returns how many of them are tone: less than
// len(dst) once it has ended.
func (t *Tone) Read(dst []int16) int {
	// Rounding would let the turning vector grow or shrink over hours.
	norm := 1 / math.Hypot(t.sin, t.cos)
	t.sin, t.cos = t.sin*norm, t.cos*norm
	for i := range dst {
		if t.left == 0 {
			clear(dst[i:])
			return i
		}
		dst[i] = int16(math.Round(t.sin * t.amplitude * t.envelope()))
		t.sin, t.cos = t.sin*t.turnCos+t.cos*t.turnSin, t.cos*t.turnCos-t.sin*t.turnSin
	}
	return len(dst)
}

// envelope is the fade of the next sample, and counts it.
func (t *Tone) envelope() float64 {
	share := 1.0
	if t.played < t.fade {
		share = float64(t.played) / float64(t.fade)
		t.played++
	}
	if t.left > 0 {
		if t.left < t.fade {
			share = min(share, float64(t.left)/float64(t.fade))
		}
		t.left--
	}
	return share
}

// Stop lets the tone fade out from here.
func (t *Tone) Stop() {
	if t.left < 0 || t.left > t.fade {
		t.left = t.fade
	}
}
