package codec

// g722Decoder leaves its bands as they are during a loss. Taking the samples made up through them, as G.722 Appendix III does, was
// tried and gave 0.3 dB on speech with one packet in ten lost.
type g722Decoder struct {
	low, high g722Band
	x         [qmfTaps - 2 + g722Chunk]int32 // the filter's memory and the samples of one chunk
	concealer
}

// g722Chunk is how many samples go through the filter between two moves of its memory.
const g722Chunk = 320

func newG722Decoder() *g722Decoder {
	return &g722Decoder{low: newLowBand(), high: newHighBand(), concealer: newConcealer(16000)}
}

// Reset forgets the stream.
func (d *g722Decoder) Reset() {
	d.low, d.high = newLowBand(), newHighBand()
	clear(d.x[:])
	d.concealer.Reset()
}

func (d *g722Decoder) Decode(dst []int16, payload []byte) (int, error) {
	n := 2 * len(payload)
	if err := fits(dst, n); err != nil {
		return 0, err
	}
	dst = dst[:n]
	out := dst
	for len(payload) > 0 {
		chunk := min(len(payload), g722Chunk/2)
		d.decode(out[:2*chunk], payload[:chunk])
		out, payload = out[2*chunk:], payload[chunk:]
	}
	d.received(dst)
	return n, nil
}

// decode decodes one chunk.
func (d *g722Decoder) decode(dst []int16, payload []byte) {
	x := d.x[:qmfTaps-2+2*len(payload)]
	for i, code := range payload {
		low := d.low.decodeLow(int32(code & 0x3f))
		high := d.high.decodeHigh(int32(code >> 6))
		at := qmfTaps - 2 + 2*i
		x[at], x[at+1] = low+high, low-high
		even, odd := qmfSums((*[qmfTaps]int32)(x[2*i:]))
		dst[2*i], dst[2*i+1] = int16(clip16(even>>11)), int16(clip16(odd>>11))
	}
	copy(d.x[:qmfTaps-2], x[len(x)-(qmfTaps-2):])
}

// decodeLow takes a 6-bit code and returns the sample of the low band.
func (g *g722Band) decodeLow(code int32) int32 {
	sample := clip15(g.s + g.det*qm6[code]>>15)
	difference := g.det * qm4[code>>2] >> 15
	g.adaptLow(code >> 2)
	g.predict(difference)
	return sample
}

// decodeHigh takes a 2-bit code and returns the sample of the high band.
func (g *g722Band) decodeHigh(code int32) int32 {
	difference := g.det * qm2[code] >> 15
	sample := clip15(g.s + difference)
	g.adaptHigh(code)
	g.predict(difference)
	return sample
}

func clip15(v int32) int32 { return min(max(v, -1<<14), 1<<14-1) }
