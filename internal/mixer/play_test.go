package mixer

import (
	"slices"
	"testing"
	"time"
)

// TestInletInARoom: what comes in is heard by everybody, and by taps as what is played.
func TestInletInARoom(t *testing.T) {
	r := New()
	in, err := NewInlet(8000, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.AddPlayer(in, nil); err != nil {
		t.Fatal(err)
	}
	ring := NewRing("")
	r.AddTap(ring)
	in.Write(slices.Repeat([]int16{5000}, 800))
	for range 5 {
		r.Tick(0)
	}
	f, ok := ring.Next(make([]int16, 960))
	if !ok || f.Samples[100] != 5000 || f.Clock != 0 {
		t.Errorf("%v, %+v", ok, f)
	}
}
