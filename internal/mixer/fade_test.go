package mixer

import (
	"math"
	"testing"
)

// steepest is the largest change between two samples in a row.
func steepest(x []int16) (most float64) {
	for i := range len(x) - 1 {
		most = max(most, math.Abs(float64(x[i+1])-float64(x[i])))
	}
	return most
}

// TestNothingClicks has people enter, leave, be muted and held in the middle of a loud tone. What a listener hears never changes faster from sample to
// sample than the tones do, and what had to become silent is.
func TestNothingClicks(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(r *Room, p, listener *Port)
		act     func(r *Room, p, listener *Port)
		silent  bool // the listener hears nothing afterwards
	}{
		{name: "enter", act: func(*Room, *Port, *Port) {}},
		{name: "leave", act: func(r *Room, p, _ *Port) { _ = r.Leave(p) }, silent: true},
		{name: "mute", act: func(r *Room, p, _ *Port) { r.Set(p, Options{Muted: true}) }, silent: true},
		{
			name:    "unmute",
			prepare: func(r *Room, p, _ *Port) { r.Set(p, Options{Muted: true}) },
			act:     func(r *Room, p, _ *Port) { r.Set(p, Options{}) },
		},
		{name: "hold", act: func(r *Room, p, _ *Port) { r.Set(p, Options{Held: true}) }, silent: true},
		{
			name:    "take off hold",
			prepare: func(r *Room, p, _ *Port) { r.Set(p, Options{Held: true}) },
			act:     func(r *Room, p, _ *Port) { r.Set(p, Options{}) },
		},
		{name: "louder", act: func(r *Room, p, _ *Port) { r.Set(p, Options{Volume: 6}) }},
		{name: "softer", act: func(r *Room, p, _ *Port) { r.Set(p, Options{Volume: -40}) }},
		{name: "deafen", act: func(r *Room, _, l *Port) { r.Set(l, Options{Deaf: true}) }, silent: true},
		{
			name:    "undeafen",
			prepare: func(r *Room, _, l *Port) { r.Set(l, Options{Deaf: true}) },
			act:     func(r *Room, _, l *Port) { r.Set(l, Options{}) },
		},
		{name: "hold the listener", act: func(r *Room, _, l *Port) { r.Set(l, Options{Held: true}) }, silent: true},
		{
			name:    "leave after a mute",
			prepare: func(r *Room, p, _ *Port) { r.Set(p, Options{Muted: true}) },
			act:     func(r *Room, p, _ *Port) { _ = r.Leave(p) },
			silent:  true,
		},
	} {
		for _, listens := range []bool{true, false} {
			t.Run(c.name, func(t *testing.T) {
				r := New()
				l := newLeg(t, "L16", 0)
				if !listens {
					l.hz = 100 // who talks has a stream of its own
				}
				listener := enter(t, r, l, Options{})
				ticks(r, 10)
				talker := newLeg(t, "L16", 440)
				talker.dbov = -10
				p := enter(t, r, talker, Options{})
				talker.tone.Read(make([]int16, 411)) // it has been talking
				if c.name != "enter" {
					ticks(r, 20)
				}
				if c.prepare != nil {
					c.prepare(r, p, listener)
					ticks(r, 20)
				}
				l.forget()
				ticks(r, 5)
				c.act(r, p, listener)
				ticks(r, 5)
				// The tone's own slope, twice as loud where it gets louder, and that of a fade.
				const amplitude = 14660.0
				limit := 2*amplitude*2*math.Pi*440/16000 + amplitude/80 + 100
				if got := steepest(l.heard); got > limit {
					t.Errorf("listens %v: a click of %.0f, more than %.0f", listens, got, limit)
				}
				l.forget()
				ticks(r, 5)
				heard := steepest(l.heard) > 0
				if heard == c.silent {
					t.Errorf("listens %v: heard %v afterwards", listens, heard)
				}
			})
		}
	}
}

// TestFadesAllocateNothing has people turn deaf and mute all the time.
func TestFadesAllocateNothing(t *testing.T) {
	r, _ := crowd(t, "opus", 20, 3)
	ticks(r, 10)
	on := false
	if n := testing.AllocsPerRun(50, func() {
		on = !on
		for i := range 3 {
			r.Set(r.ports[i], Options{Muted: on})
			r.Set(r.ports[10], Options{Deaf: on})
		}
		ticks(r, 1)
	}); n != 0 {
		t.Errorf("%v allocations per tick", n)
	}
}
