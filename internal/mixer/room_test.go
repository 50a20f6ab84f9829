package mixer

import (
	"fmt"
	"math"
	"testing"

	"parley/internal/codec"
)

// wantTone checks that a tone is heard at about its level, or is at least 40 dB below it.
func wantTone(t *testing.T, who string, l *fakeLeg, hz, dbov float64, heard bool) {
	t.Helper()
	got := l.level(hz)
	if heard && math.Abs(got-dbov) > 1.5 {
		t.Errorf("%s hears %v Hz at %.1f dBov, want %.1f", who, hz, got, dbov)
	}
	if !heard && got > dbov-40 {
		t.Errorf("%s hears %v Hz at %.1f dBov, want it away", who, hz, got)
	}
}

// TestMixMinus has each of three talkers and a listener hear all others and not itself, with every codec and with mixed ones.
func TestMixMinus(t *testing.T) {
	tones := []float64{440, 1000, 1800}
	for _, names := range [][4]string{
		{"PCMU", "PCMU", "PCMU", "PCMU"},
		{"PCMA", "PCMA", "PCMA", "PCMA"},
		{"G722", "G722", "G722", "G722"},
		{"opus", "opus", "opus", "opus"},
		{"L16", "L16", "L16", "L16"},
		{"opus", "G722", "PCMU", "PCMA"},
		{"PCMU", "opus", "PCMA", "G722"},
	} {
		t.Run(fmt.Sprint(names), func(t *testing.T) {
			r := New()
			var legs []*fakeLeg
			for i, name := range names {
				l := newLeg(t, name, 0)
				if i < len(tones) {
					l.hz = tones[i]
				}
				legs = append(legs, l)
				enter(t, r, l, Options{Tag: name})
			}
			ticks(r, 50)
			for _, l := range legs {
				l.forget()
			}
			ticks(r, 100)
			for i, l := range legs {
				for j, hz := range tones {
					wantTone(t, fmt.Sprint(i, " ", names[i]), l, hz, -20, i != j)
				}
			}
		})
	}
}

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		name           string
		o              Options
		heard, hears   bool
		want, wantTalk float64
	}{
		{"plain", Options{}, true, true, -20, -20},
		{"muted", Options{Muted: true}, false, true, -20, -20},
		{"deaf", Options{Deaf: true}, true, false, -20, -20},
		{"held", Options{Held: true}, false, false, -20, -20},
		{"louder", Options{Volume: 6}, true, true, -14, -20},
		{"softer", Options{Volume: -6}, true, true, -26, -20},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := New()
			a, b := newLeg(t, "PCMU", 440), newLeg(t, "PCMU", 1000)
			pa := enter(t, r, a, Options{})
			enter(t, r, b, Options{})
			ticks(r, 20)
			if !pa.Talking() {
				t.Fatal("talk not detected")
			}
			r.Set(pa, c.o)
			ticks(r, 20)
			a.forget()
			b.forget()
			sends := a.sends
			ticks(r, 50)
			wantTone(t, "other", b, 440, c.want, c.heard)
			wantTone(t, "self", a, 1000, -20, c.hears)
			if pa.Talking() != c.heard {
				t.Errorf("talking %v, want %v", pa.Talking(), c.heard)
			}
			if got := a.sends - sends; got != 50 {
				t.Errorf("%d frames sent in 50 ticks: the stream must live", got)
			}
			if !c.hears && !codec.Silent(a.format, a.last) {
				t.Error("not digital silence")
			}
		})
	}
}

func TestVolumeIsClamped(t *testing.T) {
	r := New()
	a, b := newLeg(t, "PCMU", 440), newLeg(t, "PCMU", 0)
	enter(t, r, a, Options{Volume: math.MaxInt})
	enter(t, r, b, Options{Volume: math.MinInt})
	ticks(r, 50)
	if got := b.level(440); got > 0 || got < -6 {
		t.Errorf("level %.1f", got)
	}
}

// TestLimiter has thirty loud voices neither wrap nor clip hard, and each still missing its own.
func TestLimiter(t *testing.T) {
	r := New()
	var legs []*fakeLeg
	for i := range 30 {
		l := newLeg(t, "L16", 300+float64(i)*100)
		l.dbov = -6
		legs = append(legs, l)
		enter(t, r, l, Options{})
	}
	ticks(r, 50)
	for _, l := range legs {
		l.forget()
	}
	ticks(r, 100)
	// Wanted: the own tone at least 30 dB below the others; intermodulation fills gaps, so a single bin is compared.
	for i, l := range legs {
		own, other := l.level(l.hz), l.level(legs[(i+1)%len(legs)].hz)
		if own > other-15 {
			t.Errorf("voice %d hears itself at %.1f, its neighbour at %.1f", i, own, other)
		}
	}
}

func TestRate(t *testing.T) {
	r := New()
	phone := newLeg(t, "PCMU", 440)
	enter(t, r, phone, Options{})
	want := func(rate int) {
		t.Helper()
		ticks(r, 5)
		if r.Rate() != rate || phone.rate != rate {
			t.Fatalf("room at %d, leg at %d, want %d", r.Rate(), phone.rate, rate)
		}
	}
	want(8000)
	wide := newLeg(t, "G722", 1000)
	pw := enter(t, r, wide, Options{})
	want(16000)
	full := newLeg(t, "opus", 6000)
	pf := enter(t, r, full, Options{})
	want(48000)
	ticks(r, 20)
	wide.forget()
	phone.forget()
	ticks(r, 50)
	wantTone(t, "wide", wide, 6000, -20, true)
	wantTone(t, "phone", phone, 2000, -20, false) // 6 kHz folded at 4 kHz
	if err := r.Leave(pf); err != nil {
		t.Fatal(err)
	}
	want(16000)
	if err := r.Leave(pw); err != nil {
		t.Fatal(err)
	}
	if err := r.Leave(pw); err != nil {
		t.Fatal(err)
	}
	want(8000)
	if r.Ports() != 1 {
		t.Errorf("%d ports", r.Ports())
	}
}

func TestEnterRefused(t *testing.T) {
	r := New()
	phone := newLeg(t, "PCMU", 440)
	pp := enter(t, r, phone, Options{})
	listener := newLeg(t, "PCMU", 0)
	enter(t, r, listener, Options{})
	bad := newLeg(t, "opus", 0)
	bad.refuse = 48000
	if _, err := r.Enter(bad, Options{}); err == nil {
		t.Fatal("entered")
	}
	bad.refuse, bad.format = 0, codec.Format{Name: "G729", SampleRate: 8000}
	if _, err := r.Enter(bad, Options{}); err == nil {
		t.Fatal("entered with an unknown codec")
	}
	if r.Ports() != 2 || r.Rate() != 8000 || phone.rate != 8000 {
		t.Fatalf("ports %d, rate %d, leg %d", r.Ports(), r.Rate(), phone.rate)
	}
	if pp.outlet.members != 2 || len(r.outlets) != 1 {
		t.Errorf("%d members, %d outlets", pp.outlet.members, len(r.outlets))
	}
	ticks(r, 50)
	wantTone(t, "listener", listener, 440, -20, true)
}

// TestRefresh changes the codec of a leg in the room, from none to PCMU to opus.
func TestRefresh(t *testing.T) {
	r := New()
	talker, l := newLeg(t, "PCMU", 440), newLeg(t, "PCMU", 0)
	enter(t, r, talker, Options{})
	l.agreed = false
	p := enter(t, r, l, Options{})
	ticks(r, 10)
	if l.sends != 0 || l.skips != 10 {
		t.Fatalf("%d sends, %d skips before a format", l.sends, l.skips)
	}
	l.agreed = true
	if err := r.Refresh(p); err != nil {
		t.Fatal(err)
	}
	ticks(r, 50)
	wantTone(t, "PCMU", l, 440, -20, true)
	next := newLeg(t, "opus", 0)
	l.format, l.decoder = next.format, next.decoder
	l.forget()
	if err := r.Refresh(p); err != nil {
		t.Fatal(err)
	}
	ticks(r, 50)
	wantTone(t, "opus", l, 440, -20, true)
	l.ready = false
	skips := l.skips
	ticks(r, 5)
	if l.skips != skips+5 {
		t.Error("sent while not ready")
	}
}

// TestTalkers has people speak in turns, so that they move between own and shared streams.
func TestTalkers(t *testing.T) {
	for _, name := range []string{"PCMU", "G722", "opus"} {
		r := New()
		var legs []*fakeLeg
		for range 4 {
			l := newLeg(t, name, 0)
			legs = append(legs, l)
			enter(t, r, l, Options{})
		}
		for round := range 8 {
			talker := legs[round%4]
			talker.hz = 440
			if err := talker.SetRate(r.Rate()); err != nil {
				t.Fatal(err)
			}
			for _, l := range legs {
				l.forget()
			}
			ticks(r, 40)
			talker.hz = 0
			for i, l := range legs {
				wantTone(t, fmt.Sprintf("%s round %d leg %d", name, round, i), l, 440, -20, l != talker)
			}
		}
	}
}
