package rtp

import (
	"encoding/binary"
	"testing"
	"time"
)

// event makes a telephone-event packet.
func event(seq uint16, stamp uint32, code byte, end bool, duration uint16) []byte {
	p := pcmu(seq, stamp, 5, 101, 0)[:16]
	p[12] = code
	if end {
		p[13] = 0x80
	}
	binary.BigEndian.PutUint16(p[14:], duration)
	return p
}

func TestDigits(t *testing.T) {
	for name, c := range map[string]struct {
		packets [][]byte
		want    string
	}{
		"one press":       {[][]byte{event(1, 0, 5, false, 160), event(2, 0, 5, false, 320), event(3, 0, 5, true, 480), event(4, 0, 5, true, 480), event(5, 0, 5, true, 480)}, "5"},
		"ends only":       {[][]byte{event(3, 0, 11, true, 480), event(4, 0, 11, true, 480)}, "#"},
		"start only":      {[][]byte{event(1, 0, 10, false, 160), event(9, 4000, 1, false, 160)}, "*1"},
		"same key twice":  {[][]byte{event(1, 0, 1, true, 160), event(2, 1600, 1, true, 160)}, "11"},
		"duplicates":      {[][]byte{event(1, 0, 1, true, 160), event(1, 0, 1, true, 160), event(2, 0, 1, true, 160)}, "1"},
		"late old one":    {[][]byte{event(5, 1600, 2, true, 160), event(1, 0, 1, true, 160)}, "2"},
		"long press":      {[][]byte{event(1, 0, 15, false, 0xffff), event(2, 0xffff, 15, false, 100)}, "D"},
		"not a digit":     {[][]byte{event(1, 0, 16, true, 160)}, ""},
		"too short":       {[][]byte{event(1, 0, 1, true, 160)[:14]}, ""},
		"timestamps wrap": {[][]byte{event(1, 0xffffff00, 1, true, 160), event(2, 0x100, 2, true, 160)}, "12"},
	} {
		s := open(t, "PCMU", 8000)
		for i, p := range c.packets {
			s.Receive(p, alice, time.Duration(i)*frameTime)
		}
		got := ""
		for d, ok := s.Digit(); ok; d, ok = s.Digit() {
			got += string(d)
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestDigitsHoursApart: the timestamps of the second press are more than half a turn of the clock away.
func TestDigitsHoursApart(t *testing.T) {
	s := open(t, "opus", 48000)
	s.Receive(event(1, 1000, 1, true, 160), alice, 0)
	s.Receive(event(2, 1000+3<<30, 2, true, 160), alice, 13*time.Hour)
	if a, _ := s.Digit(); a != '1' {
		t.Errorf("first is %q", a)
	}
	if b, _ := s.Digit(); b != '2' {
		t.Errorf("second is %q", b)
	}
}

// TestDigitTakesItsOwnTime: an event of 200 ms with its three ends at once stands between audio; nothing is lost, nothing waits afterwards.
func TestDigitTakesItsOwnTime(t *testing.T) {
	s := open(t, "PCMU", 8000)
	got := make([]int16, 160)
	seq := uint16(0)
	send := func(p []byte, now time.Duration) {
		binary.BigEndian.PutUint16(p[2:], seq)
		seq++
		if !s.Receive(p, alice, now) {
			t.Fatal("refused")
		}
	}
	loud := 0
	for i := range 200 {
		now := time.Duration(i) * frameTime
		switch {
		case i < 100 || i >= 110:
			send(pcmu(0, uint32(i)*160, 5, 0, 0x80), now)
		case i < 109:
			send(event(0, 100*160, 7, false, uint16(i-99)*160), now)
		default:
			for range 3 {
				send(event(0, 100*160, 7, true, 1600), now)
			}
		}
		if s.Pull(got, now+5*time.Millisecond); energy(got) > -10 {
			loud++
		}
	}
	st := s.Stats()
	if d, ok := s.Digit(); !ok || d != '7' || st.Lost != 0 || st.DelayMillis != 5 || loud != 190 {
		t.Errorf("digit %q, %d loud frames, %+v", d, loud, st)
	}
}
