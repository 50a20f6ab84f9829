package audio_test

import (
	"math"
	"testing"

	"parley/internal/audio"
)

// limit runs a long sum through a limiter, frame by frame.
func limit(l *audio.Limiter, sum []int32, frame int) []int16 {
	out := make([]int16, len(sum))
	for at := 0; at < len(sum); at += frame {
		end := min(at+frame, len(sum))
		l.Apply(out[at:end], sum[at:end])
	}
	return out
}

func TestLimiterCopiesWhatFits(t *testing.T) {
	var l audio.Limiter
	sum := make([]int32, 960)
	for i := range sum {
		sum[i] = int32(i*68) - 32768 // all of the range
	}
	sum[959] = 32767
	for i, v := range limit(&l, sum, 960) {
		if int32(v) != sum[i] {
			t.Fatalf("sample %d changed from %d to %d", i, sum[i], v)
		}
	}
}

// chord sums voices of full scale.
func chord(seconds, rate, voices int) []int32 {
	sum := make([]int32, seconds*rate)
	for v := range voices {
		audio.Add(sum, tone(len(sum), rate, 211+float64(v)*137.5, 32767))
	}
	return sum
}

func TestLimiterIsFarCleanerThanClipping(t *testing.T) {
	for _, voices := range []int{2, 5, 20} {
		for _, rate := range []int{8000, 16000, 48000} {
			sum := chord(3, rate, voices)
			var l audio.Limiter
			limited := limit(&l, sum, rate/50)
			clipped := make([]int16, len(sum))
			for i, v := range sum {
				clipped[i] = int16(min(max(v, math.MinInt16), math.MaxInt16))
			}
			// The first half second holds the onset, from full gain down.
			ours, theirs := likeness(sum[rate/2:], limited[rate/2:]), likeness(sum[rate/2:], clipped[rate/2:])
			if ours < 16 || ours < theirs+18 {
				t.Errorf("%d voices at %d Hz: %.1f dB after the limiter, %.1f after clipping", voices, rate, ours, theirs)
			}
			for i, v := range limited {
				if v > 0 != (sum[i] > 0) && sum[i]/1000 != 0 {
					t.Fatalf("%d voices at %d Hz: sample %d turned from %d to %d", voices, rate, i, sum[i], v)
				}
			}
		}
	}
}

// likeness is the signal-to-noise ratio of got against sum at the best constant gain.
func likeness(sum []int32, got []int16) float64 {
	var xx, xy, yy float64
	for i, v := range got {
		x, y := float64(sum[i]), float64(v)
		xx, xy, yy = xx+x*x, xy+x*y, yy+y*y
	}
	signal := xy * xy / xx
	return 10 * math.Log10(signal/(yy-signal+1e-9))
}

func TestLimiterOfSteadyToneLeavesItPure(t *testing.T) {
	const rate = 16000
	sum := make([]int32, 2*rate)
	for range 3 {
		audio.Add(sum, tone(len(sum), rate, 440, 30000))
	}
	var l audio.Limiter
	out := limit(&l, sum, rate/50)[rate:]
	peak, rest := fit(out, rate, 440)
	if d := decibel(rest * math.Sqrt2 / peak); d > -40 {
		t.Errorf("distortion %.1f dB", d)
	}
	if peak < 30000 {
		t.Errorf("peak is only %.0f", peak)
	}
}

func TestLimiterComesBackWithoutClick(t *testing.T) {
	const rate, frame = 48000, 960
	sum := make([]int32, 3*rate)
	audio.Add(sum, tone(len(sum), rate, 300, 10000))
	audio.Add(sum[rate/2:rate], tone(rate/2, rate, 450, 32000))
	audio.Add(sum[rate/2:rate], tone(rate/2, rate, 300, 32000))
	var l audio.Limiter
	out := limit(&l, sum, frame)
	steep := 0
	for i := 1; i < len(sum); i++ {
		steep = max(steep, int(sum[i]-sum[i-1]), int(sum[i-1]-sum[i]))
	}
	if got := steepest(out); got > steep+64 {
		t.Errorf("a step of %d, and the sum has none above %d", got, steep)
	}
	for i := 2 * rate; i < len(sum); i++ {
		if int32(out[i]) != sum[i] {
			t.Fatalf("%d ms after the loud part, gain is not back at 1", (i-rate)*1000/rate)
		}
	}
	if peak, _ := fit(out[rate+rate/50:rate+rate/20], rate, 300); peak > 9000 {
		t.Errorf("gain was back at once: %.0f", peak)
	}
}

func TestLimiterTakesAnything(t *testing.T) {
	var l audio.Limiter
	for _, n := range []int{0, 1, 7, 15, 16, 17, 100, 161, 960, 5000} {
		sum := make([]int32, n)
		for i := range sum {
			sum[i] = math.MinInt32
			if i%3 == 0 {
				sum[i] = math.MaxInt32
			}
		}
		out := make([]int16, n)
		l.Apply(out, sum)
		for i, v := range out {
			if v > 0 != (sum[i] > 0) {
				t.Fatalf("of %d samples, %d turned from %d to %d", n, i, sum[i], v)
			}
		}
	}
}

func FuzzLimiter(f *testing.F) {
	f.Add(int32(40000), int32(-70000), uint16(160), uint16(3))
	f.Add(int32(math.MaxInt32), int32(math.MinInt32), uint16(961), uint16(1))
	f.Fuzz(func(t *testing.T, a, b int32, length, period uint16) {
		var l audio.Limiter
		sum, out := make([]int32, int(length)%2000), make([]int16, int(length)%2000)
		for i := range sum {
			if sum[i] = a; i%(int(period)+1) == 0 {
				sum[i] = b
			}
		}
		for range 3 {
			l.Apply(out, sum)
			for i, v := range out {
				if int64(v)*int64(sum[i]) < 0 {
					t.Fatalf("sample %d turned from %d to %d", i, sum[i], v)
				}
			}
		}
		quiet := make([]int32, 160)
		small := make([]int16, 160)
		for i := range quiet {
			quiet[i] = 12345
		}
		for range 150 {
			l.Apply(small, quiet)
		}
		if small[159] != 12345 {
			t.Fatalf("after 3 s of quiet the gain still makes %d of 12345", small[159])
		}
	})
}
