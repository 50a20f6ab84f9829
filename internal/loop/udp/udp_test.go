package udp

import (
	"bytes"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"parley/internal/fault"
)

var v4, v6 = netip.MustParseAddr("127.0.0.1"), netip.IPv6Loopback()

// open returns a pair on ports that no other test of the module uses.
func open(t testing.TB, p *Ports, ip netip.Addr) *Pair {
	t.Helper()
	pair, err := p.Open(ip)
	if err != nil {
		t.Skip("cannot bind: ", err)
	}
	t.Cleanup(pair.Close)
	return pair
}

func ports(t testing.TB, low, high uint16) *Ports {
	t.Helper()
	p, err := NewPorts(low, high)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestRange(t *testing.T) {
	for _, c := range []struct {
		low, high uint16
		pairs     int
	}{{0, 10, 0}, {20001, 20002, 0}, {20010, 20000, 0}, {20000, 20000, 0}, {20000, 20001, 1}, {20001, 20005, 2}, {65533, 65535, 1}} {
		p, err := NewPorts(c.low, c.high)
		if c.pairs == 0 {
			if fault.ReasonOf(err) != "MEDIA_PORTS_INVALID" {
				t.Errorf("%d-%d: %v", c.low, c.high, err)
			}
			continue
		}
		if err != nil || p.Len() != c.pairs {
			t.Errorf("%d-%d: %v, %v", c.low, c.high, p, err)
		}
	}
}

// TestTurn hands out even ports in turn, around those that others hold, until none is left.
func TestTurn(t *testing.T) {
	const first = 30700
	p := ports(t, first, first+9)
	taken, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: first + 3}) // RTCP of the second
	if err != nil {
		t.Skip(err)
	}
	defer taken.Close()
	var pairs []*Pair
	for _, want := range []uint16{0, 4, 6, 8} {
		x := open(t, p, v4)
		if x.Local != netip.AddrPortFrom(v4, first+want) {
			t.Errorf("local %v, want port %d", x.Local, first+want)
		}
		pairs = append(pairs, x)
	}
	if _, err := p.Open(v4); fault.KindOf(err) != fault.Exhausted || fault.ReasonOf(err) != "MEDIA_PORTS_EXHAUSTED" {
		t.Errorf("a fifth pair: %v", err)
	}
	p.Free(pairs[2])
	p.Free(pairs[0])
	taken.Close()
	for _, want := range []uint16{6, 0, 2} { // in turn after the last that was tried
		if x := open(t, p, v4); x.Local.Port() != first+want {
			t.Errorf("port %v, want %d", x.Local, first+want)
		}
	}
	if _, err := ports(t, 30720, 30725).Open(netip.MustParseAddr("192.0.2.1")); err == nil || fault.ReasonOf(err) == "MEDIA_PORTS_EXHAUSTED" {
		t.Errorf("an address of another host: %v", err)
	}
}

func TestSocket(t *testing.T) {
	for _, ip := range []netip.Addr{v4, v6} {
		t.Run(ip.String(), func(t *testing.T) {
			p := ports(t, 30730, 30739)
			a, b, c := open(t, p, ip), open(t, p, ip), open(t, p, ip)
			buf := make([]byte, MaxPacket)
			want := func(s *Socket, v Verdict, text string, from netip.AddrPort) {
				t.Helper()
				got, addr, verdict := s.Receive(buf)
				if verdict != v || v == Done && (string(got) != text || addr != from) {
					t.Fatalf("received %q from %v, verdict %d; want %q from %v, verdict %d", got, addr, verdict, text, from, v)
				}
			}
			send := func(s *Socket, text string, to netip.AddrPort, v Verdict) {
				t.Helper()
				if got := s.Send([]byte(text), to); got != v {
					t.Fatalf("sent with verdict %d, want %d", got, v)
				}
			}
			want(&b.RTP, Empty, "", netip.AddrPort{})
			send(&a.RTP, "one", b.Local, Done)
			want(&b.RTP, Done, "one", a.Local)
			send(&a.RTP, "to rtcp", netip.AddrPortFrom(ip, b.Local.Port()+1), Done)
			want(&b.RTCP, Done, "to rtcp", a.Local)
			send(&a.RTP, string(bytes.Repeat([]byte("x"), MaxPacket+1)), b.Local, Done)
			want(&b.RTP, Failed, "", netip.AddrPort{})
			send(&a.RTP, "nowhere", netip.AddrPort{}, Failed)
			other := v6
			if ip == v6 {
				other = v4
			}
			send(&a.RTP, "other family", netip.AddrPortFrom(other, b.Local.Port()), Failed)

			if !b.RTP.Connect(a.Local) || b.RTP.Peer() != a.Local {
				t.Fatal("not connected")
			}
			send(&c.RTP, "stranger", b.Local, Done)
			send(&a.RTP, "friend", b.Local, Done)
			want(&b.RTP, Done, "friend", a.Local)
			want(&b.RTP, Empty, "", netip.AddrPort{})
			send(&b.RTP, "back", c.Local, Done) // the address does not count
			want(&a.RTP, Done, "back", b.Local)

			b.RTP.Disconnect()
			send(&c.RTP, "no stranger", b.Local, Done)
			want(&b.RTP, Done, "no stranger", c.Local)
			send(&b.RTP, "hello", c.Local, Done)
			_, _, _ = c.RTP.Receive(buf) // the refusal of what came while b was connected, or nothing
			for range 20 {
				send(&a.RTP, "old", b.Local, Done)
			}
			b.RTP.Drain()
			want(&b.RTP, Empty, "", netip.AddrPort{})
			if b.RTP.Connect(netip.AddrPortFrom(other, 9)) {
				t.Error("connected to another family")
			}
		})
	}
}

// TestPeerGone has a closed port of the peer be an error, not the end.
func TestPeerGone(t *testing.T) {
	p := ports(t, 30750, 30759)
	a, b := open(t, p, v4), open(t, p, v4)
	a.RTP.Connect(b.Local)
	p.Free(b)
	buf := make([]byte, MaxPacket)
	if v := a.RTP.Send([]byte("x"), b.Local); v != Done {
		t.Fatalf("verdict %d", v)
	}
	if _, _, v := a.RTP.Receive(buf); v != Failed {
		t.Errorf("verdict %d, want the refusal", v)
	}
	if _, _, v := a.RTP.Receive(buf); v != Empty {
		t.Errorf("verdict %d, want nothing more", v)
	}
}

// TestFull fills the queue of a receiver that does not read: that is the receiver's loss, not an error here.
func TestFull(t *testing.T) {
	p := ports(t, 30760, 30769)
	a, b := open(t, p, v4), open(t, p, v4)
	packet := make([]byte, 172)
	for range 1000 {
		if v := a.RTP.Send(packet, b.Local); v != Done {
			t.Fatalf("verdict %d", v)
		}
	}
	waiting, buf := 0, make([]byte, MaxPacket)
	for {
		if _, _, v := b.RTP.Receive(buf); v == Empty {
			break
		}
		waiting++
	}
	if waiting < 50 || waiting > drainMost {
		t.Errorf("%d packets waited: a second of them should, and Drain must get them all", waiting)
	}
}

func TestAllocatesNothing(t *testing.T) {
	p := ports(t, 30770, 30779)
	a, b := open(t, p, v4), open(t, p, v4)
	packet, buf := make([]byte, 172), make([]byte, MaxPacket)
	if n := testing.AllocsPerRun(100, func() {
		a.RTP.Send(packet, b.Local)
		b.RTP.Receive(buf)
		b.RTP.Receive(buf)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkPacket is what a participant costs in system calls: a packet received, the look for a second one, and a packet sent,
// with the peer's half of the work not counted but for the delivery that loopback charges to the sender.
func BenchmarkPacket(b *testing.B) {
	for _, connected := range []bool{false, true} {
		name := "open"
		if connected {
			name = "connected"
		}
		b.Run(name, func(b *testing.B) {
			p := ports(b, 30780, 30789)
			server, peer := open(b, p, v4), open(b, p, v4)
			if connected {
				server.RTP.Connect(peer.Local)
			}
			packet, buf := make([]byte, 172), make([]byte, MaxPacket)
			for b.Loop() {
				b.StopTimer()
				peer.RTP.Receive(buf)
				if err := unix.Sendto(peer.RTP.fd, packet, 0, &unix.SockaddrInet4{Port: int(server.Local.Port()), Addr: v4.As4()}); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				server.RTP.Receive(buf)
				server.RTP.Receive(buf)
				server.RTP.Send(packet, peer.Local)
			}
		})
	}
}

// TestAge says how long a packet has waited in the socket.
func TestAge(t *testing.T) {
	pair := open(t, ports(t, 30740, 30749), v4)
	conn, err := net.DialUDP("udp", nil, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(pair.Local.Port()) + 1})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	buf := make([]byte, MaxPacket)
	for range 3 {
		sent := time.Now()
		if _, err := conn.Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
		left := time.Now()
		for time.Since(left) < 3*time.Millisecond {
			continue // the packet waits
		}
		if _, _, v := pair.RTCP.Receive(buf); v != Done {
			t.Fatal("nothing came")
		}
		age := pair.RTCP.Age()
		if most := time.Since(sent); age < 3*time.Millisecond || age > most {
			t.Errorf("waited %v, want 3 ms to %v", age, most)
		}
	}
	if n := testing.AllocsPerRun(10, func() { pair.RTCP.Age() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
