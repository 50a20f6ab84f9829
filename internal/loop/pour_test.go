package loop

import (
	"testing"
	"time"

	"parley/internal/fault"
	"parley/internal/mixer"
)

// TestPour: sound that comes while it is played is heard by all, in time, until it is stopped.
func TestPour(t *testing.T) {
	r := newRig(t, 1)
	room := r.e.NewRoom()
	a, b := newPeer(t, 0), newPeer(t, 700)
	r.enter(room, r.session(a, "PCMU"), PortOptions{Tag: "a"})
	r.enter(room, r.session(b, "PCMU"), PortOptions{Tag: "b"})
	in, err := mixer.NewInlet(16000, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	var p *Player
	r.do(func() { p, err = room.Pour(in, nil) })
	if err != nil {
		t.Fatal(err)
	}
	tone := sound(400, 16000, 3000)
	in.Write(tone[:960]) // 60 ms ahead
	tone = tone[960:]
	for range 60 {
		in.Write(tone[:320])
		tone = tone[320:]
		r.talk(1, a, b)
		if len(tone) == 320*75 { // settled
			a.forget()
			b.forget()
		}
	}
	a.hears("a", []float64{400, 700})
	b.hears("b", []float64{400}, 700)
	if in.Gaps() != 0 || in.Dropped() != 0 || in.Waiting() != 60*time.Millisecond {
		t.Errorf("%d gaps, %d dropped, %v wait", in.Gaps(), in.Dropped(), in.Waiting())
	}
	p.Stop()
	r.talk(3, a, b)
	if !isDone(p) {
		t.Error("it plays on")
	}

	other, err := mixer.NewInlet(8000, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	r.do(func() { p, err = room.Pour(other, nil) })
	if err != nil || isDone(p) {
		t.Fatalf("a silent one has ended: %v", err)
	}
	r.do(room.Close)
	if !isDone(p) {
		t.Error("it outlives its room")
	}
	r.do(func() { _, err = room.Pour(other, nil) })
	if fault.ReasonOf(err) != "ROOM_CLOSED" {
		t.Errorf("into a closed room: %v", err)
	}
}
