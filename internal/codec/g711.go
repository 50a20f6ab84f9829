package codec

// Tables of ITU-T G.711. The encoders' results depend on the upper 14 (mu-law) and 12 bits (A-law) of a sample only, so
// that tables of 16K and 4K bytes hold every case and stay in the first cache.
var (
	muDecode = makeTable(muExpand)
	aDecode  = makeTable(aExpand)
	muEncode = makeMuEncode()
	aEncode  = makeAEncode()
)

func makeTable(expand func(byte) int16) (t [256]int16) {
	for i := range t {
		t[i] = expand(byte(i))
	}
	return t
}

func makeMuEncode() (t [1 << 14]byte) {
	for i := range t {
		t[i] = muCompress(int16(uint16(i) << 2))
	}
	return t
}

func makeAEncode() (t [1 << 12]byte) {
	for i := range t {
		t[i] = aCompress(int16(uint16(i) << 4))
	}
	return t
}

// muExpand decodes one octet of mu-law (G.711 table 2): sign, three bits of segment, four of step, all inverted.
func muExpand(code byte) int16 {
	code = ^code
	magnitude := (int(code&0x0f)<<3+muBias)<<(code>>4&7) - muBias
	if code&0x80 != 0 {
		return int16(-magnitude)
	}
	return int16(magnitude)
}

// muBias shifts the segments of mu-law to begin at powers of two, in units of 16-bit samples.
const muBias = 33 << 2

func muCompress(sample int16) byte {
	var sign byte
	magnitude := int(sample)
	if magnitude < 0 {
		sign, magnitude = 0x80, ^magnitude
	}
	magnitude = min(magnitude>>2+muBias>>2, 0x1fff)
	segment := 0
	for magnitude>>(segment+6) != 0 {
		segment++
	}
	return ^(sign | byte(segment<<4) | byte(magnitude>>(segment+1)&0x0f))
}

// aExpand decodes one octet of A-law (G.711 table 1), whose even bits are inverted on the line.
func aExpand(code byte) int16 {
	code ^= 0x55
	segment := code >> 4 & 7
	magnitude := int(code&0x0f)<<4 + 8
	if segment > 0 {
		magnitude = (magnitude + 0x100) << (segment - 1)
	}
	if code&0x80 == 0 {
		return int16(-magnitude)
	}
	return int16(magnitude)
}

func aCompress(sample int16) byte {
	sign := byte(0x80)
	magnitude := int(sample)
	if magnitude < 0 {
		sign, magnitude = 0, ^magnitude
	}
	magnitude >>= 4
	segment := 0
	if magnitude > 15 {
		// Segments 0 and 1 share one step size; from there on each doubles it.
		for segment = 1; magnitude > 31; segment++ {
			magnitude >>= 1
		}
	}
	return (sign | byte(segment<<4) | byte(magnitude&0x0f)) ^ 0x55
}

type g711Decoder struct {
	table *[256]int16
	concealer
}

func newG711Decoder(table *[256]int16) *g711Decoder {
	return &g711Decoder{table: table, concealer: newConcealer(8000)}
}

func (d *g711Decoder) Decode(dst []int16, payload []byte) (int, error) {
	if err := fits(dst, len(payload)); err != nil {
		return 0, err
	}
	dst = dst[:len(payload)]
	table := d.table
	for i, code := range payload {
		dst[i] = table[code]
	}
	d.received(dst)
	return len(dst), nil
}

// fits checks a payload of n samples against the room for them.
func fits(dst []int16, n int) error {
	if n == 0 {
		return errEmpty
	}
	if n > len(dst) {
		return errLong
	}
	return nil
}

type muEncoder struct{}

func (muEncoder) Encode(dst []byte, frame []int16) (int, error) {
	if len(frame) != frameSamples(8000) || len(dst) < len(frame) {
		return 0, errFrame
	}
	dst = dst[:len(frame)]
	for i, s := range frame {
		dst[i] = muEncode[uint16(s)>>2]
	}
	return len(dst), nil
}

func (muEncoder) Reset() {}

type aEncoder struct{}

func (aEncoder) Encode(dst []byte, frame []int16) (int, error) {
	if len(frame) != frameSamples(8000) || len(dst) < len(frame) {
		return 0, errFrame
	}
	dst = dst[:len(frame)]
	for i, s := range frame {
		dst[i] = aEncode[uint16(s)>>4]
	}
	return len(dst), nil
}

func (aEncoder) Reset() {}
