package stream

import (
	"testing"
	"time"
)

// TestBlame says for each case whether a client is too slow that has lost so many frames of the ring.
func TestBlame(t *testing.T) {
	for name, tt := range map[string]struct {
		lost             uint64
		busy, stallSince time.Duration // since the writer has been busy: all of it, and the part in which the server stood still
		want             bool
	}{
		"nothing lost":                   {0, time.Minute, 0, false},
		"a client that blocks":           {60, 1200 * time.Millisecond, 0, true},
		"a client that blocks a little":  {40, 1200 * time.Millisecond, 0, false},
		"a burst of the server":          {150, 20 * time.Millisecond, 0, false},
		"a stall in the middle of it":    {150, 2100 * time.Millisecond, 2 * time.Second, false},
		"a stall, and a client behind":   {150, 4 * time.Second, 2 * time.Second, true},
		"a stall before, a quick client": {100, 100 * time.Millisecond, 0, false},
	} {
		var b blame
		b.busy(time.Second, 5*time.Second)
		if got := b.late(tt.lost, time.Second+tt.busy, 5*time.Second+tt.stallSince); got != tt.want {
			t.Errorf("%s: too slow is %v, want %v", name, got, tt.want)
		}
	}
}

// TestBlameForgets: what was lost in one window is not held against the client in the next.
func TestBlameForgets(t *testing.T) {
	var b blame
	b.busy(0, 0)
	for n := range uint64(20) {
		if b.late(40*(n+1), time.Duration(n+1)*11*time.Second, 0) {
			t.Fatalf("too slow after %d windows", n+1)
		}
	}
	if !b.late(40*20+20, 221*time.Second, 0) {
		t.Error("60 frames of one window are forgiven")
	}
}

func TestLag(t *testing.T) {
	var l lag
	if l.total() != 0 {
		t.Error("nobody looks, and yet there was a stall")
	}
	at := time.Duration(0)
	for _, step := range []time.Duration{1, 50, 60, 180, 2050, 50, 320} {
		at += step * time.Millisecond
		l.look(at)
	}
	if got := time.Duration(l.sum.Load()); got != 2270*time.Millisecond {
		t.Errorf("stalls of %v, want 2.27 s", got)
	}
	if got := l.overdue(at + time.Second); got != 950*time.Millisecond {
		t.Errorf("the stall that lasts is %v so far", got)
	}
}
