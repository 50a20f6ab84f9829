package mixer

import (
	"fmt"
	"testing"
)

func crowd(t testing.TB, name string, n, talking int, extra ...string) (*Room, []*fakeLeg) {
	t.Helper()
	r := New()
	var legs []*fakeLeg
	for i := range n {
		codec := name
		if len(extra) > 0 && i%2 == 1 {
			codec = extra[0]
		}
		l := newLeg(t, codec, 0)
		l.decode = false
		if i < talking {
			l.hz = 400 + 100*float64(i)
		}
		legs = append(legs, l)
		enter(t, r, l, Options{})
	}
	return r, legs
}

// TestSharedEncodings counts: each who is heard has one, all others together one per codec.
func TestSharedEncodings(t *testing.T) {
	for _, c := range []struct {
		codecs  []string
		talking int
		want    uint64
	}{
		{[]string{"PCMU"}, 3, 4},
		{[]string{"opus"}, 3, 4},
		{[]string{"opus"}, 2, 3},
		{[]string{"opus"}, 1, 1}, // the only one hears stored silence
		{[]string{"opus"}, 0, 0},
		{[]string{"opus", "PCMU"}, 4, 6},
	} {
		r, legs := crowd(t, c.codecs[0], 40, c.talking, c.codecs[1:]...)
		ticks(r, 10)
		before := r.encoded
		ticks(r, 10)
		if got := r.encoded - before; got != 10*c.want {
			t.Errorf("%v, %d talking: %d encodings in 10 ticks, want %d", c.codecs, c.talking, got, 10*c.want)
		}
		for i, l := range legs {
			if l.sends != 20 {
				t.Errorf("leg %d got %d frames", i, l.sends)
			}
		}
	}
}

func TestTickAllocatesNothing(t *testing.T) {
	for _, name := range []string{"PCMU", "G722", "opus"} {
		r, _ := crowd(t, name, 100, 3)
		ring := NewRing("")
		r.AddTap(ring)
		ticks(r, 10)
		if n := testing.AllocsPerRun(50, func() { ticks(r, 1) }); n != 0 {
			t.Errorf("%s: %v allocations per tick", name, n)
		}
	}
}

func BenchmarkTick(b *testing.B) {
	for _, c := range []struct {
		name       string
		n, talking int
		extra      []string
	}{
		{name: "PCMU", n: 300, talking: 3},
		{name: "PCMU", n: 3, talking: 3},
		{name: "opus", n: 100, talking: 3},
		{name: "opus", n: 3, talking: 3},
		{name: "opus", n: 100, talking: 3, extra: []string{"PCMU"}},
	} {
		b.Run(fmt.Sprint(c.name, "-", c.n, "-", c.talking, c.extra), func(b *testing.B) {
			r, _ := crowd(b, c.name, c.n, c.talking, c.extra...)
			ticks(r, 5)
			for b.Loop() {
				ticks(r, 1)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(c.n), "ns/participant")
		})
	}
}
