package codec

// ITU-T G.722 at 64 kbit/s: two bands of 8000 samples/s out of a quadrature mirror filter, coded with adaptive differential
// PCM of 6 bits (low) and 2 bits (high), both in one octet for two samples. Names of tables and steps are the
// Recommendation's, so that they can be compared with its section 6.2.

// g722Band is the adaptive predictor and quantizer scale of one band.
type g722Band struct {
	s, sp, sz int32    // estimate of the next sample, and its parts from poles and from zeros
	r1, r2    int32    // last reconstructed samples
	p1, p2    int32    // last partially reconstructed samples
	a1, a2    int32    // pole coefficients, Q14
	b, d      [6]int32 // zero coefficients, Q14, and the last quantized differences
	nb, det   int32    // scale, logarithmic and linear
}

func newLowBand() g722Band  { return g722Band{det: 32} }
func newHighBand() g722Band { return g722Band{det: 8} }

// adaptLow is SCALEL with LOGSCL: it updates the scale of the low band with a 4-bit code.
func (g *g722Band) adaptLow(code int32) {
	g.nb = min(max(g.nb*127>>7+wl[rl42[code]], 0), 18432)
	g.det = scale(g.nb, 8)
}

// adaptHigh is SCALEH with LOGSCH.
func (g *g722Band) adaptHigh(code int32) {
	g.nb = min(max(g.nb*127>>7+wh[rh2[code]], 0), 22528)
	g.det = scale(g.nb, 10)
}

func scale(nb, shift int32) int32 {
	mantissa := ilb[nb>>6&31]
	shift -= nb >> 11
	if shift < 0 {
		return mantissa << -shift << 2
	}
	return mantissa >> shift << 2
}

// predict is block 4 of the Recommendation: it takes the quantized difference d into the predictor and makes the next estimate.
func (g *g722Band) predict(d int32) {
	r := clip16(g.s + d)
	p := clip16(g.sz + d)
	g.adaptPoles(p)
	g.p2, g.p1 = g.p1, p
	g.adaptZeros(d)
	// FILTEP and FILTEZ.
	g.r2, g.r1 = g.r1, r
	g.sp = clip16(g.a1*clip16(2*r)>>15 + g.a2*clip16(2*g.r2)>>15)
	g.s = clip16(g.sp + g.sz)
}

// adaptPoles is UPPOL2 and UPPOL1. The sign of zero counts as positive.
func (g *g722Band) adaptPoles(p int32) {
	same1 := (p^g.p1)>>31 == 0
	wd := clip16(4 * g.a1)
	if same1 {
		wd = min(-wd, 32767)
	}
	wd >>= 7
	if (p^g.p2)>>31 == 0 {
		wd += 128
	} else {
		wd -= 128
	}
	g.a2 = min(max(wd+g.a2*32512>>15, -12288), 12288)
	wd = -192
	if same1 {
		wd = 192
	}
	limit := 15360 - g.a2
	g.a1 = min(max(clip16(wd+g.a1*32640>>15), -limit), limit)
}

// adaptZeros is UPZERO, DELAYA and FILTEZ in one pass.
func (g *g722Band) adaptZeros(d int32) {
	step := int32(128)
	if d == 0 {
		step = 0
	}
	var sz int32
	newer := d
	for i := range g.d {
		older := g.d[i]
		sign := (older ^ d) >> 31 // 0 for same signs, -1 for different ones
		g.b[i] = clip16((step ^ sign) - sign + g.b[i]*32640>>15)
		g.d[i] = newer
		sz = clip16(sz + g.b[i]*clip16(2*newer)>>15)
		newer = older
	}
	g.sz = sz
}

func clip16(v int32) int32 { return min(max(v, -1<<15), 1<<15-1) }

// Tables of G.722: inverse quantizers of 6, 4 and 2 bits (QM6, QM4, QM2), adaption of the scale (WL, WH by RL42, RH2), mantissas of the
// scale (ILB).
var (
	qm6 = [64]int32{
		-136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360, -8576, -7856,
		-7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688, -1360, -1040, -728,
		24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456,
		4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136, -432, -136,
	}
	qm4 = [16]int32{0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0}
	qm2 = [4]int32{-7408, -1616, 7408, 1616}

	wl   = [8]int32{-60, -30, 58, 172, 334, 538, 1198, 3042}
	rl42 = [16]int32{0, 7, 6, 5, 4, 3, 2, 1, 7, 6, 5, 4, 3, 2, 1, 0}
	wh   = [3]int32{0, -214, 798}
	rh2  = [4]int32{2, 1, 2, 1}

	ilb = [32]int32{
		2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834,
		2896, 2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
	}
)

// Halves of the quadrature mirror filter's 24 coefficients: the other half is their mirror image.
const qmfTaps = 24

var qmf = [12]int32{3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11}

// qmfSums returns the filter's two sums over 24 values, with the even values and with the odd ones.
func qmfSums(x *[qmfTaps]int32) (even, odd int32) {
	for i := range qmf {
		odd += x[2*i] * qmf[i]
		even += x[2*i+1] * qmf[11-i]
	}
	return even, odd
}
