package audio

import (
	"math"
	"testing"

	"parley/internal/fault"
)

// TestFileRates says that a tone keeps its level and, within 0.1 %, its pitch and length, from any rate.
func TestFileRates(t *testing.T) {
	for _, from := range []int{4000, 8000, 11025, 22050, 32000, 37123, 44100, 47999, 96000, 191999, 192000} {
		for _, to := range []int{8000, 16000, 48000} {
			r, err := NewFileResampler(from, to)
			if err != nil {
				t.Fatal(err)
			}
			in := make([]int16, 2*from)
			NewTone(500, -20, from, 0).Read(in)
			out := make([]int16, 2*to+100)
			n := r.Process(out, in)
			if d := math.Abs(float64(n)/float64(2*to) - 1); d > 0.0011 {
				t.Errorf("%d to %d: %d samples", from, to, n)
			}
			crossings := 0
			mid := out[to/2 : 3*to/2]
			for i := range mid[1:] {
				if mid[i] < 0 && mid[i+1] >= 0 {
					crossings++
				}
			}
			if level := Level(mid); level != 20 || crossings < 498 || crossings > 502 {
				t.Errorf("%d to %d: level -%d, %d periods", from, to, level, crossings)
			}
		}
	}
	for _, c := range [][2]int{{3999, 8000}, {192001, 8000}, {44100, 44100}, {0, 8000}, {-8000, 8000}} {
		if _, err := NewFileResampler(c[0], c[1]); fault.ReasonOf(err) != "AUDIO_RATE_UNSUPPORTED" {
			t.Errorf("%v: %v", c, err)
		}
	}
}
