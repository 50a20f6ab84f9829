package loudness

import (
	"math"
	"testing"

	"parley/internal/audio"
)

// bursts are tones at dbov for on ms in every period ms.
func bursts(dbov float64, rate, on, period, count int) []int16 {
	var out []int16
	for range count {
		part := make([]int16, rate*period/1000)
		audio.NewTone(500, dbov, rate, on).Read(part)
		out = append(out, part...)
	}
	return out
}

func TestActive(t *testing.T) {
	for name, c := range map[string]struct {
		samples []int16
		want    float64
	}{
		"steady":        {bursts(-26, 16000, 5000, 5000, 1), -26},
		"half silent":   {bursts(-26, 16000, 2000, 4000, 4), -26.5}, // the hangover counts as activity
		"mostly silent": {bursts(-20, 8000, 1000, 6000, 4), -21},
		"silence":       {make([]int16, 16000), Silence},
	} {
		rate := 16000
		if name == "mostly silent" {
			rate = 8000
		}
		if got := Active(c.samples, rate); math.Abs(got-c.want) > 0.7 {
			t.Errorf("%s: %.2f dBov, want %.1f", name, got, c.want)
		}
	}
}

func TestAdjust(t *testing.T) {
	for _, dbov := range []float64{-45, -26, -12, -4} {
		s := bursts(dbov, 24000, 1500, 2500, 3)
		Adjust(s, 24000)
		if got := Active(s, 24000); math.Abs(got-Target) > 0.5 {
			t.Errorf("from %.0f: %.2f dBov", dbov, got)
		}
	}
	quiet := bursts(-75, 8000, 1000, 1000, 1)
	before := append([]int16{}, quiet...)
	Adjust(quiet, 8000)
	for i, v := range quiet {
		if v != before[i] {
			t.Fatal("what is as good as silent was made louder")
		}
	}
}

// TestPeaks says that a quiet sound with single peaks does not wrap around.
func TestPeaks(t *testing.T) {
	s := bursts(-44, 16000, 3000, 3000, 1)
	for i := 100; i < len(s); i += 7919 {
		s[i] = 20000
	}
	Adjust(s, 16000)
	for i := 100; i < len(s); i += 7919 {
		if s[i] < 20000 {
			t.Fatalf("a peak became %d", s[i])
		}
	}
}
