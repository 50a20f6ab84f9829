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

// TestLossIsMended has the shared stream carry redundancy while one of its listeners loses packets, also after a silence, and those of talkers
// for their listener alone: what is lost is then heard from the packet after it.
func TestLossIsMended(t *testing.T) {
	r := New()
	talker, clean, lossy := newLeg(t, "opus", 440), newLeg(t, "opus", 0), newLeg(t, "opus", 0)
	for _, l := range []*fakeLeg{talker, clean, lossy} {
		enter(t, r, l, Options{})
	}
	second := newLeg(t, "opus", 700)
	enter(t, r, second, Options{})
	// A packet of the speech mode is what carries redundancy: configurations 0 to 15 (RFC 6716 section 3.1).
	mended := func(l *fakeLeg) bool { return l.last[0]>>3 < 16 }
	check := func(when string, talkers, listeners bool) {
		t.Helper()
		for i, l := range []*fakeLeg{talker, clean, lossy} {
			want := listeners
			if i == 0 {
				want = talkers
			}
			if mended(l) != want {
				t.Errorf("%s: leg %d has redundancy: %v", when, i, mended(l))
			}
		}
	}
	ticks(r, 60)
	check("without loss", false, false)
	lossy.loss = 3
	ticks(r, mendTicks+5)
	check("a listener loses", false, true)
	talker.hz, second.hz = 0, 0
	ticks(r, mendTicks+5)
	talker.hz, second.hz = 440, 700
	ticks(r, 10)
	check("after silence", true, true) // the talker's stream goes on from the shared one, and is asked within a second
	ticks(r, mendTicks)
	check("a second later", false, true)
	talker.loss, lossy.loss = 50, 0
	ticks(r, mendTicks+5)
	check("a talker loses", true, true) // who may fall silent at any time
	talker.loss = 0
	ticks(r, mendTicks+5)
	check("nobody loses", false, false)
}
