package audio

import (
	"math"

	"parley/internal/fault"
)

// Resampler converts a stream between two sample rates with a polyphase filter: 32 taps per phase of the slower rate, Kaiser
// window of beta 8. It passes up to 0.425 of the slower rate within 1 dB, keeps images and aliases about 90 dB down, and
// delays by 16 samples of the slower rate (2 ms at 8 kHz).
type Resampler struct {
	up, down int       // the ratio of the rates in lowest terms
	taps     int       // per phase
	filter   []float32 // phase by phase, each in the order of the samples
	buf      []float32 // taps-1 samples of the past and one block
	phase    int       // of the next output sample after the last input, in units of 1/up input samples
}

const (
	tapsPerPhase = 32
	kaiserBeta   = 8
	cutoff       = 0.46 // of the slower rate: the middle of the filter's slope
	blockSamples = 960  // how many samples are converted at a time
)

// NewResampler makes a resampler between two of the rates 8000, 12000, 16000, 24000 and 48000 Hz, or refuses with
// AUDIO_RATE_UNSUPPORTED. Between equal rates it copies, without delay.
func NewResampler(from, to int) (*Resampler, error) {
	for _, rate := range []int{from, to} {
		switch rate {
		case 8000, 12000, 16000, 24000, 48000:
		default:
			return nil, fault.New(fault.Invalid, "AUDIO_RATE_UNSUPPORTED",
				"cannot resample %d Hz: use 8000, 12000, 16000, 24000 or 48000", rate)
		}
	}
	return newResampler(from, to), nil
}

// NewFileResampler makes a resampler from any rate of 4000 to 192000 Hz, as files have them, to one of those of NewResampler, or refuses with
// AUDIO_RATE_UNSUPPORTED. Ratios that would need a filter of more than finePhases phases are met within 0.1 %.
func NewFileResampler(from, to int) (*Resampler, error) {
	if from < 4000 || from > 192000 {
		return nil, fault.New(fault.Invalid, "AUDIO_RATE_UNSUPPORTED", "cannot resample a file of %d Hz: use 4000 to 192000", from)
	}
	if _, err := NewResampler(to, to); err != nil {
		return nil, err
	}
	return newResampler(from, to), nil
}

// finePhases is enough for every pair of usual rates, of which 11025 and 48000 Hz need the most: 640.
const finePhases = 960

func newResampler(from, to int) *Resampler {
	divisor := gcd(from, to)
	r := &Resampler{up: to / divisor, down: from / divisor}
	if r.up > finePhases {
		r.up, r.down = finePhases, (finePhases*from+to/2)/to
	}
	if from == to {
		return r
	}
	r.taps = tapsPerPhase * max(r.up, r.down) / r.up
	r.taps = (r.taps + 3) / 4 * 4
	r.filter = design(r.up, r.down, r.taps)
	r.buf = make([]float32, r.taps-1+blockSamples)
	return r
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// design makes a windowed sinc at up times the input rate and sorts it by phases. Each phase is reversed, so that the output
// is a plain product with the samples in their order, and scaled to a gain of exactly 1.
func design(up, down, taps int) []float32 {
	length := taps * up
	center := float64(length-1) / 2
	corner := cutoff / float64(max(up, down)) // in cycles per sample of the fast clock
	filter := make([]float32, length)
	for phase := range up {
		values := make([]float64, taps)
		var sum float64
		for i := range values {
			at := float64(i*up + phase)
			values[i] = sinc(2*corner*(at-center)) * kaiser((at-center)/center)
			sum += values[i]
		}
		for i, v := range values {
			filter[phase*taps+taps-1-i] = float32(v / sum)
		}
	}
	return filter
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

// kaiser is the Kaiser window at x from -1 to 1.
func kaiser(x float64) float64 {
	return bessel(kaiserBeta*math.Sqrt(max(1-x*x, 0))) / bessel(kaiserBeta)
}

// bessel is the modified Bessel function of the first kind and order zero, by its series.
func bessel(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > sum*1e-12; k++ {
		term *= (x / 2 / k) * (x / 2 / k)
		sum += term
	}
	return sum
}

// Process converts the next samples of the stream and returns how many it wrote: for whole frames of 20 ms always a whole
// frame of the other rate. dst must hold them; what finds no room is lost.
func (r *Resampler) Process(dst, src []int16) int {
	if r.taps == 0 {
		return copy(dst, src)
	}
	written := 0
	for len(src) > 0 {
		n := min(len(src), blockSamples)
		written += r.block(dst[written:], src[:n])
		src = src[n:]
	}
	return written
}

func (r *Resampler) block(dst, src []int16) int {
	past := r.taps - 1
	fresh := r.buf[past : past+len(src)]
	for i, v := range src {
		fresh[i] = float32(v)
	}
	written, at, phase := 0, r.phase/r.up, r.phase%r.up
	for at < len(src) {
		if written < len(dst) {
			dst[written] = saturate(product(r.filter[phase*r.taps:][:r.taps], r.buf[at:][:r.taps]))
			written++
		}
		phase += r.down
		at += phase / r.up
		phase %= r.up
	}
	// The next output may lie beyond this block by less than down/up samples; keep how far.
	r.phase = phase + (at-len(src))*r.up
	copy(r.buf[:past], r.buf[len(src):len(src)+past])
	return written
}

// product is the sum of a[i]*b[i], in four sums that do not wait for each other. The lengths are equal and divisible by four.
func product(a, b []float32) float32 {
	var s0, s1, s2, s3 float32
	for len(a) >= 4 && len(b) >= 4 {
		x, y := a[:4:4], b[:4:4]
		s0 += x[0] * y[0]
		s1 += x[1] * y[1]
		s2 += x[2] * y[2]
		s3 += x[3] * y[3]
		a, b = a[4:], b[4:]
	}
	return s0 + s1 + (s2 + s3)
}

// Reset forgets the stream, as between two streams.
func (r *Resampler) Reset() {
	clear(r.buf)
	r.phase = 0
}
