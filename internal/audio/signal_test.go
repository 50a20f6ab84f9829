package audio_test

import "math"

// tone is a sine of the given peak.
func tone(n, rate int, hz, peak float64) []int16 {
	out := make([]int16, n)
	for i := range out {
		out[i] = int16(math.Round(peak * math.Sin(2*math.Pi*hz*float64(i)/float64(rate))))
	}
	return out
}

// fit is the amplitude of the tone of hz in s, and the root of the mean square of everything else.
func fit(s []int16, rate int, hz float64) (peak, rest float64) {
	// Least squares over sine, cosine; the tones and lengths in use are far enough from each other for plain projection only
	// when whole periods fit, so solve the two equations.
	var ss, sc, cc, vs, vc, vv float64
	for i, v := range s {
		sin, cos := math.Sincos(2 * math.Pi * hz * float64(i) / float64(rate))
		x := float64(v)
		ss, sc, cc = ss+sin*sin, sc+sin*cos, cc+cos*cos
		vs, vc, vv = vs+x*sin, vc+x*cos, vv+x*x
	}
	det := ss*cc - sc*sc
	a, b := (vs*cc-vc*sc)/det, (vc*ss-vs*sc)/det
	left := vv - a*vs - b*vc
	return math.Hypot(a, b), math.Sqrt(max(left, 0) / float64(len(s)))
}

func decibel(ratio float64) float64 { return 20 * math.Log10(ratio+1e-12) }

func steepest(s []int16) int {
	most := 0
	for i := 1; i < len(s); i++ {
		d := int(s[i]) - int(s[i-1])
		most = max(most, d, -d)
	}
	return most
}
