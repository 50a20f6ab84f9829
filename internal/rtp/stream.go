package rtp

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"time"

	"parley/internal/codec"
	"parley/internal/sdp"
)

func equalName(a, b string) bool { return strings.EqualFold(a, b) }

// sender makes the packets of our stream.
type sender struct {
	ssrc, stamp uint32
	seq         uint16
	marker      bool
	pt          uint8
	format      codec.Format
	step        uint32 // of the timestamp in a frame
	allowed     bool
	packets     uint32
	octets      uint32
}

func (s *sender) configure(m sdp.Media) {
	f, ok := find(m.Codec)
	if f != s.format {
		s.marker = true
	}
	s.format, s.pt, s.step = f, m.Codec.PayloadType, uint32(m.Codec.ClockRate/50)
	s.allowed = ok && m.Direction.Sends()
}

func (s *sender) packet(dst, payload []byte) []byte {
	dst = dst[:12+len(payload)]
	dst[0], dst[1] = 0x80, s.pt
	if s.marker {
		dst[1] |= 0x80
	}
	binary.BigEndian.PutUint16(dst[2:], s.seq)
	binary.BigEndian.PutUint32(dst[4:], s.stamp)
	binary.BigEndian.PutUint32(dst[8:], s.ssrc)
	copy(dst[12:], payload)
	s.seq++
	s.stamp += s.step
	s.marker = false
	s.packets++
	s.octets += uint32(len(payload))
	return dst
}

func (s *sender) skip() {
	s.stamp += s.step
	s.marker = true
}

// latch decides which address is believed. The signalled address is, at once. Before it has spoken, another may take its place if the
// peer is likely to be behind NAT: another port of the signalled IP address, or a public address when the signalled one is private. It must send
// several packets of one stream in a row. Whoever was believed first stays the only one until signalling names another address: strangers
// change nothing (the class of holes known as RTP bleed).
type latch struct {
	signalled netip.AddrPort
	latched   netip.AddrPort
	candidate netip.AddrPort
	ssrc      uint32
	votes     int
	last      time.Duration // of a believed packet
}

const votesNeeded = 4

func (l *latch) open(signalled netip.AddrPort) {
	l.signalled = netip.AddrPortFrom(signalled.Addr().Unmap(), signalled.Port())
	l.latched, l.candidate, l.votes = netip.AddrPort{}, netip.AddrPort{}, 0
}

func (l *latch) believe(from netip.AddrPort, ssrc uint32) bool {
	if l.latched.IsValid() {
		return from == l.latched
	}
	if from == l.signalled {
		l.latched = from
		return true
	}
	if !l.plausible(from.Addr()) {
		return false
	}
	if from != l.candidate || ssrc != l.ssrc {
		l.candidate, l.ssrc, l.votes = from, ssrc, 0
	}
	if l.votes++; l.votes < votesNeeded {
		return false
	}
	l.latched = from
	return true
}

func (l *latch) plausible(from netip.Addr) bool {
	want := l.signalled.Addr()
	if !want.IsValid() || want.IsUnspecified() {
		return false
	}
	return from == want || want.IsPrivate() && from.IsGlobalUnicast() && !from.IsPrivate()
}

func (l *latch) target() netip.AddrPort {
	if l.latched.IsValid() {
		return l.latched
	}
	if a := l.signalled.Addr(); !a.IsValid() || a.IsUnspecified() {
		return netip.AddrPort{}
	}
	return l.signalled
}

// budget limits packets per second.
type budget struct {
	second time.Duration
	used   int
}

func (b *budget) take(now time.Duration) bool {
	if now-b.second >= time.Second {
		b.second, b.used = now, 0
	}
	b.used++
	return b.used <= flood
}

// fifo holds decoded audio of at most the longest packet and a frame.
type fifo struct {
	samples    []int16
	from, to   int
	audible    int // samples from the front on up to which something is to be heard
	resampling []int16
}

func (f *fifo) resize(n int) {
	f.samples, f.resampling = make([]int16, n), make([]int16, n)
	f.from, f.to, f.audible = 0, 0, 0
}

func (f *fifo) len() int { return f.to - f.from }

// room returns space for n samples at the end, less when there is not so much.
func (f *fifo) room(n int) []int16 {
	if f.from > 0 {
		copy(f.samples, f.samples[f.from:f.to])
		f.to -= f.from
		f.audible = max(f.audible-f.from, 0)
		f.from = 0
	}
	n = min(n, len(f.samples)-f.to)
	out := f.samples[f.to : f.to+n]
	f.to += n
	return out
}

func (f *fifo) silence(n int) { clear(f.room(n)) }

// add appends samples of a lane at the session's rate.
func (f *fifo) add(l *lane, samples []int16) {
	if l.up != nil {
		samples = f.resampling[:l.up.Process(f.resampling, samples)]
	}
	copy(f.room(len(samples)), samples)
	f.audible = f.to
}

// read takes the front and reports whether there was anything but silence in it.
func (f *fifo) read(dst []int16) bool {
	copy(dst, f.samples[f.from:f.to])
	f.from += len(dst)
	audible := f.audible > f.from-len(dst)
	if f.from == f.to {
		f.from, f.to, f.audible = 0, 0, 0
	}
	return audible
}
