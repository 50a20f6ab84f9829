package mixer

import (
	"math"

	"parley/internal/audio"
)

// fadeShare is how much of a frame a fade takes: 5 ms, too short to be noticed, long enough not to click.
const fadeShare = 4

// fade lets a frame go from one gain to another and then stay there.
func fade(frame []int16, from, to float32) {
	n := 0
	if from != to {
		n = len(frame) / fadeShare
		step := (to - from) / float32(n)
		for i, v := range frame[:n] {
			from += step
			frame[i] = int16(min(max(float32(v)*from, math.MinInt16), math.MaxInt16))
		}
	}
	audio.Gain(frame[n:], to)
}

// turn fades a sum in or out.
func turn(sum []int32, in bool) {
	n := len(sum) / fadeShare
	for i, v := range sum[:n] {
		share := n - i
		if in {
			share = i + 1
		}
		sum[i] = int32(int64(v) * int64(share) / int64(n+1))
	}
	if !in {
		clear(sum[n:])
	}
}

// fadeOut adds to the next tick's sum how the sound of a port that leaves ends: its last samples backwards, as there are no others.
func (r *Room) fadeOut(p *Port) {
	if !p.heard {
		return
	}
	if !r.ending {
		clear(r.tail)
		r.ending = true
	}
	last, n := len(p.frame)-1, len(p.frame)/fadeShare
	for i := range n {
		r.tail[i] += int32(p.frame[last-1-i]) * int32(n-i) / int32(n+1)
	}
}

// end adds what fades out to the sum.
func (r *Room) end() {
	r.fading = r.ending
	if !r.ending {
		return
	}
	for i, v := range r.tail {
		r.sum[i] += v
	}
	r.ending, r.dirty = false, true
}
