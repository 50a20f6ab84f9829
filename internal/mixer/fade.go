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

// fadeOut keeps a port that leaves for one more tick, in which it ends as it was heard, by the same ears: with its last samples backwards, as there are
// no others.
func (r *Room) fadeOut(p *Port) {
	if !p.heard {
		r.routing.unseat(p)
		return
	}
	last, n := len(p.frame)-1, len(p.frame)/fadeShare
	for i := range n { // what is read is further behind
		p.frame[i] = int16(int(p.frame[last-1-i]) * (n - i) / (n + 1))
	}
	clear(p.frame[n:])
	r.leaving = append(r.leaving, p)
}

// farewell ends the stay of those who left before this tick.
func (r *Room) farewell() {
	for _, p := range r.leaving {
		r.routing.unseat(p)
	}
	clear(r.leaving)
	r.leaving = r.leaving[:0]
}
