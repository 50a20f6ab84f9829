package rtp

import (
	"encoding/binary"
	"testing"
	"time"
)

// TestKey sends presses between audio and reads them as a peer would.
func TestKey(t *testing.T) {
	s := open(t, "PCMU", 8000)
	if !s.TakesKeys() {
		t.Fatal("events were agreed on")
	}
	peer := open(t, "PCMU", 8000)
	buf := make([]byte, 0, 1500)
	type seen struct {
		pt, marker bool
		stamp      uint32
		end        bool
		duration   uint16
	}
	var got []seen
	var first uint16
	send := func(p []byte) {
		x := seen{pt: p[1]&127 == 101, marker: p[1]&128 != 0, stamp: binary.BigEndian.Uint32(p[4:])}
		if seq := binary.BigEndian.Uint16(p[2:]); len(got) == 0 {
			first = seq
		} else if seq != first+uint16(len(got)) {
			t.Errorf("packet %d has number %d after %d", len(got), seq, first)
		}
		if x.pt {
			x.end, x.duration = p[13]&0x80 != 0, binary.BigEndian.Uint16(p[14:])
		}
		got = append(got, x)
		peer.Receive(append([]byte{}, p...), alice, time.Duration(len(got))*frameTime)
	}
	audio := make([]byte, 160)
	send(s.Packet(buf, audio))
	for _, key := range []byte("5#") {
		send(s.Key(buf, key, false))
		send(s.Key(buf, key, false))
		send(s.Key(buf, key, true))
		send(s.Key(buf, key, true))
		send(s.Key(buf, key, true))
	}
	send(s.Packet(buf, audio))
	send(s.Packet(buf, audio))
	base := got[0].stamp
	event := func(stamp int, marker, end bool, duration uint16) seen {
		return seen{true, marker, base + uint32(stamp), end, duration}
	}
	want := []seen{
		{false, true, base, false, 0},
		event(160, true, false, 160), event(160, false, false, 320), event(160, false, true, 480), event(160, false, true, 480), event(160, false, true, 480),
		event(960, true, false, 160), event(960, false, false, 320), event(960, false, true, 480), event(960, false, true, 480), event(960, false, true, 480),
		{false, true, base + 11*160, false, 0},
		{false, false, base + 12*160, false, 0},
	}
	for i, w := range want {
		if i >= len(got) || got[i] != w {
			t.Fatalf("packet %d: %+v, want %+v", i, got[i], w)
		}
	}
	heard := ""
	for d, ok := peer.Digit(); ok; d, ok = peer.Digit() {
		heard += string(d)
	}
	if heard != "5#" {
		t.Errorf("the peer read %q", heard)
	}
}

// TestLongKey presses for longer than a packet can say: the peer still reads one press.
func TestLongKey(t *testing.T) {
	s, peer := open(t, "PCMU", 8000), open(t, "PCMU", 8000)
	buf := make([]byte, 0, 1500)
	var last, highest uint16
	for i := range 1000 { // 20 s
		p := s.Key(buf, 'D', i >= 997)
		last = binary.BigEndian.Uint16(p[14:])
		highest = max(highest, last)
		peer.Receive(append([]byte{}, p...), alice, time.Duration(i)*frameTime)
	}
	if last != uint16((998*160)%longestEvent) || highest != longestEvent {
		t.Errorf("the last packet says %d, the longest %d", last, highest)
	}
	if d, ok := peer.Digit(); !ok || d != 'D' {
		t.Errorf("%q", d)
	}
	if d, ok := peer.Digit(); ok {
		t.Errorf("and then %q", d)
	}
	if n := testing.AllocsPerRun(100, func() { s.Key(buf, '1', false) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
