package link

import (
	"encoding/binary"
	"errors"
	"net"
	"syscall"

	"parley/internal/codec"
	"parley/internal/mixer/ear"
)

const headerLen = 12

// appendHeader appends an RTP header without anything optional (RFC 3550 section 5.1).
func appendHeader(dst []byte, payloadType byte, at ear.Stamp, ssrc uint32) []byte {
	if at.Marker {
		payloadType |= 0x80
	}
	dst = append(dst, 0x80, payloadType)
	dst = binary.BigEndian.AppendUint16(dst, at.Sequence)
	dst = binary.BigEndian.AppendUint32(dst, at.Timestamp)
	return binary.BigEndian.AppendUint32(dst, ssrc)
}

// arrivals are the packets that come in, decoded in the order of their coming.
type arrivals struct {
	format   format
	decoder  codec.Decoder
	begun    bool
	ssrc     uint32
	next     uint16
	pcm      []int16
	received int
}

func newArrivals(f format) (a arrivals, err error) {
	a.format, a.pcm = f, make([]int16, 6*f.SampleRate/50)
	a.decoder, err = codec.NewDecoder(f.Format, f.SampleRate)
	return a, err
}

// concealMost is the longest loss in packets that is made up for; what follows a longer one just follows.
const concealMost = 5

// take hands the sound of a packet to play. What is no packet of the format, or comes too late, is passed over.
func (a *arrivals) take(p []byte, play func([]int16)) {
	payload, ok := a.payload(p)
	if !ok {
		return
	}
	seq, ssrc := binary.BigEndian.Uint16(p[2:]), binary.BigEndian.Uint32(p[8:])
	if !a.begun || ssrc != a.ssrc {
		a.begun, a.ssrc, a.next = true, ssrc, seq
		a.decoder.Reset()
	}
	missing := int16(seq - a.next)
	if missing < 0 && missing > -1000 { // further back, the host has begun anew
		return
	}
	if missing > 0 && missing <= concealMost {
		a.conceal(int(missing)*len(payload)/a.format.sampleLen, play)
	}
	a.next = seq + 1
	n, err := a.decoder.Decode(a.pcm, payload)
	if err != nil {
		return
	}
	a.received++
	play(a.pcm[:n])
}

// conceal plays something for so many lost samples.
func (a *arrivals) conceal(lost int, play func([]int16)) {
	for tick := a.format.SampleRate / 50; lost > 0; lost -= tick {
		a.decoder.Conceal(a.pcm[:tick])
		play(a.pcm[:min(tick, lost)])
	}
}

// payload finds the payload of a packet of the format. The type counts for those whose number is fixed.
func (a *arrivals) payload(p []byte) ([]byte, bool) {
	if len(p) < headerLen || p[0]>>6 != 2 || a.format.payloadType < 96 && p[1]&0x7f != a.format.payloadType {
		return nil, false
	}
	start, end := headerLen+4*int(p[0]&15), len(p)
	if p[0]&0x10 != 0 {
		if len(p) < start+4 {
			return nil, false
		}
		start += 4 + 4*int(binary.BigEndian.Uint16(p[start+2:]))
	}
	if p[0]&0x20 != 0 {
		if p[end-1] == 0 {
			return nil, false
		}
		end -= int(p[end-1])
	}
	if start >= end {
		return nil, false
	}
	return p[start:end], true
}

// read plays what the host sends until the socket is closed.
func (l *Link) read() {
	play := func(pcm []int16) {
		if l.wish.Speak != "" {
			l.inlet.Write(pcm)
		}
	}
	buf := make([]byte, 2048)
	for {
		n, err := l.conn.Read(buf)
		switch {
		case err == nil:
			l.in.take(buf[:n], play)
		case errors.Is(err, net.ErrClosed):
			return
		case !refused(err):
			l.log.Warn("external media cannot be received", "host", l.wish.Host, "error", err)
			return
		}
	}
}

// refused reports whether the host, or a router on the way, has said that nobody takes what was sent. It is told once for each packet at most.
func refused(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH)
}
