package mixer

import "parley/internal/mixer/sound"

// turn fades a sum in or out.
func turn(sum []int32, in bool) {
	n := len(sum) / sound.FadeShare
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
	last, n := len(p.frame)-1, len(p.frame)/sound.FadeShare
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
