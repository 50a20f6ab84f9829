package mixer

import (
	"math"
	"testing"
	"time"

	"parley/internal/audio"
)

// tonePlayer plays for a number of frames.
type tonePlayer struct {
	hz   float64
	left int
	tone *audio.Tone
}

func (p *tonePlayer) SetRate(rate int) error {
	p.tone = audio.NewTone(p.hz, -20, rate, 0)
	return nil
}

func (p *tonePlayer) Pull(dst []int16, _ time.Duration) bool {
	if p.left == 0 {
		return false
	}
	p.left--
	p.tone.Read(dst)
	return true
}

func TestPlayer(t *testing.T) {
	r := New()
	talker, listener := newLeg(t, "PCMU", 440), newLeg(t, "PCMU", 0)
	enter(t, r, talker, Options{})
	enter(t, r, listener, Options{})
	p := &tonePlayer{hz: 1000, left: 50}
	if err := r.AddPlayer(p, nil); err != nil {
		t.Fatal(err)
	}
	seen := &watcher{}
	r.AddTap(seen)
	ticks(r, 50)
	wantTone(t, "talker", talker, 1000, -20, true)
	wantTone(t, "talker", talker, 440, -20, false)
	wantTone(t, "listener", listener, 1000, -20, true)
	wantTone(t, "listener", listener, 440, -20, true)
	if got := toneLevel(seen.played, 1000, 8000); math.Abs(got+20) > 1 {
		t.Errorf("tap got the player at %.1f dBov", got)
	}
	if got := toneLevel(seen.mix, 440, 8000); math.Abs(got+20) > 1 {
		t.Errorf("tap got the talker in the mix at %.1f dBov", got)
	}
	talker.forget()
	ticks(r, 20)
	wantTone(t, "talker after the player", talker, 1000, -20, false)
	p.left = 10
	r.RemovePlayer(p)
	ticks(r, 1)
	if p.left != 10 {
		t.Error("a removed player was pulled")
	}
}

// watcher collects everything.
type watcher struct {
	played, mix []int16
	clocks      []uint64
	tags        []string
}

func (w *watcher) See(m Moment) {
	w.played = append(w.played, m.Played...)
	w.mix = append(w.mix, m.Mix...)
	w.clocks = append(w.clocks, m.Clock)
	for _, v := range m.Voices {
		w.tags = append(w.tags, v.Tag)
	}
}

func TestTap(t *testing.T) {
	r := New()
	a, b := newLeg(t, "PCMU", 440), newLeg(t, "PCMU", 0)
	enter(t, r, a, Options{Tag: "a"})
	enter(t, r, b, Options{Tag: "b"})
	w := &watcher{}
	r.AddTap(w)
	ticks(r, 3)
	wide := newLeg(t, "opus", 0)
	enter(t, r, wide, Options{Tag: "wide"}) // the clock does not care for the rate
	ticks(r, 1)
	r.Skip(3) // ticks that were never made
	ticks(r, 1)
	r.RemoveTap(w)
	ticks(r, 2)
	if len(w.clocks) != 5 {
		t.Fatalf("%d ticks seen", len(w.clocks))
	}
	for i, c := range w.clocks {
		if i == 4 {
			i += 3
		}
		if c != uint64(i)*960 {
			t.Errorf("tick %d at %d", i, c)
		}
	}
	for _, tag := range w.tags {
		if tag != "a" {
			t.Errorf("voice of %q in the mix", tag)
		}
	}
	if len(w.tags) != 5 {
		t.Errorf("%d voices", len(w.tags))
	}
}

// TestRing loses what does not fit, says so, and takes silence for nothing.
func TestRing(t *testing.T) {
	r := New()
	a := newLeg(t, "PCMU", 440)
	enter(t, r, a, Options{Tag: "a"})
	mix, voice, other := NewRing(""), NewRing("a"), NewRing("b")
	for _, ring := range []*Ring{mix, voice, other} {
		r.AddTap(ring)
	}
	buf := make([]int16, 960)
	if _, ok := mix.Next(buf); ok {
		t.Fatal("a frame in an empty ring")
	}
	ticks(r, 60)
	if mix.Lost() != 10 || voice.Lost() != 10 || other.Lost() != 0 {
		t.Fatalf("lost %d, %d, %d", mix.Lost(), voice.Lost(), other.Lost())
	}
	for i := range 50 {
		f, ok := voice.Next(buf)
		if !ok || f.Clock != uint64(i)*960 || f.Rate != 8000 || len(f.Samples) != 160 || f.Missing != 0 {
			t.Fatalf("frame %d: %v %+v", i, ok, f)
		}
	}
	if _, ok := voice.Next(buf); ok {
		t.Fatal("more than a second")
	}
	ticks(r, 1)
	if f, ok := voice.Next(buf); !ok || f.Missing != 10 || f.Clock != 60*960 {
		t.Fatalf("after the gap: %v %+v", ok, f)
	}
	a.hz = 0
	ticks(r, 5)
	if _, ok := voice.Next(buf); ok {
		t.Fatal("silence in the ring")
	}
	if _, ok := other.Next(buf); ok {
		t.Fatal("another's frame")
	}
}

// TestRingConcurrent reads while the loop writes: everything arrives or is counted.
func TestRingConcurrent(t *testing.T) {
	ring := NewRing("")
	const frames = 5000
	done := make(chan struct{})
	go func() {
		defer close(done)
		mix := make([]int16, 160)
		for i := range frames {
			mix[0], mix[159] = int16(i), int16(i)
			ring.See(Moment{Clock: uint64(i), Rate: 8000, Mix: mix})
		}
	}()
	buf := make([]int16, 960)
	got, missing, next := 0, 0, uint64(0)
	read := func() {
		for f, ok := ring.Next(buf); ok; f, ok = ring.Next(buf) {
			got++
			missing += f.Missing
			if f.Clock != next+uint64(f.Missing) || f.Samples[0] != int16(f.Clock) || f.Samples[159] != int16(f.Clock) {
				t.Fatalf("frame %d after %d missing, want %d", f.Clock, f.Missing, next)
			}
			next = f.Clock + 1
		}
	}
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		read()
	}
	if uint64(got)+ring.Lost() != frames || uint64(missing) > ring.Lost() {
		t.Errorf("%d read, %d lost, %d said to be missing, of %d", got, ring.Lost(), missing, frames)
	}
}

// TestPortPlayer plays for one port alone: it hears that on top of the rest, deaf or held instead of the rest, and nobody else does.
func TestPortPlayer(t *testing.T) {
	for _, codec := range []string{"PCMU", "G722", "opus"} {
		for _, c := range []struct {
			name  string
			o     Options
			talks bool
			rest  bool
		}{
			{"listener", Options{}, false, true},
			{"talker", Options{}, true, true},
			{"deaf", Options{Deaf: true}, false, false},
			{"held", Options{Held: true}, true, false},
		} {
			t.Run(codec+" "+c.name, func(t *testing.T) {
				r := New()
				one, talker, other := newLeg(t, codec, 0), newLeg(t, codec, 440), newLeg(t, codec, 0)
				if c.talks {
					one.hz = 1800
				}
				port := enter(t, r, one, c.o)
				enter(t, r, talker, Options{})
				enter(t, r, other, Options{})
				ticks(r, 20)
				p, seen := &tonePlayer{hz: 1000, left: 90}, &watcher{}
				if err := r.AddPlayer(p, port); err != nil {
					t.Fatal(err)
				}
				r.AddTap(seen)
				ticks(r, 10)
				one.forget()
				other.forget()
				ticks(r, 70)
				wantTone(t, "one", one, 1000, -20, true)
				wantTone(t, "one", one, 440, -20, c.rest)
				wantTone(t, "one", one, 1800, -20, false)
				wantTone(t, "other", other, 1000, -20, false)
				wantTone(t, "other", other, 440, -20, true)
				if len(seen.played) != 0 {
					t.Error("the tap saw what plays for one alone")
				}
				ticks(r, 60)
				one.forget()
				ticks(r, 50)
				wantTone(t, "one after the player", one, 1000, -20, false)
				wantTone(t, "one after the player", one, 440, -20, c.rest)
				if port.own != nil && !c.talks {
					t.Error("still a stream of its own")
				}
				if err := r.Leave(port); err != nil {
					t.Fatal(err)
				}
				if len(r.players) != 0 {
					t.Error("the player outlived its port")
				}
			})
		}
	}
}

// ears collects what one port hears.
type ears struct {
	tag   string
	heard []int16
	empty int
}

func (e *ears) See(m Moment) {
	if frame := m.Heard(e.tag); frame != nil {
		e.heard = append(e.heard, frame...)
	} else {
		e.empty++
	}
}

// TestHeard: a tap can hear what one port hears, with what is played for it alone and without itself.
func TestHeard(t *testing.T) {
	r := New()
	a, b := newLeg(t, "PCMU", 440), newLeg(t, "PCMU", 700)
	pa := enter(t, r, a, Options{Tag: "a"})
	enter(t, r, b, Options{Tag: "b"})
	if err := r.AddPlayer(&tonePlayer{hz: 1000, left: 100}, pa); err != nil {
		t.Fatal(err)
	}
	ea, eb, nobody := &ears{tag: "a"}, &ears{tag: "b"}, &ears{tag: "c"}
	r.AddTap(ea)
	r.AddTap(eb)
	r.AddTap(nobody)
	ticks(r, 50)
	for _, x := range []struct {
		e    *ears
		hz   float64
		want bool
	}{{ea, 700, true}, {ea, 1000, true}, {ea, 440, false}, {eb, 440, true}, {eb, 1000, false}, {eb, 700, false}} {
		if got := toneLevel(x.e.heard[1600:], x.hz, 8000); (got > -23) != x.want || !x.want && got > -60 {
			t.Errorf("%s hears %.0f Hz at %.1f dBov", x.e.tag, x.hz, got)
		}
	}
	if len(nobody.heard) > 0 {
		t.Error("who is not there heard something")
	}
	r.Set(pa, Options{Tag: "a", Held: true})
	ticks(r, 60)
	ea.empty = 0
	if ticks(r, 100); ea.empty != 100 {
		t.Errorf("who is held heard something in %d of 100 ticks", 100-ea.empty)
	}
}
