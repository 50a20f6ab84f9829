// Package loudness measures how loud speech is and brings sounds to the loudness of people: arithmetic on samples, nothing else.
package loudness

import (
	"math"

	"parley/internal/audio"
)

// Target is the active speech level that sounds are brought to, in dBov: the nominal level of speech in ITU-T P.800 and G.191 tests, which
// telephones are built for.
const Target = -26

// Figures of ITU-T P.56 method B.
const (
	timeConstant = 0.03 // s, of each of two averages
	hangover     = 0.2  // s
	margin       = 15.9 // dB between the active level and the threshold of activity
	thresholds   = 15   // from 2^-15 of full scale on, doubling
)

// Silence is what Active returns for a sound in which nothing is active.
const Silence = -100

// Active returns the active speech level of ITU-T P.56 method B in dBov: the power of those parts in which there is speech, pauses left out.
// 0 dBov is a square wave at full scale.
func Active(samples []int16, rate int) float64 {
	g := math.Exp(-1 / (float64(rate) * timeConstant))
	wait := int(hangover * float64(rate))
	var active, quiet [thresholds]int
	for j := range quiet {
		quiet[j] = wait
	}
	var power, p, q float64
	for _, v := range samples {
		x := math.Abs(float64(v)) / 32768
		power += x * x
		p = g*p + (1-g)*x
		q = g*q + (1-g)*p
		c := 1.0 / 32768
		for j := range active {
			if q >= c {
				active[j]++
				quiet[j] = 0
			} else if quiet[j] < wait {
				active[j]++
				quiet[j]++
			} else {
				break
			}
			c *= 2
		}
	}
	return level(power, active)
}

// level finds the threshold that lies margin below the level of what is active by it.
func level(power float64, active [thresholds]int) float64 {
	before, distance := float64(Silence), 0.0
	for j, n := range active {
		if n == 0 {
			return before
		}
		a := 10 * math.Log10(power/float64(n))
		d := a - 20*math.Log10(math.Ldexp(1, j-thresholds))
		if d <= margin {
			if j == 0 {
				return a
			}
			share := (distance - margin) / (distance - d)
			return before + share*(a-before)
		}
		before, distance = a, d
	}
	return before
}

const (
	faint     = -60 // dBov: what is below is taken for silence and left alone
	mostGain  = 24  // dB
	leastGain = -30
)

// Adjust brings a sound in place to Target, by one gain for all of it of at most 24 dB, with a limiter for its peaks.
func Adjust(samples []int16, rate int) {
	now := Active(samples, rate)
	if now < faint {
		return
	}
	gain := audio.DB(min(max(Target-now, leastGain), mostGain))
	var limiter audio.Limiter
	sum := make([]int32, audio.FrameSamples(rate))
	for len(samples) > 0 {
		n := min(len(samples), len(sum))
		for i, v := range samples[:n] {
			sum[i] = int32(math.Round(float64(float32(v) * gain)))
		}
		limiter.Apply(samples[:n], sum[:n])
		samples = samples[n:]
	}
}
