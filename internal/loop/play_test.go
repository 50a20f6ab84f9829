package loop

import (
	"context"
	"slices"
	"testing"

	"parley/internal/audio"
	"parley/internal/fault"
	"parley/internal/mixer"
)

// sound is a tone in memory at -20 dBov without fades.
func sound(hz float64, rate, millis int) []int16 {
	tone := audio.NewTone(hz, -20, rate, 0)
	samples := make([]int16, rate*(millis+10)/1000)
	tone.Read(samples)
	return samples[rate*10/1000:]
}

func (r *rig) play(room *Room, o PlayOptions) *Player {
	r.t.Helper()
	var p *Player
	var err error
	r.do(func() { p, err = room.Play(o) })
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

func isDone(p *Player) bool {
	select {
	case <-p.Done():
		return true
	default:
		return false
	}
}

// largestStep is the largest difference between two samples in a row.
func largestStep(x []int16) (most int) {
	for i := range len(x) - 1 {
		most = max(most, int(x[i+1])-int(x[i]), int(x[i])-int(x[i+1]))
	}
	return most
}

// stepOf bounds the steps of sines at -20 dBov of these frequencies, sampled at 8 kHz, with what G.711 adds.
func stepOf(hz ...float64) (most int) {
	for _, f := range hz {
		most += int(4640*2*3.1416*f/8000) + 200
	}
	return most
}

func TestPlay(t *testing.T) {
	for _, rate := range []int{8000, 16000, 24000, 48000} {
		r := newRig(t, 1)
		room := r.e.NewRoom()
		a, b, held := newPeer(t, 0), newPeer(t, 0), newPeer(t, 0)
		r.enter(room, r.session(a, "PCMU"), PortOptions{Tag: "a"})
		r.enter(room, r.session(b, "PCMU"), PortOptions{Tag: "b"})
		waiting := r.enter(room, r.session(held, "PCMU"), PortOptions{Tag: "held", Held: true})
		r.talk(10, a, b, held)
		frames := 50 // a second, and the end of the resampler
		if rate != 8000 {
			frames++
		}
		forAll := r.play(room, PlayOptions{Samples: sound(400, rate, 1000), Rate: rate})
		forOne := r.play(room, PlayOptions{Samples: sound(700, rate, 100), Rate: rate, Repeat: true, Volume: -6, Port: waiting})
		for _, p := range []*peer{a, b, held} {
			p.forget()
		}
		r.talk(frames-1, a, b, held)
		if isDone(forAll) {
			t.Errorf("%d Hz: done early", rate)
		}
		a.hears("a", []float64{400}, 700)
		held.tone = nil
		if got := held.level(700); got < -28 || got > -24 {
			t.Errorf("%d Hz: the held one hears its music at %.1f dBov", rate, got)
		}
		if got := held.level(400); got > -55 {
			t.Errorf("%d Hz: the held one hears the room at %.1f dBov", rate, got)
		}
		r.talk(1, a, b, held)
		if !isDone(forAll) || isDone(forOne) {
			t.Errorf("%d Hz: done %v and %v after the end", rate, isDone(forAll), isDone(forOne))
		}
		r.talk(5, a, b, held)
		if got := largestStep(a.heard); got > stepOf(400) {
			t.Errorf("%d Hz: a click of %d", rate, got)
		}
		a.forget()
		r.talk(50, a, b, held)
		a.hears("a afterwards", nil, 400, 700)
	}
}

// TestPlayerControl changes the volume and stops, without clicks.
func TestPlayerControl(t *testing.T) {
	r := newRig(t, 1)
	room := r.e.NewRoom()
	a := newPeer(t, 0)
	r.enter(room, r.session(a, "PCMU"), PortOptions{Tag: "a"})
	p := r.play(room, PlayOptions{Samples: sound(400, 8000, 1000), Rate: 8000, Repeat: true})
	r.talk(20, a)
	p.SetVolume(-12)
	r.talk(2, a)
	got := largestStep(a.heard)
	a.forget()
	r.talk(50, a)
	if level := a.level(400); level < -34 || level > -30 {
		t.Errorf("at -12 dB it is heard at %.1f dBov", level)
	}
	p.SetVolume(-1000)
	p.SetVolume(0)
	r.talk(2, a)
	p.Stop()
	p.Stop()
	p.SetVolume(6)
	r.talk(2, a)
	if !isDone(p) {
		t.Error("not done after stop")
	}
	if got = max(got, largestStep(a.heard)); got > stepOf(400) {
		t.Errorf("a click of %d", got)
	}
	a.forget()
	r.talk(20, a)
	a.hears("a after stop", nil, 400)
}

// TestPlayersEnd has players end with what they belong to.
func TestPlayersEnd(t *testing.T) {
	r := newRig(t, 1)
	room, other := r.e.NewRoom(), r.e.NewRoom()
	a, b := newPeer(t, 0), newPeer(t, 0)
	pa, pb := r.enter(room, r.session(a, "PCMU"), PortOptions{Tag: "a"}), r.enter(other, r.session(b, "PCMU"), PortOptions{Tag: "b"})
	o := PlayOptions{Samples: sound(400, 8000, 100), Rate: 8000, Repeat: true}
	forAll := r.play(room, o)
	o.Port = pa
	forOne := r.play(room, o)
	r.talk(3, a, b)
	r.do(pa.Leave)
	if !isDone(forOne) || isDone(forAll) {
		t.Error("the port's player lives, or the room's does not")
	}
	for range playersMost - 1 {
		r.play(room, PlayOptions{Samples: o.Samples, Rate: 8000, Repeat: true})
	}
	for _, c := range []struct {
		o      PlayOptions
		reason string
	}{
		{PlayOptions{Samples: o.Samples, Rate: 8000, Port: pa}, "PORT_LEFT"},
		{PlayOptions{Samples: o.Samples, Rate: 8000, Port: pb}, "PORT_LEFT"},
		{PlayOptions{Samples: o.Samples, Rate: 8000}, "PLAYERS_EXHAUSTED"},
		{PlayOptions{Samples: o.Samples, Rate: 44100}, "SOUND_INVALID"},
		{PlayOptions{Rate: 8000}, "SOUND_INVALID"},
	} {
		if c.reason == "PORT_LEFT" {
			r.do(room.players[1].Stop)
			r.talk(2)
		}
		var err error
		r.do(func() { _, err = room.Play(c.o) })
		if fault.ReasonOf(err) != c.reason {
			t.Errorf("%v, want %s", err, c.reason)
		}
		if c.reason == "PORT_LEFT" {
			r.play(room, PlayOptions{Samples: o.Samples, Rate: 8000, Repeat: true})
		}
	}
	r.do(room.Close)
	if !isDone(forAll) {
		t.Error("a player outlived its room")
	}
	var err error
	r.do(func() { _, err = room.Play(PlayOptions{Samples: o.Samples, Rate: 8000}) })
	if fault.ReasonOf(err) != "ROOM_CLOSED" {
		t.Errorf("played in a closed room: %v", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	last := r.play(other, PlayOptions{Samples: o.Samples, Rate: 8000, Repeat: true})
	cancel()
	if err := r.e.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if !isDone(last) {
		t.Error("a player outlived the engine")
	}
	last.Stop()
}

// TestTap reads a room and a voice from rings, as a recorder does, until the tap is removed.
func TestTap(t *testing.T) {
	r := newRig(t, 1)
	room := r.e.NewRoom()
	a, b := newPeer(t, 440), newPeer(t, 1000)
	mix, voice := mixer.NewRing(""), mixer.NewRing("b")
	var removes []func()
	r.do(func() { removes = append(removes, room.Tap(mix), room.Tap(voice)) })
	r.enter(room, r.session(a, "PCMU"), PortOptions{Tag: "a"})
	r.enter(room, r.session(b, "PCMU"), PortOptions{Tag: "b"})
	got := &peer{format: a.format}
	buf := make([]int16, 960)
	drain := func(ring *mixer.Ring) (frames int) {
		for f, ok := ring.Next(buf); ok; f, ok = ring.Next(buf) {
			got.heard = slices.Concat(got.heard, f.Samples)
			frames++
		}
		return frames
	}
	r.talk(10, a, b)
	drain(mix)
	drain(voice)
	for _, c := range []struct {
		ring  *mixer.Ring
		tones []float64
		not   []float64
	}{{mix, []float64{440, 1000}, nil}, {voice, []float64{1000}, []float64{440}}} {
		r.talk(40, a, b)
		got.t, got.heard = t, nil
		drain(c.ring)
		got.hears("tap", c.tones, c.not...)
	}
	r.do(func() {
		for _, remove := range removes {
			remove()
		}
	})
	drain(mix)
	drain(voice)
	r.talk(10, a, b)
	if n := drain(mix) + drain(voice); n != 0 {
		t.Errorf("%d frames after the tap was removed", n)
	}
}

func TestPlayAllocatesNothing(t *testing.T) {
	r, peers := crowd(t, 10, 2, "PCMU")
	room := r.e.loops[0].mixing[0][0]
	r.play(room, PlayOptions{Samples: sound(400, 16000, 500), Rate: 16000, Repeat: true})
	r.play(room, PlayOptions{Samples: sound(700, 8000, 500), Rate: 8000, Repeat: true, Port: room.ports[5]})
	ring := mixer.NewRing("")
	r.do(func() { room.Tap(ring) })
	r.talk(60, peers...)
	if n := testing.AllocsPerRun(40, r.frame); n != 0 {
		t.Errorf("%v allocations per frame", n)
	}
}

// clocks counts the ticks that it is shown.
type clocks struct {
	ticks int
	last  uint64
}

func (c *clocks) See(m mixer.Moment) { c.ticks, c.last = c.ticks+1, m.Clock }

// TestTapOfAnEmptyRoom: the clock of a room with a tap goes on although nobody is in it, so that a recording begins where it was started.
func TestTapOfAnEmptyRoom(t *testing.T) {
	r := newRig(t, 1)
	room := r.e.NewRoom()
	seen := &clocks{}
	var remove func()
	r.do(func() { remove = room.Tap(seen) })
	first := *seen
	r.talk(50)
	if n, clock := seen.ticks-first.ticks, seen.last-first.last; n != 50 || clock != 50*960 && first.ticks > 0 {
		t.Errorf("%d ticks, %d on the clock in a second", n, clock)
	}
	r.do(remove)
	n := seen.ticks
	r.talk(5)
	if seen.ticks != n {
		t.Errorf("%d ticks after the tap was removed", seen.ticks-n)
	}
}
