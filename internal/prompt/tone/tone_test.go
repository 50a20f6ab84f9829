package tone

import (
	"math"
	"testing"

	"parley/internal/prompt/loudness"
)

func TestNames(t *testing.T) {
	for _, name := range Names() {
		samples, rate, ok := Make(name)
		if !ok || len(samples) == 0 {
			t.Fatalf("%s: nothing", name)
		}
		if level := loudness.Active(samples, rate); level > -18 || level < -32 {
			t.Errorf("%s: %.1f dBov", name, level)
		}
		// Neither its begin and its end nor the seam of its repetition click.
		step := 0
		for i, v := range samples {
			next := samples[(i+1)%len(samples)]
			step = max(step, int(math.Abs(float64(next)-float64(v))))
		}
		if step > 3000 {
			t.Errorf("%s: it jumps by %d", name, step)
		}
	}
	if _, _, ok := Make("no such"); ok {
		t.Error("an unknown name makes a sound")
	}
}

// TestMusicSeam says that the loop is no louder or quieter where it is joined.
func TestMusicSeam(t *testing.T) {
	samples, rate, _ := Make("music")
	if got := float64(len(samples)) / float64(rate); got != 24 {
		t.Errorf("%.2f s", got)
	}
	last, first := loudness.Active(samples[len(samples)-rate:], rate), loudness.Active(samples[:rate], rate)
	if math.Abs(last-first) > 6 {
		t.Errorf("it ends with %.1f dBov and begins with %.1f", last, first)
	}
}

// TestCadence says that ringing is one second in five.
func TestCadence(t *testing.T) {
	samples, rate, _ := Make("ringback")
	if len(samples) != 5*rate {
		t.Fatalf("%d samples", len(samples))
	}
	for i, v := range samples[rate:] {
		if v != 0 {
			t.Fatalf("sample %d of the pause is %d", i, v)
		}
	}
}
