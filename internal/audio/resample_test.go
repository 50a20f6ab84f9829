package audio_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"parley/internal/audio"
	"parley/internal/fault"
)

var rates = []int{8000, 12000, 16000, 24000, 48000}

// convert runs a long signal through a resampler in pieces of the given length.
func convert(t testing.TB, from, to, piece int, src []int16) []int16 {
	t.Helper()
	r, err := audio.NewResampler(from, to)
	if err != nil {
		t.Fatal(err)
	}
	var out []int16
	buf := make([]int16, piece*to/from+2)
	for len(src) > 0 {
		n := min(piece, len(src))
		out = append(out, buf[:r.Process(buf, src[:n])]...)
		src = src[n:]
	}
	return out
}

func eachPair(t *testing.T, f func(t *testing.T, from, to int)) {
	for _, from := range rates {
		for _, to := range rates {
			t.Run(fmt.Sprintf("%d to %d", from, to), func(t *testing.T) { f(t, from, to) })
		}
	}
}

func TestResamplerKeepsTones(t *testing.T) {
	eachPair(t, func(t *testing.T, from, to int) {
		slow := float64(min(from, to))
		for _, share := range []float64{0.01, 0.1, 0.25, 0.375, 0.425} {
			hz := share * slow
			out := convert(t, from, to, from/50, tone(from, from, hz, 20000))[to/10:]
			peak, rest := fit(out, to, hz)
			if db := decibel(peak / 20000); db < -1.2 || db > 0.1 {
				t.Errorf("%.0f Hz comes out %.2f dB louder", hz, db)
			}
			if db := decibel(peak / math.Sqrt2 / rest); db < 75 {
				t.Errorf("%.0f Hz comes out with an SNR of %.1f dB", hz, db)
			}
		}
	})
}

func TestResamplerStopsAliases(t *testing.T) {
	eachPair(t, func(t *testing.T, from, to int) {
		if to >= from {
			return
		}
		for _, share := range []float64{0.55, 0.6, 0.75, 0.9} {
			hz := share * float64(to)
			if hz >= float64(from)/2 {
				continue
			}
			out := convert(t, from, to, from/50, tone(from, from, hz, 30000))[to/10:]
			_, rest := fit(out, to, 100)
			if db := decibel(rest * math.Sqrt2 / 30000); db > -75 {
				t.Errorf("%.0f Hz comes through at %.1f dB", hz, db)
			}
		}
	})
}

func TestResamplerIsContinuous(t *testing.T) {
	eachPair(t, func(t *testing.T, from, to int) {
		src := tone(from/10, from, 440, 20000)
		whole := convert(t, from, to, len(src), src)
		for _, piece := range []int{from / 50, 1, 7, 333} {
			if got := convert(t, from, to, piece, src); !slices.Equal(got, whole) {
				t.Errorf("in pieces of %d it gives something else", piece)
			}
		}
		if len(whole) != to/10 {
			t.Errorf("a tenth of a second became %d samples", len(whole))
		}
	})
}

func TestResamplerGivesWholeFrames(t *testing.T) {
	eachPair(t, func(t *testing.T, from, to int) {
		r, err := audio.NewResampler(from, to)
		if err != nil {
			t.Fatal(err)
		}
		dst, src := make([]int16, to/50), tone(from/50, from, 300, 10000)
		for range 10 {
			if n := r.Process(dst, src); n != to/50 {
				t.Fatalf("a frame became %d samples, want %d", n, to/50)
			}
		}
		r.Reset()
		again := make([]int16, to/50)
		fresh, _ := audio.NewResampler(from, to)
		r.Process(dst, src)
		fresh.Process(again, src)
		if !slices.Equal(dst, again) {
			t.Error("Reset does not forget")
		}
	})
}

func TestResamplerDelay(t *testing.T) {
	eachPair(t, func(t *testing.T, from, to int) {
		src := make([]int16, from/50)
		src[0] = 30000
		out := convert(t, from, to, len(src), src)
		at, peak := 0, int16(0)
		for i, v := range out {
			if v > peak {
				at, peak = i, v
			}
		}
		want := 16.0 / float64(min(from, to))
		if from == to {
			want = 0
		}
		if got := float64(at) / float64(to); math.Abs(got-want) > 1.5/float64(min(from, to)) {
			t.Errorf("delay %.2f ms, want %.2f", got*1000, want*1000)
		}
	})
}

func TestResamplerSaturates(t *testing.T) {
	src := make([]int16, 1600)
	for i := range src {
		src[i] = math.MinInt16
		if i/10%2 == 0 {
			src[i] = math.MaxInt16
		}
	}
	for i, v := range convert(t, 8000, 48000, 160, src)[200:] {
		// In the middle of a half wave the sign is that of the input, not wrapped.
		at := (i + 200 - 96) % 120
		if at > 12 && at < 48 && v < 20000 || at > 72 && at < 108 && v > -20000 {
			t.Fatalf("sample %d is %d", i, v)
		}
	}
}

func TestResamplerRefusesOtherRates(t *testing.T) {
	for _, pair := range [][2]int{{0, 8000}, {8000, 0}, {44100, 48000}, {8000, -8000}, {11025, 11025}} {
		if _, err := audio.NewResampler(pair[0], pair[1]); fault.ReasonOf(err) != "AUDIO_RATE_UNSUPPORTED" {
			t.Errorf("%v: %v", pair, err)
		}
	}
}
