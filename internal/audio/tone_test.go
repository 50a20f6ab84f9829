package audio_test

import (
	"math"
	"testing"

	"parley/internal/audio"
)

func read(t *audio.Tone, n, frame int) []int16 {
	var out []int16
	buf := make([]int16, frame)
	for len(out) < n {
		t.Read(buf)
		out = append(out, buf...)
	}
	return out
}

func TestToneHasPitchAndLevel(t *testing.T) {
	for _, rate := range []int{8000, 16000, 48000} {
		for _, dbov := range []float64{-3.1, -10, -30, -60} {
			out := read(audio.NewTone(1000, dbov, rate, 0), rate*2, rate/50)[rate:]
			peak, rest := fit(out, rate, 1000)
			want := 32768 * math.Sqrt2 * math.Pow(10, dbov/20)
			if math.Abs(peak-want) > want*0.01 || rest > 0.5 {
				t.Errorf("%d Hz, %v dBov: peak %.1f, want %.1f; rest %.2f", rate, dbov, peak, want, rest)
			}
			if level := audio.Level(out); math.Abs(float64(level)+dbov) > 0.6 {
				t.Errorf("%d Hz, %v dBov: level %d", rate, dbov, level)
			}
		}
	}
}

func TestToneDoesNotClick(t *testing.T) {
	const rate = 48000
	tone := audio.NewTone(400, -6, rate, 100)
	buf := make([]int16, 960)
	var out []int16
	total := 0
	for range 8 {
		total += tone.Read(buf)
		out = append(out, buf...)
	}
	if total != rate/10 {
		t.Errorf("100 ms have %d samples", total)
	}
	peak := 32768 * math.Sqrt2 * math.Pow(10, -6.0/20)
	if got, most := steepest(out), int(2*math.Pi*400/rate*peak*1.05); got > most {
		t.Errorf("a step of %d, want at most %d", got, most)
	}
	for _, v := range out[rate/10:] {
		if v != 0 {
			t.Fatal("sound after the end")
		}
	}
}

func TestToneStops(t *testing.T) {
	tone := audio.NewTone(400, -6, 8000, 0)
	buf := make([]int16, 160)
	for range 100 {
		if tone.Read(buf) != 160 {
			t.Fatal("an endless tone ended")
		}
	}
	tone.Stop()
	if n := tone.Read(buf); n != 40 {
		t.Errorf("%d samples after Stop, want 5 ms", n)
	}
	tone.Stop()
	if n := tone.Read(buf); n != 0 {
		t.Errorf("%d samples after the end", n)
	}
}

func TestToneNeverExceedsFullScale(t *testing.T) {
	out := read(audio.NewTone(997, 20, 8000, 0), 8000, 160)
	peak, rest := fit(out[800:], 8000, 997)
	if math.Abs(peak-32767) > 2 || rest > 1 {
		t.Errorf("peak %.0f, rest %.1f", peak, rest)
	}
}
