package loop

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"parley/internal/fault"
	"parley/internal/sdp"
)

// TestRoom has three phones in a room over real sockets hear each other and not themselves.
func TestRoom(t *testing.T) {
	for _, names := range [][3]string{{"PCMU", "PCMU", "PCMU"}, {"PCMU", "opus", "G722"}} {
		t.Run(fmt.Sprint(names), func(t *testing.T) {
			r := newRig(t, 2)
			tones := []float64{440, 1000, 1800}
			room := r.e.NewRoom()
			var peers []*peer
			var ports []*Port
			for i, name := range names {
				p := newPeer(t, 0)
				p.open(name)
				p.tone = toneAt(tones[i], p.format.Rate(8000))
				peers = append(peers, p)
				ports = append(ports, r.enter(room, r.session(p, name), PortOptions{Tag: name}))
			}
			r.talk(100, peers...)
			for _, p := range peers {
				p.forget()
			}
			r.talk(100, peers...)
			for i, p := range peers {
				others := slices.Delete(slices.Clone(tones), i, i+1)
				p.hears(fmt.Sprint(i, names[i]), others, tones[i])
				if got := ports[i].Level(); got < -22 || got > -18 {
					t.Errorf("level of %d: %d", i, got)
				}
				if len(p.stamps) != 100 {
					t.Errorf("%d got %d packets in 100 frames", i, len(p.stamps))
				}
			}
		})
	}
}

func TestFacts(t *testing.T) {
	r := newRig(t, 1)
	room := r.e.NewRoom()
	p := newPeer(t, 440)
	s := r.session(p, "PCMU")
	port := r.enter(room, s, PortOptions{Tag: "a"})
	if s.Silence() >= 0 || port.Silence() >= 0 || port.Level() != -127 {
		t.Error("heard something before the first packet")
	}
	r.frame()
	if got := facts(room); len(got) != 0 {
		t.Errorf("facts before the first packet: %v", got)
	}
	r.talk(20, p)
	p.press(5)
	r.talk(1, p)
	p.press(11)
	r.talk(20, p)
	want := []string{"a connected", "a started", "a digit 5", "a digit #"}
	if got := facts(room); !slices.Equal(got, want) {
		t.Errorf("facts %v, want %v", got, want)
	}
	if s.Silence() < 0 {
		t.Error("silence negative after packets")
	}
	port.Set(PortOptions{Muted: true, Tag: "other"})
	r.talk(2, p)
	port.Set(PortOptions{})
	r.talk(10, p)
	if got := facts(room); !slices.Equal(got, []string{"a stopped", "a started"}) {
		t.Errorf("facts after mute %v", got)
	}
}

// TestFactsOverflow fills the channel: digits stay in order, states arrive as they are in the end.
func TestFactsOverflow(t *testing.T) {
	r := newRig(t, 1)
	room := r.e.NewRoom()
	room.facts = make(chan Fact, 2)
	p := newPeer(t, 440)
	port := r.enter(room, r.session(p, "PCMU"), PortOptions{Tag: "a"})
	r.talk(10, p)
	for d := range byte(8) {
		p.press(d)
		r.talk(5, p)
	}
	port.Set(PortOptions{Muted: true})
	r.talk(5, p)
	var got []string
	for range 20 {
		got = append(got, facts(room)...)
		r.talk(1, p)
	}
	want := []string{"a connected", "a started", "a stopped"}
	var states, digits []string
	for _, f := range got {
		if slices.Contains(want, f) {
			states = append(states, f)
		} else {
			digits = append(digits, f)
		}
	}
	if !slices.Equal(states, want) {
		t.Errorf("states %v", states)
	}
	if len(digits) != 8 || !slices.IsSorted(digits) {
		t.Errorf("digits %v", digits)
	}
}

// TestLeave ends audio, facts and sending at once, keeps the socket empty, and lets the session enter elsewhere.
func TestLeave(t *testing.T) {
	r := newRig(t, 2)
	room, second := r.e.NewRoom(), r.e.NewRoom()
	if room.loop == second.loop {
		t.Fatal("two rooms on one of two idle loops")
	}
	a, b := newPeer(t, 440), newPeer(t, 1000)
	sa, sb := r.session(a, "PCMU"), r.session(b, "PCMU")
	pa := r.enter(room, sa, PortOptions{Tag: "a"})
	r.enter(room, sb, PortOptions{Tag: "b"})
	var err error
	r.do(func() { _, err = second.Enter(sa, PortOptions{}) })
	if fault.ReasonOf(err) != "SESSION_IN_ROOM" {
		t.Errorf("entered two rooms: %v", err)
	}
	r.talk(20, a, b)
	r.do(pa.Leave)
	if got := facts(room); !slices.Equal(got, []string{"b connected", "b started"}) {
		t.Errorf("facts after leave %v", got)
	}
	r.talk(5, a, b) // what is under way and in the limits of the codec
	a.forget()
	b.forget()
	r.talk(50, a, b)
	if len(a.stamps) != 0 {
		t.Errorf("%d packets after leave", len(a.stamps))
	}
	b.hears("b", nil, 440, 1000)
	r.do(pa.Leave)
	pa.Set(PortOptions{Volume: 3})

	r.enter(second, sa, PortOptions{Tag: "a"})
	c := newPeer(t, 1800)
	r.enter(second, r.session(c, "PCMU"), PortOptions{Tag: "c"})
	r.talk(20, a, b, c)
	a.forget()
	r.talk(50, a, b, c)
	a.hears("a in the second room", []float64{1800}, 440, 1000)
	if got := facts(second); !slices.Contains(got, "a connected") {
		t.Errorf("facts of the second room: %v", got)
	}
}

func TestRoomClose(t *testing.T) {
	r := newRig(t, 1)
	room := r.e.NewRoom()
	p := newPeer(t, 440)
	s := r.session(p, "PCMU")
	r.enter(room, s, PortOptions{Tag: "a"})
	r.talk(10, p)
	r.do(func() { room.Close(); room.Close() })
	for range room.Facts() { // closed
	}
	var err error
	r.do(func() { _, err = room.Enter(s, PortOptions{}) })
	if fault.ReasonOf(err) != "ROOM_CLOSED" {
		t.Errorf("entered a closed room: %v", err)
	}
	p.listen()
	p.forget()
	r.talk(10, p)
	if len(p.stamps) != 0 {
		t.Error("audio from a closed room")
	}
	r.enter(r.e.NewRoom(), s, PortOptions{Tag: "a"})
	r.talk(10, p)
	if len(p.stamps) != 10 {
		t.Errorf("%d packets in the next room", len(p.stamps))
	}
	l := r.e.loops[0]
	if l.rooms.Load() != 1 || l.legs != 1 {
		t.Errorf("%d rooms, %d legs counted", l.rooms.Load(), l.legs)
	}
}

// TestStranger has packets from elsewhere change nothing once the peer is known.
func TestStranger(t *testing.T) {
	r := newRig(t, 1)
	room := r.e.NewRoom()
	a, b, stranger := newPeer(t, 440), newPeer(t, 0), newPeer(t, 1000)
	sa := r.session(a, "PCMU")
	r.enter(room, sa, PortOptions{Tag: "a"})
	r.enter(room, r.session(b, "PCMU"), PortOptions{Tag: "b"})
	stranger.to = a.to
	r.talk(5, a, b)
	b.forget()
	r.talk(100, a, b, stranger) // also over the moment when the socket is connected
	b.hears("b", []float64{440}, 1000)
	if got := sa.Stats().Latched; got != a.addr() {
		t.Errorf("latched %v, want %v", got, a.addr())
	}
	if len(stranger.stamps) != 0 {
		t.Error("audio went to the stranger")
	}
	if !sa.pair.RTP.Peer().IsValid() {
		t.Error("the socket is not connected to its peer")
	}

	// Signalling moves the peer: the new address is heard, the old one is the stranger.
	moved := newPeer(t, 1800)
	moved.to = a.to
	var err error
	r.do(func() { err = sa.Apply(moved.media("PCMU")) })
	if err != nil {
		t.Fatal(err)
	}
	r.talk(20, moved, b)
	b.forget()
	r.talk(100, moved, a, b)
	b.hears("b after the move", []float64{1800}, 440)
	if len(moved.stamps) < 100 {
		t.Errorf("the new address got %d packets", len(moved.stamps))
	}
}

func TestHoldAndCodecChange(t *testing.T) {
	r := newRig(t, 1)
	room := r.e.NewRoom()
	a, b := newPeer(t, 440), newPeer(t, 1000)
	r.enter(room, r.session(a, "PCMU"), PortOptions{Tag: "a"})
	sb := r.session(b, "PCMU")
	r.enter(room, sb, PortOptions{Tag: "b"})
	r.talk(20, a, b)
	apply := func(m sdp.Media) {
		t.Helper()
		var err error
		r.do(func() { err = sb.Apply(m) })
		if err != nil {
			t.Fatal(err)
		}
	}
	hold := b.media("PCMU")
	hold.Direction, hold.Remote = sdp.Inactive, netip.AddrPortFrom(netip.IPv4Unspecified(), b.addr().Port())
	apply(hold)
	b.forget()
	r.talk(20, a)
	b.listen()
	if len(b.stamps) != 0 {
		t.Errorf("%d packets on hold", len(b.stamps))
	}
	apply(b.media("opus"))
	b.open("opus")
	b.forget()
	r.talk(100, a, b)
	b.hears("b after the change to opus", []float64{440}, 1000)
}

// TestSessionClose ends a session in a room and one outside: who was sent to gets a goodbye, the room forgets the session.
func TestSessionClose(t *testing.T) {
	r := newRig(t, 2)
	room := r.e.NewRoom()
	a, b, c := newPeer(t, 440), newPeer(t, 1000), newPeer(t, 0)
	sa, sb, sc := r.session(a, "PCMU"), r.session(b, "PCMU"), r.session(c, "PCMU")
	pa := r.enter(room, sa, PortOptions{Tag: "a"})
	r.enter(room, sb, PortOptions{Tag: "b"})
	r.talk(20, a, b, c)
	c.forget()
	r.do(func() { sa.Close(); sc.Close(); sc.Close() })
	a.listen()
	c.listen()
	if a.other != 1 || c.other != 0 { // nothing was ever sent to c
		t.Errorf("goodbyes: %d, %d", a.other, c.other)
	}
	if got := facts(room); !slices.Equal(got, []string{"b connected", "b started"}) {
		t.Errorf("facts %v", got)
	}
	b.forget()
	r.talk(50, b)
	b.hears("b", nil, 440, 1000)
	if len(b.stamps) != 50 {
		t.Errorf("%d packets", len(b.stamps))
	}
	pa.Set(PortOptions{})
	r.do(pa.Leave)
	var err error
	r.do(func() { _, err = room.Enter(sa, PortOptions{}) })
	if fault.ReasonOf(err) != "SESSION_CLOSED" {
		t.Errorf("a closed session entered: %v", err)
	}
	if err := sc.Apply(c.media("PCMU")); fault.ReasonOf(err) != "SESSION_CLOSED" {
		t.Errorf("a closed session took media: %v", err)
	}
	if stats := r.e.Stats(); stats.Sessions != 1 {
		t.Errorf("%d sessions", stats.Sessions)
	}
}

// TestLossIsHeeded has a phone report loss by RTCP: what it is sent then carries redundancy.
func TestLossIsHeeded(t *testing.T) {
	r := newRig(t, 1)
	room := r.e.NewRoom()
	a, b := newPeer(t, 0), newPeer(t, 0)
	for _, p := range []*peer{a, b} {
		p.open("opus")
		r.enter(room, r.session(p, "opus"), PortOptions{})
	}
	a.tone = toneAt(440, a.format.Rate(8000))
	var ssrc uint32
	var speech bool // a packet of the mode with redundancy: configurations 0 to 15 (RFC 6716 section 3.1)
	talk := func(frames int) {
		for range frames {
			a.speak()
			b.speak()
			r.frame()
			a.listen()
			for b.poll(func(packet []byte) {
				if packet[1]&127 == b.format.PayloadType {
					ssrc, speech = binary.BigEndian.Uint32(packet[8:]), packet[12]>>3 < 16
				}
			}) {
				continue
			}
		}
	}
	report := func(fraction byte) {
		packet := make([]byte, 32) // a receiver report with one block (RFC 3550 section 6.4.2)
		packet[0], packet[1], packet[3] = 0x81, 201, 7
		binary.BigEndian.PutUint32(packet[4:], b.ssrc)
		binary.BigEndian.PutUint32(packet[8:], ssrc)
		packet[12] = fraction
		to := *b.to
		to.Port++
		if _, err := b.conn.WriteToUDP(packet, &to); err != nil {
			t.Fatal(err)
		}
	}
	talk(60)
	if speech {
		t.Error("redundancy without loss")
	}
	report(26)
	talk(120)
	if !speech {
		t.Error("no redundancy at 10 % of loss")
	}
	report(0)
	talk(120)
	if speech {
		t.Error("redundancy after the loss")
	}
}

// TestSteadyStream has a phone send a packet a frame, then none, then several at once: all are read, at the latest by the next thorough look.
func TestSteadyStream(t *testing.T) {
	r := newRig(t, 1)
	room := r.e.NewRoom()
	p := newPeer(t, 440)
	s := r.session(p, "PCMU")
	r.enter(room, s, PortOptions{})
	read := func() uint64 { return s.leg.rtp.Stats().PacketsIn }
	sent := uint64(0)
	for i, n := range []int{1, 2, 1, 0, 3, 1, 0, 0, 0, 4, 12, 1, 1} {
		for range 20 {
			p.speak()
			sent++
			r.frame()
			if i == 0 && read() != sent {
				t.Fatalf("%d of %d read", read(), sent)
			}
		}
		if !s.leg.steady {
			t.Fatal("not steady")
		}
		for range n {
			p.speak()
			sent++
		}
		for range lookTicks {
			r.frame()
		}
		if read() != sent {
			t.Fatalf("after %d at once: %d of %d read", n, read(), sent)
		}
	}
}
