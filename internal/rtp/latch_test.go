package rtp

import (
	"net/netip"
	"testing"
	"time"
)

func TestStrangersChangeNothing(t *testing.T) {
	s := open(t, "PCMU", 8000)
	got := make([]int16, 160)
	for i := range 100 {
		now := time.Duration(i) * frameTime
		for k := range 3 { // louder, more, before and after the real one
			if s.Receive(pcmu(uint16(1000+3*i+k), uint32(i)*160, 99, 0, 0x80), stranger, now) {
				t.Fatal("a stranger was believed")
			}
		}
		if i >= 10 && !s.Receive(pcmu(uint16(i), uint32(i)*160, 5, 0, 0xff), alice, now) {
			t.Fatal("alice was refused")
		}
		s.Pull(got, now+time.Millisecond)
		if level := energy(got); level > -100 {
			t.Fatalf("frame %d: %v dB of a stranger are heard", i, level)
		}
		if s.RTPTarget() != alice {
			t.Fatalf("audio would go to %v", s.RTPTarget())
		}
	}
	if st := s.Stats(); st.Refused != 300 || st.PacketsIn != 90 {
		t.Errorf("%+v", st)
	}
}

func TestLatch(t *testing.T) {
	natted := netip.MustParseAddrPort("127.0.0.1:61000")
	s := open(t, "PCMU", 8000)
	for i := range votesNeeded - 1 {
		if s.Receive(pcmu(uint16(i), 0, 5, 0, 0xff), natted, 0) || s.RTPTarget() != alice {
			t.Fatal("believed too early")
		}
	}
	if !s.Receive(pcmu(9, 0, 5, 0, 0xff), natted, 0) || s.RTPTarget() != natted {
		t.Fatal("another port of the signalled address is not believed")
	}
	if s.Receive(pcmu(10, 0, 5, 0, 0xff), netip.MustParseAddrPort("127.0.0.1:61001"), 0) || s.Sure() {
		t.Error("a second address is believed after the latch")
	}
	m := media("PCMU")
	if err := s.Configure(m, 8000); err != nil || s.RTPTarget() != natted {
		t.Errorf("the latch opened though the address did not change: %v", err)
	}
	m.Remote = stranger
	if err := s.Configure(m, 8000); err != nil || s.RTPTarget() != stranger {
		t.Errorf("signalling did not move the target: %v", err)
	}
	if !s.Receive(pcmu(11, 0, 5, 0, 0xff), stranger, 0) {
		t.Error("the newly signalled address is not believed")
	}
}

// TestSignalledTakesBack: another port of the peer's address was faster, as an impostor on the same machine or behind the same NAT can be. The
// signalled address has its stream as soon as it speaks, and keeps it.
func TestSignalledTakesBack(t *testing.T) {
	impostor := netip.MustParseAddrPort("127.0.0.1:61000")
	s := open(t, "PCMU", 8000)
	for i := range 100 {
		s.Receive(pcmu(uint16(i), uint32(i)*160, 9, 0, 0x80), impostor, 0)
	}
	if s.RTPTarget() != impostor {
		t.Fatal("the impostor did not get in")
	}
	for i := range 10 {
		if !s.Receive(pcmu(uint16(i), uint32(i)*160, 5, 0, 0xff), alice, time.Second) || s.Receive(pcmu(uint16(100+i), 0, 9, 0, 0x80), impostor, time.Second) {
			t.Fatal("the signalled address did not take its stream back")
		}
	}
	if s.RTPTarget() != alice || !s.Sure() {
		t.Errorf("audio goes to %v", s.RTPTarget())
	}
}

func TestRTCPMovesNothing(t *testing.T) {
	s := open(t, "PCMU", 8000)
	bye := []byte{0x81, 203, 0, 1, 0, 0, 0, 5}
	if s.ReceiveRTCP(bye, stranger, 0) || !s.ReceiveRTCP(bye, alice, 0) || s.RTPTarget() != alice || s.Connected() {
		t.Error("RTCP changed something")
	}
}

// TestNAT: whose signalled address is private is believed at the address that the signalling came from, and nowhere else.
func TestNAT(t *testing.T) {
	private, public := netip.MustParseAddrPort("192.168.1.20:4000"), netip.MustParseAddr("203.0.113.9")
	for name, c := range map[string]struct {
		remote netip.AddrPort
		source netip.Addr
		from   string
		want   bool
	}{
		"private, from the signalling's address": {private, public, "203.0.113.9:62000", true},
		"IPv4 in IPv6":                           {private, public, "[::ffff:203.0.113.9]:62000", true},
		"private, from another":                  {private, public, "203.0.113.10:62000", false},
		"private, signalling's address unknown":  {private, netip.Addr{}, "203.0.113.9:62000", false},
		"public, from the signalling's address":  {netip.MustParseAddrPort("198.51.100.7:4000"), public, "203.0.113.9:4000", false},
		"carrier's NAT":                          {netip.MustParseAddrPort("100.70.0.1:4000"), public, "203.0.113.9:4000", true},
		"on old hold":                            {netip.MustParseAddrPort("0.0.0.0:4000"), public, "203.0.113.9:4000", false},
	} {
		s := NewSession(1, 2, 3)
		m := media("PCMU")
		m.Remote, m.Source = c.remote, c.source
		if err := s.Configure(m, 8000); err != nil {
			t.Fatal(err)
		}
		from, believed := netip.MustParseAddrPort(c.from), false
		for i := range 10 {
			believed = s.Receive(pcmu(uint16(i), uint32(i)*160, 5, 0, 0xff), from, 0)
		}
		if believed != c.want || s.Connected() != c.want {
			t.Errorf("%s: believed is %v", name, believed)
		}
	}
}

// TestNATMoves: a phone behind NAT signals again from another address, with the same private one inside.
func TestNATMoves(t *testing.T) {
	m := media("PCMU")
	m.Remote, m.Source = netip.MustParseAddrPort("192.168.1.20:4000"), netip.MustParseAddr("203.0.113.9")
	before, after := netip.MustParseAddrPort("203.0.113.9:62000"), netip.MustParseAddrPort("203.0.113.77:62000")
	s := NewSession(1, 2, 3)
	speak := func(from netip.AddrPort) (ok bool) {
		for i := range 10 {
			ok = s.Receive(pcmu(uint16(i), 0, 5, 0, 0xff), from, 0)
		}
		return ok
	}
	if err := s.Configure(m, 8000); err != nil || !speak(before) || speak(after) {
		t.Fatalf("before the move: %v", err)
	}
	m.Source = after.Addr()
	if err := s.Configure(m, 8000); err != nil || speak(before) || !speak(after) || s.RTPTarget() != after {
		t.Errorf("after the move: audio goes to %v, %v", s.RTPTarget(), err)
	}
}

// TestStrangersDoNotUseUpTheBudget: what they send does not count against what the peer may.
func TestStrangersDoNotUseUpTheBudget(t *testing.T) {
	s := open(t, "PCMU", 8000)
	for i := range 100 {
		now := time.Duration(i) * frameTime
		for k := range 100 {
			s.Receive(pcmu(uint16(k), 0, 9, 0, 0x80), stranger, now)
			s.ReceiveRTCP([]byte{0x80, 201, 0, 1, 0, 0, 0, 5}, stranger, now)
		}
		if !s.Receive(pcmu(uint16(i), uint32(i)*160, 5, 0, 0xff), alice, now) || !s.ReceiveRTCP([]byte{0x80, 201, 0, 1, 0, 0, 0, 5}, alice, now) {
			t.Fatal("the peer was refused")
		}
	}
	if s.Stats().PacketsIn != 100 {
		t.Errorf("%+v", s.Stats())
	}
}

// TestFlood: a peer that sends a thousand packets a second is cut to the limit.
func TestFlood(t *testing.T) {
	s := open(t, "PCMU", 8000)
	for i := range 3000 {
		s.Receive(pcmu(uint16(i), uint32(i)*160, 5, 0, 0xff), alice, time.Duration(i)*time.Millisecond)
	}
	if st := s.Stats(); st.PacketsIn != 3*flood {
		t.Errorf("%+v", st)
	}
}
