package decode

import (
	"bytes"
	"encoding/binary"
)

// oggPage is one page (RFC 3533 section 6).
type oggPage struct {
	flags   byte
	granule int64 // of the last packet that ends on it, -1 without one
	serial  uint32
	lacing  []byte
	body    []byte
}

const (
	oggContinued = 1
	oggFirst     = 2
	oggLast      = 4
	oggHead      = 27
)

// oggTable is that of the CRC with the polynomial 04c11db7, most significant bit first, without inversion.
var oggTable = func() (t [256]uint32) {
	for i := range t {
		c := uint32(i) << 24
		for range 8 {
			c = c<<1 ^ c>>31*0x04c11db7
		}
		t[i] = c
	}
	return t
}()

// nextPage returns the first sound page and what follows it; damaged ones are passed over.
func nextPage(data []byte) (p oggPage, rest []byte, ok bool) {
	for {
		at := bytes.Index(data, []byte("OggS"))
		if at < 0 || len(data)-at < oggHead {
			return p, nil, false
		}
		data = data[at:]
		if p, size := parsePage(data); size > 0 {
			return p, data[size:], true
		}
		data = data[4:]
	}
}

// parsePage reads the page that data begins with; its size is 0 when there is none.
func parsePage(data []byte) (p oggPage, size int) {
	segments := int(data[26])
	if data[4] != 0 || len(data) < oggHead+segments {
		return p, 0
	}
	p.lacing = data[oggHead : oggHead+segments]
	size = oggHead + segments
	for _, n := range p.lacing {
		size += int(n)
	}
	if size > len(data) {
		return p, 0
	}
	le := binary.LittleEndian
	var sum uint32
	for i, b := range data[:size] {
		if i >= 22 && i < 26 {
			b = 0 // the checksum itself
		}
		sum = sum<<8 ^ oggTable[byte(sum>>24)^b]
	}
	if sum != le.Uint32(data[22:]) {
		return p, 0
	}
	p.flags, p.granule, p.serial = data[5], int64(le.Uint64(data[6:])), le.Uint32(data[14:])
	p.body = data[oggHead+segments : size]
	return p, size
}

// packets calls f with each packet that ends on the page, which begins with what the page before left over, and returns what is left over now.
func (p oggPage) packets(left []byte, f func(packet []byte, last bool) error) ([]byte, error) {
	ends := 0
	for _, n := range p.lacing {
		if n < 255 {
			ends++
		}
	}
	body, from, to := p.body, 0, 0
	skip := p.flags&oggContinued != 0 && left == nil // its begin was lost
	if p.flags&oggContinued == 0 {
		left = nil
	}
	for _, n := range p.lacing {
		to += int(n)
		if n == 255 {
			continue
		}
		ends--
		packet := body[from:to]
		if left != nil {
			packet, left = append(left, packet...), nil
		}
		from = to
		if skip {
			skip = false
			continue
		}
		if err := f(packet, ends == 0); err != nil {
			return nil, err
		}
	}
	if from == len(body) {
		return left, nil
	}
	return append(append([]byte{}, left...), body[from:]...), nil
}
