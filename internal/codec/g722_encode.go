package codec

type g722Encoder struct {
	low, high g722Band
	x         [qmfTaps - 2 + g722Chunk]int32 // the filter's memory and the samples of one frame
}

func newG722Encoder() *g722Encoder { return &g722Encoder{low: newLowBand(), high: newHighBand()} }

// Reset returns to the state in which a decoder starts; a decoder in another one comes near within some milliseconds,
// because both predictors forget.
func (e *g722Encoder) Reset() { *e = g722Encoder{low: newLowBand(), high: newHighBand()} }

func (e *g722Encoder) Encode(dst []byte, frame []int16) (int, error) {
	if len(frame) != g722Chunk || len(dst) < g722Chunk/2 {
		return 0, errFrame
	}
	for i, s := range frame {
		e.x[qmfTaps-2+i] = int32(s)
	}
	dst = dst[:g722Chunk/2]
	for i := range dst {
		even, odd := qmfSums((*[qmfTaps]int32)(e.x[2*i:]))
		low := e.low.encodeLow((even + odd) >> 14)
		high := e.high.encodeHigh((even - odd) >> 14)
		dst[i] = byte(high<<6 | low)
	}
	copy(e.x[:qmfTaps-2], e.x[g722Chunk:])
	return len(dst), nil
}

// q6 are the decision levels of the low band's quantizer (G.722 table Q6).
var q6 = [31]int32{
	0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714,
	786, 858, 940, 1023, 1121, 1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919, 1 << 30,
}

// encodeLow is QUANTL: it returns the 6-bit code of a sample of the low band.
func (g *g722Band) encodeLow(sample int32) int32 {
	e := clip16(sample - g.s)
	magnitude := e ^ e>>31
	// The level that it falls below, by halving: levels grow with their index for every scale.
	level := int32(1)
	for size := int32(16); size > 0; size >>= 1 {
		if next := level + size; next <= 30 && magnitude >= q6[next-1]*g.det>>12 {
			level = next
		}
	}
	code := lowCode(level, e < 0)
	difference := g.det * qm4[code>>2] >> 15
	g.adaptLow(code >> 2)
	g.predict(difference)
	return code
}

// lowCode is the order of codes on the line (tables ILN and ILP).
func lowCode(level int32, negative bool) int32 {
	switch {
	case !negative:
		return 62 - level
	case level <= 2:
		return 64 - level
	}
	return 34 - level
}

// encodeHigh is QUANTH: it returns the 2-bit code of a sample of the high band.
func (g *g722Band) encodeHigh(sample int32) int32 {
	e := clip16(sample - g.s)
	var code int32 = 1
	if e >= 0 {
		code = 3
	}
	if e^e>>31 >= 564*g.det>>12 {
		code--
	}
	difference := g.det * qm2[code] >> 15
	g.adaptHigh(code)
	g.predict(difference)
	return code
}
