package rtp

import (
	"encoding/binary"
	"strings"

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
	press       press
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

// fifo holds decoded audio of at most the longest packet and a frame.
type fifo struct {
	samples    []int16
	from, to   int
	audible    int // samples from the front on up to which something is to be heard
	hollow     int // samples of silence that are only counted, as long as there is nothing else
	resampling []int16
}

func (f *fifo) resize(n int) {
	f.samples, f.resampling = make([]int16, n), make([]int16, n)
	f.from, f.to, f.audible, f.hollow = 0, 0, 0, 0
}

func (f *fifo) len() int { return f.to - f.from + f.hollow }

// room returns space for n samples at the end, less when there is not so much.
func (f *fifo) room(n int) []int16 {
	if f.hollow > 0 {
		f.to, f.hollow = f.to+f.hollow, 0
		clear(f.samples[f.from:f.to])
	}
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

func (f *fifo) silence(n int) {
	if f.from == f.to && f.hollow+n <= len(f.samples) {
		f.from, f.to, f.audible = 0, 0, 0
		f.hollow += n
		return
	}
	clear(f.room(n))
}

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
	if f.hollow > 0 {
		f.hollow -= len(dst)
		clear(dst)
		return false
	}
	copy(dst, f.samples[f.from:f.to])
	f.from += len(dst)
	audible := f.audible > f.from-len(dst)
	if f.from == f.to {
		f.from, f.to, f.audible = 0, 0, 0
	}
	return audible
}
