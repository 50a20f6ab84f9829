package render

import (
	"encoding/binary"
	"io"
)

// ogg writes the pages of one logical stream (RFC 3533), each as long as a second or as full as it gets.
type ogg struct {
	w       io.Writer
	serial  uint32
	number  uint32
	table   []byte // lengths of the segments
	body    []byte
	granule uint64 // of the last packet that ends on the page
	ended   bool   // a packet ends on it
	split   bool   // the page goes on with a packet that the page before began
}

const (
	oggContinued = 1
	oggFirst     = 2
	oggLast      = 4
	oggSegments  = 255
	noGranule    = 1<<64 - 1
)

// oggTable is that of the CRC with the polynomial 04c11db7, most significant bit first, without inversion.
var oggTable = func() (t [256]uint32) {
	for i := range t {
		c := uint32(i) << 24
		for range 8 {
			if c&(1<<31) != 0 {
				c = c<<1 ^ 0x04c11db7
			} else {
				c <<= 1
			}
		}
		t[i] = c
	}
	return t
}()

func oggChecksum(c uint32, b []byte) uint32 {
	for _, v := range b {
		c = c<<8 ^ oggTable[byte(c>>24)^v]
	}
	return c
}

// packet adds a packet that ends at granule; long ones go over several pages.
func (o *ogg) packet(p []byte, granule uint64) error {
	for {
		if len(o.table) == oggSegments {
			if err := o.flush(0); err != nil {
				return err
			}
			o.split = true
		}
		n := min(len(p), 255)
		o.table = append(o.table, byte(n))
		o.body = append(o.body, p[:n]...)
		p = p[n:]
		if n < 255 {
			o.granule, o.ended = granule, true
			return nil
		}
	}
}

// flush writes the page.
func (o *ogg) flush(flags byte) error {
	granule := o.granule
	if !o.ended {
		granule = noGranule
	}
	if o.split {
		flags |= oggContinued
	}
	b := append([]byte("OggS\x00"), flags)
	le := binary.LittleEndian
	b = le.AppendUint64(b, granule)
	b = le.AppendUint32(b, o.serial)
	b = le.AppendUint32(b, o.number)
	b = append(le.AppendUint32(b, 0), byte(len(o.table)))
	b = append(b, o.table...)
	le.PutUint32(b[22:], oggChecksum(oggChecksum(0, b), o.body))
	o.number++
	_, err := o.w.Write(b)
	if err == nil {
		_, err = o.w.Write(o.body)
	}
	o.table, o.body, o.ended, o.split = o.table[:0], o.body[:0], false, false
	return err
}
