package rtp

import "encoding/binary"

// header is what parse finds in a packet.
type header struct {
	pt         uint8
	seq        uint16
	stamp      uint32
	ssrc       uint32
	start, end int // of the payload
}

// parse reads an RTP header with its contributing sources, extension and padding (RFC 3550 section 5.1).
func parse(p []byte) (h header, ok bool) {
	if len(p) < 12 || p[0]>>6 != 2 {
		return h, false
	}
	h = header{
		pt: p[1] & 0x7f, seq: binary.BigEndian.Uint16(p[2:]),
		stamp: binary.BigEndian.Uint32(p[4:]), ssrc: binary.BigEndian.Uint32(p[8:]), start: 12 + 4*int(p[0]&0x0f), end: len(p),
	}
	if p[0]&0x10 != 0 {
		if len(p) < h.start+4 {
			return h, false
		}
		h.start += 4 + 4*int(binary.BigEndian.Uint16(p[h.start+2:]))
	}
	if p[0]&0x20 != 0 {
		padding := int(p[len(p)-1])
		if padding == 0 {
			return h, false
		}
		h.end -= padding
	}
	return h, h.start <= h.end
}
