package mixer

import (
	"math"
	"testing"
)

// residue is the largest difference between x and the sine of hz that fits it best.
func residue(x []int16, hz float64, rate int) float64 {
	var ss, sc, cc, xs, xc float64
	for i, v := range x {
		s, c := math.Sincos(2 * math.Pi * hz * float64(i) / float64(rate))
		ss, sc, cc = ss+s*s, sc+s*c, cc+c*c
		xs, xc = xs+float64(v)*s, xc+float64(v)*c
	}
	det := ss*cc - sc*sc
	a, b := (xs*cc-xc*sc)/det, (xc*ss-xs*sc)/det
	worst := 0.0
	for i, v := range x {
		s, c := math.Sincos(2 * math.Pi * hz * float64(i) / float64(rate))
		worst = max(worst, math.Abs(float64(v)-a*s-b*c))
	}
	return worst
}

// TestSwitchIsSmooth has a listener begin and cease to talk: it changes from the common mix to its own and back, and what it
// hears goes on without a click.
func TestSwitchIsSmooth(t *testing.T) {
	for _, c := range []struct {
		name  string
		wide  bool    // the room mixes at 48 kHz, the listener's stream is resampled
		limit float64 // of a tone with an amplitude of 4600
	}{
		{"PCMU", false, 150},
		{"PCMU", true, 150},
		{"G722", false, 400},
		{"opus", false, 400},
	} {
		r := New()
		if c.wide {
			enter(t, r, newLeg(t, "opus", 0), Options{})
		}
		enter(t, r, newLeg(t, "PCMU", 440), Options{})
		l := newLeg(t, c.name, 0)
		p := enter(t, r, l, Options{})
		ticks(r, 20)
		for _, talking := range []bool{true, false} {
			l.forget()
			ticks(r, 5)
			if talking {
				l.hz = 1000
				if err := l.SetRate(r.Rate()); err != nil {
					t.Fatal(err)
				}
			} else {
				l.hz = 0
				for p.own != nil && p.keep > 0 {
					ticks(r, 1)
				}
				l.forget()
				ticks(r, 1)
			}
			ticks(r, 10)
			if (p.own != nil) != talking {
				t.Fatalf("%s: own stream %v while talking is %v", c.name, p.own != nil, talking)
			}
			if got := residue(l.heard, 440, l.format.SampleRate); got > c.limit {
				t.Errorf("%s, wide %v, talking %v: a click of %.0f", c.name, c.wide, talking, got)
			}
		}
	}
}

// TestKeep holds a speaker's own stream for 600 ms where changing it would be heard, and not a frame where not.
func TestKeep(t *testing.T) {
	for _, c := range []struct {
		name string
		keep int
	}{{"PCMU", 0}, {"G722", keepTicks}, {"opus", keepTicks}} {
		r := New()
		a := newLeg(t, c.name, 440)
		enter(t, r, newLeg(t, c.name, 1000), Options{})
		p := enter(t, r, a, Options{})
		ticks(r, 5)
		a.hz = 0
		n := 0
		for ticks(r, 1); p.own != nil; ticks(r, 1) {
			n++
		}
		if n != c.keep {
			t.Errorf("%s: kept for %d ticks, want %d", c.name, n, c.keep)
		}
	}
}

// TestNewcomer has one who enters, and everyone after a silence, hear the right level at once or after a few frames.
func TestNewcomer(t *testing.T) {
	for name, skip := range map[string]int{"PCMU": 0, "G722": 3, "opus": 1} { // frames to adapt
		r := New()
		talker := newLeg(t, name, 440)
		talker.dbov = -10
		enter(t, r, talker, Options{})
		l := newLeg(t, name, 0)
		enter(t, r, l, Options{})
		ticks(r, 50)
		fresh := newLeg(t, name, 0)
		enter(t, r, fresh, Options{})
		ticks(r, 8)
		frame := skip * fresh.format.SampleRate / 50
		fresh.heard = fresh.heard[frame:]
		wantTone(t, name+" newcomer", fresh, 440, -10, true)

		talker.hz = 0
		ticks(r, 50)
		talker.hz = 440
		l.forget()
		ticks(r, 8)
		l.heard = l.heard[frame:]
		wantTone(t, name+" after silence", l, 440, -10, true)
	}
}
