package codec

import "encoding/binary"

// l16Decoder reads linear samples in network order (RFC 3551 section 4.5.11).
type l16Decoder struct{ concealer }

func newL16Decoder(rate int) *l16Decoder { return &l16Decoder{newConcealer(rate)} }

func (d *l16Decoder) Decode(dst []int16, payload []byte) (int, error) {
	if len(payload)%2 != 0 {
		return 0, errOdd
	}
	if err := fits(dst, len(payload)/2); err != nil {
		return 0, err
	}
	dst = dst[:len(payload)/2]
	for i := range dst {
		dst[i] = int16(binary.BigEndian.Uint16(payload[2*i:]))
	}
	d.received(dst)
	return len(dst), nil
}

type l16Encoder struct{ rate int }

func (e l16Encoder) Encode(dst []byte, frame []int16) (int, error) {
	if len(frame) != frameSamples(e.rate) || len(dst) < 2*len(frame) {
		return 0, errFrame
	}
	for i, s := range frame {
		binary.BigEndian.PutUint16(dst[2*i:], uint16(s))
	}
	return 2 * len(frame), nil
}

func (l16Encoder) Reset() {}
