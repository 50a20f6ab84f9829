package audio

import "math"

// Limiter brings the 32-bit sums of one mix back to 16 bits by turning the volume down, smoothly, for as long as needed, instead
// of clipping. It adds no delay. Each distinct mix has its own; the zero value is ready.
type Limiter struct {
	reduction float32 // 1 - gain at the end of the last frame
}

const (
	limiterBlocks = 16 // the gain is set at the borders of this many blocks of a frame (1.25 ms) and linear between them
	// releaseShare is how much of the reduction goes in one block: 1/120 of 1.25 ms is a time constant of 150 ms.
	releaseShare = 1.0 / 120
	// releaseEnd is the reduction below which the rest goes within one frame; 0.04 dB cannot be heard.
	releaseEnd = 0.005
	// releaseDone is below half a step of 16 bits: rounding must not keep a rest for ever.
	releaseDone = 1e-5
	// attackRatio is the steepest fall of the gain from border to border, where the peak is not in the first block: 1 dB.
	attackRatio = 1.122
)

// Apply writes the limited sum to dst, which must be as long as sum. A sum that fits while no reduction is left is copied as
// it is.
func (l *Limiter) Apply(dst []int16, sum []int32) {
	n := min(len(dst), len(sum))
	if n == 0 {
		return
	}
	dst, sum = dst[:n], sum[:n]
	if l.reduction == 0 && narrow(dst, sum) {
		return
	}
	var borders [limiterBlocks + 1]float32
	size := (n + limiterBlocks - 1) / limiterBlocks
	blocks := (n + size - 1) / size
	l.plan(borders[:blocks+1], sum, size)
	for b := range blocks {
		from, to := b*size, min((b+1)*size, n)
		ramp(dst[from:to], sum[from:to], borders[b], borders[b+1])
	}
	l.reduction = 1 - borders[blocks]
	if l.reduction < releaseDone {
		l.reduction = 0
	}
}

// narrow copies sum to dst and reports whether every sample fitted.
func narrow(dst []int16, sum []int32) bool {
	var over uint32
	sum = sum[:len(dst)]
	for i, v := range sum {
		over |= uint32(v + 1<<15)
		dst[i] = int16(v)
	}
	return over>>16 == 0
}

// plan sets the gain at the borders of the blocks so that no block exceeds 16 bits between its two: release first, then what
// the blocks on either side need, then the way down ahead of a peak. The first border is where the last frame ended.
func (l *Limiter) plan(borders []float32, sum []int32, size int) {
	gain := 1 - l.reduction
	var end float32
	if l.reduction < releaseEnd {
		end = l.reduction / float32(len(borders)-1)
	}
	borders[0] = gain
	before := float32(1) // what the block before the border needs
	for b := 1; b < len(borders); b++ {
		here := need(sum[(b-1)*size : min(b*size, len(sum))])
		gain = min(gain+max((1-gain)*releaseShare, end), 1)
		if b > 1 {
			borders[b-1] = min(borders[b-1], before, here)
			gain = min(gain, borders[b-1]+max((1-borders[b-1])*releaseShare, end))
		}
		gain = min(gain, here)
		borders[b], before = gain, here
	}
	for b := len(borders) - 2; b > 0; b-- {
		borders[b] = min(borders[b], borders[b+1]*attackRatio)
	}
}

// need is the gain at which the loudest sample of a block just fits.
func need(block []int32) float32 {
	var low, high int32
	for _, v := range block {
		low, high = min(low, v), max(high, v)
	}
	peak := max(-int64(low), int64(high))
	if peak <= math.MaxInt16 {
		return 1
	}
	return math.MaxInt16 / float32(peak)
}

// ramp writes a block with a gain that goes linearly from one border to the other. Saturation is only met when a peak stands at
// the very begin of a frame, before the gain could fall.
func ramp(dst []int16, sum []int32, from, to float32) {
	step := (to - from) / float32(len(dst))
	sum = sum[:len(dst)]
	for i, v := range sum {
		from += step
		dst[i] = saturate(float32(v) * from)
	}
}
