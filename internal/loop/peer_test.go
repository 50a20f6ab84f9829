package loop

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"parley/internal/audio"
	"parley/internal/codec"
	"parley/internal/loop/pace"
	"parley/internal/loop/udp"
	"parley/internal/sdp"
)

var loopback = netip.MustParseAddr("127.0.0.1")

// nextPorts gives each engine of this process a range of its own, below those that the system gives to peers, until it comes round.
var nextPorts = portsLow

const portsLow, portsHigh = 10000, 30000

// rig is an engine whose loops are ticked by the test, slot by slot.
type rig struct {
	t    testing.TB
	e    *Engine
	slot uint64
}

func newRig(t testing.TB, loops int) *rig {
	t.Helper()
	e := openEngine(t, loops, 1000)
	t.Cleanup(e.closeSockets)
	return &rig{t: t, e: e}
}

func openEngine(t testing.TB, loops, width int) *Engine {
	t.Helper()
	if nextPorts+width > portsHigh {
		nextPorts = portsLow
	}
	e, err := Open(Options{IP: loopback, Low: uint16(nextPorts), High: uint16(nextPorts + width - 1), Loops: loops})
	if err != nil {
		t.Fatal(err)
	}
	nextPorts += width
	return e
}

// do runs f, which waits for the loops, while the loops obey.
func (r *rig) do(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	for {
		select {
		case <-done:
			return
		default:
			for _, l := range r.e.loops {
				l.obey()
			}
			runtime.Gosched()
		}
	}
}

// frame ticks every room and session once.
func (r *rig) frame() {
	for range pace.Phases {
		r.slot++
		for _, l := range r.e.loops {
			l.tick(r.slot, time.Duration(r.slot)*pace.Slot)
		}
	}
}

func (r *rig) session(p *peer, name string) *Session {
	r.t.Helper()
	s, err := r.e.NewSession()
	if err != nil {
		r.t.Fatal(err)
	}
	p.to = net.UDPAddrFromAddrPort(s.Local())
	r.do(func() { err = s.Apply(p.media(name)) })
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

func (r *rig) enter(room *Room, s *Session, o PortOptions) *Port {
	r.t.Helper()
	var p *Port
	var err error
	r.do(func() { p, err = room.Enter(s, o) })
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

// peer is a phone: a socket, a tone, a decoder.
type peer struct {
	t       testing.TB
	conn    *net.UDPConn
	to      *net.UDPAddr
	format  codec.Format
	encoder codec.Encoder
	decoder codec.Decoder
	tone    *audio.Tone // nil: silence
	seq     uint16
	ts      uint32
	ssrc    uint32
	stamps  []uint32 // of RTP received
	heard   []int16
	other   int // packets that are not RTP of the format
}

func newPeer(t testing.TB, hz float64) *peer {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	p := &peer{t: t, conn: conn, ssrc: uint32(conn.LocalAddr().(*net.UDPAddr).Port)}
	if hz != 0 {
		p.tone = audio.NewTone(hz, -20, 8000, 0)
	}
	p.open("PCMU")
	return p
}

func (p *peer) open(name string) {
	p.t.Helper()
	var err error
	p.format, _ = codec.Find(name)
	if p.encoder, err = codec.NewEncoder(p.format, p.format.Rate(8000)); err != nil {
		p.t.Fatal(err)
	}
	if p.decoder, err = codec.NewDecoder(p.format, p.format.Rate(8000)); err != nil {
		p.t.Fatal(err)
	}
}

func (p *peer) addr() netip.AddrPort { return p.conn.LocalAddr().(*net.UDPAddr).AddrPort() }

func (p *peer) media(name string) sdp.Media {
	f, _ := codec.Find(name)
	c := sdp.Codec{Name: f.Name, PayloadType: f.PayloadType, ClockRate: f.ClockRate, Channels: f.Channels}
	remote := p.addr()
	return sdp.Media{
		Remote: remote, RemoteRTCP: netip.AddrPortFrom(remote.Addr(), remote.Port()), Codec: c, Accept: []sdp.Codec{c},
		DTMF: 101, DTMFRate: 8000, Direction: sdp.SendRecv, Ptime: 20,
	}
}

// packet makes the next frame's.
func (p *peer) packet() []byte {
	frame := make([]int16, p.format.Rate(8000)/50)
	if p.tone != nil {
		p.tone.Read(frame)
	}
	payload := make([]byte, codec.MaxPayload)
	n, err := p.encoder.Encode(payload, frame)
	if err != nil {
		p.t.Fatal(err)
	}
	packet := make([]byte, 12+n)
	packet[0], packet[1] = 0x80, p.format.PayloadType
	copy(packet[12:], payload[:n])
	binary.BigEndian.PutUint32(packet[8:], p.ssrc)
	p.step(packet)
	return packet
}

// step gives a packet the next number and time.
func (p *peer) step(packet []byte) {
	binary.BigEndian.PutUint16(packet[2:], p.seq)
	binary.BigEndian.PutUint32(packet[4:], p.ts)
	p.seq++
	p.ts += uint32(p.format.ClockRate / 50)
}

// speak sends one frame.
func (p *peer) speak() { p.write(p.packet()) }

func (p *peer) write(packet []byte) {
	if _, err := p.conn.WriteToUDP(packet, p.to); err != nil {
		p.t.Fatal(err)
	}
}

// event sends a packet of another payload type, which does not move the time.
func (p *peer) event(payloadType byte, payload []byte) {
	packet := append(make([]byte, 12), payload...)
	packet[0], packet[1] = 0x80, payloadType
	binary.BigEndian.PutUint16(packet[2:], p.seq)
	binary.BigEndian.PutUint32(packet[4:], p.ts)
	binary.BigEndian.PutUint32(packet[8:], p.ssrc)
	p.seq++
	p.write(packet)
}

// press sends a telephone-event (RFC 4733): begin, and three ends.
func (p *peer) press(event byte) {
	for i := range 5 {
		end := byte(0)
		if i >= 2 {
			end = 0x80
		}
		length := 160 * (i + 1)
		p.event(101, []byte{event, end | 10, byte(length >> 8), byte(length)})
	}
	p.ts += 800
}

// listen takes all packets that are there.
func (p *peer) listen() {
	for p.poll(func(packet []byte) { p.hear(packet) }) {
		continue
	}
}

// poll takes one packet and reports false when there is none.
func (p *peer) poll(take func(packet []byte)) bool {
	var buf [udp.MaxPacket]byte
	n, err := unix.Read(p.fd(), buf[:])
	switch err {
	case nil:
		take(buf[:n])
		return true
	case unix.EAGAIN:
		return false
	}
	p.t.Fatal(err)
	return false
}

func (p *peer) fd() (fd int) {
	raw, err := p.conn.SyscallConn()
	if err == nil {
		err = raw.Control(func(x uintptr) { fd = int(x) })
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return fd
}

// take waits for one packet and reports false when none comes in time.
func (p *peer) take(buf []byte, within time.Duration) bool {
	if err := p.conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		p.t.Fatal(err)
	}
	n, err := p.conn.Read(buf)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	if err != nil {
		p.t.Fatal(err)
	}
	p.hear(buf[:n])
	return true
}

func (p *peer) hear(packet []byte) {
	if len(packet) < 12 || packet[1]&127 != p.format.PayloadType {
		p.other++
		return
	}
	p.stamps = append(p.stamps, binary.BigEndian.Uint32(packet[4:]))
	var samples [5760]int16
	n, err := p.decoder.Decode(samples[:], packet[12:])
	if err != nil {
		p.t.Fatal(err)
	}
	p.heard = append(p.heard, samples[:n]...)
}

func (p *peer) forget() { p.heard, p.stamps, p.other = nil, nil, 0 }

// level returns the strength of a tone in what was heard, in dBov.
func (p *peer) level(hz float64) float64 {
	rate := p.format.Rate(8000)
	var re, im float64
	for i, v := range p.heard {
		w := 0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/float64(len(p.heard)))
		s, c := math.Sincos(2 * math.Pi * hz * float64(i) / float64(rate))
		re += w * float64(v) * c
		im += w * float64(v) * s
	}
	return 20*math.Log10(4*math.Hypot(re, im)/float64(max(len(p.heard), 1))/32768+1e-9) - 3.01
}

// hears fails unless the peer hears the tones, at -20 dBov, and not the others.
func (p *peer) hears(who string, tones []float64, not ...float64) {
	p.t.Helper()
	for _, hz := range tones {
		if got := p.level(hz); math.Abs(got+20) > 2 {
			p.t.Errorf("%s hears %v Hz at %.1f dBov", who, hz, got)
		}
	}
	for _, hz := range not {
		if got := p.level(hz); got > -55 {
			p.t.Errorf("%s hears %v Hz at %.1f dBov, want it away", who, hz, got)
		}
	}
}

// talk lets all speak and listen for some frames.
func (r *rig) talk(frames int, peers ...*peer) {
	for range frames {
		for _, p := range peers {
			p.speak()
		}
		r.frame()
		for _, p := range peers {
			p.listen()
		}
	}
}

// facts takes what is in the room's channel.
func facts(r *Room) (got []string) {
	for {
		select {
		case f := <-r.Facts():
			name := [...]string{"connected", "started", "stopped", "digit "}[f.Kind]
			if f.Kind == DigitPressed {
				name += string(f.Digit)
			}
			got = append(got, fmt.Sprint(f.Tag, " ", name))
		default:
			return got
		}
	}
}
