package audio

import "math"

// FrameMillis is the length of every frame in the server.
const FrameMillis = 20

// FrameSamples returns the number of samples of one frame at rate Hz.
func FrameSamples(rate int) int { return rate * FrameMillis / 1000 }

// Add adds a frame to a sum, as far as the shorter of the two goes. 65,536 frames at full scale fit before 32 bits overflow.
func Add(sum []int32, frame []int16) {
	n := min(len(sum), len(frame))
	sum, frame = sum[:n], frame[:n]
	for len(frame) >= 4 && len(sum) >= 4 {
		s, f := sum[:4:4], frame[:4:4]
		s[0] += int32(f[0])
		s[1] += int32(f[1])
		s[2] += int32(f[2])
		s[3] += int32(f[3])
		sum, frame = sum[4:], frame[4:]
	}
	for i, v := range frame {
		sum[i] += int32(v)
	}
}

// MixMinus writes to dst the sum without a speaker's own frame. dst and sum may be the same; own is taken as silence beyond
// its end. dst must be as long as sum.
func MixMinus(dst, sum []int32, own []int16) {
	n := copy(dst, sum)
	dst = dst[:n]
	own = own[:min(n, len(own))]
	for len(own) >= 4 && len(dst) >= 4 {
		d, o := dst[:4:4], own[:4:4]
		d[0] -= int32(o[0])
		d[1] -= int32(o[1])
		d[2] -= int32(o[2])
		d[3] -= int32(o[3])
		dst, own = dst[4:], own[4:]
	}
	for i, v := range own {
		dst[i] -= int32(v)
	}
}

// Gain multiplies a frame in place and saturates. The factor must be a number; 0 silences, a negative one turns the phase.
func Gain(frame []int16, factor float32) {
	switch factor {
	case 1:
		return
	case 0:
		clear(frame)
		return
	}
	for i, v := range frame {
		frame[i] = saturate(float32(v) * factor)
	}
}

// DB returns the factor of a gain in decibels: 0 gives 1, -6.02 a half.
func DB(db float64) float32 { return float32(math.Pow(10, db/20)) }

// saturate rounds to the nearest sample within 16 bits.
func saturate(v float32) int16 {
	if v >= 0 {
		return int16(min(v+0.5, math.MaxInt16))
	}
	return int16(max(v-0.5, math.MinInt16))
}

// Score returns the mean of the absolute samples of a frame, the measure of Talk; 0 for an empty frame.
func Score(frame []int16) int {
	if len(frame) == 0 {
		return 0
	}
	var sum int
	for _, v := range frame {
		x := int(v)
		sum += (x ^ x>>63) - x>>63
	}
	return sum / len(frame)
}

// Level returns the loudness of a frame as RFC 6464 carries it: 0 (a square wave at full scale, 0 dBov) down to 127 (-127 dBov
// or digital silence).
func Level(frame []int16) uint8 {
	var power int64
	for _, v := range frame {
		power += int64(v) * int64(v)
	}
	if power == 0 {
		return 127
	}
	const full = 1 << 30 // the power of a sample at full scale
	dbov := 10 * math.Log10(float64(power)/float64(len(frame))/full)
	return uint8(min(max(math.Round(-dbov), 0), 127))
}
