package page

import (
	"encoding/binary"
	"math/bits"
)

// Samples are packed in blocks. Each is predicted from the samples before by a polynomial of order 0 to 3, whichever leaves least, and
// what is left is written in Rice codes (R. F. Rice, JPL 79-22; the predictors are those of T. Robinson, Shorten, CUED/F-INFENG/TR.156).
// A block begins with a byte: the order in the upper two bits, the Rice parameter in the lower five; parameter 31 says that nothing is left.

const (
	blockLen  = 160 // divides a frame of 20 ms at each rate of a room
	exact     = 31
	maxUnary  = 12 // ones that say: the value follows as it is
	plainBits = 20 // enough for order 3: 16 bits and 3, and the sign
	maxRice   = 18
)

// factors are what the predictors multiply the last three samples with.
var factors = [4][3]int32{{0, 0, 0}, {1, 0, 0}, {2, -1, 0}, {3, -3, 1}}

// history is the last three samples, newest first.
type history struct{ a, b, c int32 }

func pack(dst []byte, samples []int16) []byte {
	w := bitWriter{dst: dst}
	var h history
	for len(samples) > 0 {
		n := min(len(samples), blockLen)
		h = packBlock(&w, samples[:n], h)
		samples = samples[n:]
	}
	return w.close()
}

func packBlock(w *bitWriter, block []int16, h history) history {
	order, sum := bestOrder(block, h)
	if sum == 0 {
		w.put(uint64(order<<6|exact), 8)
		for _, v := range block {
			h.a, h.b, h.c = int32(v), h.a, h.b
		}
		return h
	}
	k := 0
	for mean := sum * 2 / uint64(len(block)); mean>>k > 1 && k < maxRice; k++ {
	}
	w.put(uint64(order<<6|k), 8)
	return packResiduals(w, block, k, order, h)
}

func packResiduals(w *bitWriter, block []int16, k, order int, h history) history {
	m := factors[order]
	a, b, c := h.a, h.b, h.c
	for _, s := range block {
		v := int32(s)
		r := v - m[0]*a - m[1]*b - m[2]*c
		a, b, c = v, a, b
		u := uint64(uint32(r<<1) ^ uint32(r>>31))
		if q := u >> (k & 63); q < maxUnary {
			ones := uint64(1)<<(q&63) - 1
			w.put(ones<<((k+1)&63)|u&(1<<(k&63)-1), int(q)+1+k)
		} else {
			w.put(1<<maxUnary-1, maxUnary)
			w.put(u, plainBits)
		}
	}
	return history{a, b, c}
}

// bestOrder returns the order that leaves the least, and the sum of what it leaves.
func bestOrder(block []int16, h history) (int, uint64) {
	var sums [4]uint64
	a, b, c := h.a, h.b, h.c
	for _, s := range block {
		v := int32(s)
		r1 := v - a
		r2 := r1 - (a - b)
		r3 := r2 - (a - 2*b + c)
		sums[0] += magnitude(v)
		sums[1] += magnitude(r1)
		sums[2] += magnitude(r2)
		sums[3] += magnitude(r3)
		a, b, c = v, a, b
	}
	best := 0
	for i, s := range sums {
		if s < sums[best] {
			best = i
		}
	}
	return best, sums[best]
}

func magnitude(v int32) uint64 { return uint64(uint32((v ^ v>>31) - v>>31)) }

// unpack fills dst and reports whether the payload held exactly that.
func unpack(dst []int16, payload []byte) bool {
	r := bitReader{src: payload}
	var h history
	for len(dst) > 0 {
		n := min(len(dst), blockLen)
		if !unpackBlock(&r, dst[:n], &h) {
			return false
		}
		dst = dst[n:]
	}
	return r.done()
}

func unpackBlock(r *bitReader, dst []int16, h *history) bool {
	r.fill()
	head := int(r.take(8))
	order, k := head>>6, head&31
	if k > maxRice && k != exact || head&32 != 0 {
		return false
	}
	var left [blockLen]int32
	if k != exact {
		unpackResiduals(r, left[:len(dst)], k)
	}
	predict(dst, &left, order, h)
	return r.valid()
}

// predict continues the polynomial of order from h on, where it misses by left. Samples of a whole page stay within 16 bits; those of a
// damaged one are cut to them.
func predict(dst []int16, left *[blockLen]int32, order int, h *history) {
	res := left[:len(dst)]
	v, d := h.a, h.a-h.b // the last sample and how it differed from the one before
	switch order {
	case 0:
		for i, r := range res {
			dst[i] = int16(r)
		}
	case 1:
		for i, r := range res {
			v += r
			dst[i] = int16(v)
		}
	case 2:
		for i, r := range res {
			d += r
			v += d
			dst[i] = int16(v)
		}
	default:
		dd := d - (h.b - h.c)
		for i, r := range res {
			dd += r
			d += dd
			v += d
			dst[i] = int16(v)
		}
	}
	for _, s := range dst[max(len(dst)-3, 0):] {
		h.a, h.b, h.c = int32(s), h.a, h.b
	}
}

// unpackResiduals keeps the reader's state in local variables, and fills up before each code whether it must or not: it is most of the cost
// of a rendition.
func unpackResiduals(r *bitReader, left []int32, k int) {
	acc, n, at, src := r.acc, r.n, r.at, r.src
	i := 0
	for ; i < len(left) && at+8 <= len(src); i++ {
		acc |= binary.BigEndian.Uint64(src[at:]) >> (n & 63)
		at += (63 - n) >> 3
		n |= 56
		q := bits.LeadingZeros64(^acc)
		var u uint64
		if q < maxUnary {
			acc <<= (q + 1) & 63
			u = uint64(q)<<(k&63) | acc>>1>>((63-k)&63)
			acc <<= k & 63
			n -= q + 1 + k
		} else {
			acc <<= maxUnary
			u = acc >> (64 - plainBits)
			acc <<= plainBits
			n -= maxUnary + plainBits
		}
		left[i] = int32(uint32(u)>>1 ^ -(uint32(u) & 1))
	}
	r.acc, r.n, r.at = acc, n, at
	for ; i < len(left); i++ {
		r.fill()
		var u uint64
		if q := bits.LeadingZeros64(^r.acc); q < maxUnary {
			r.drop(q + 1)
			u = uint64(q)<<k | r.take(k)
		} else {
			r.drop(maxUnary)
			u = r.take(plainBits)
		}
		left[i] = int32(uint32(u)>>1 ^ -(uint32(u) & 1))
	}
}

// bitWriter collects bits, the first in the highest place.
type bitWriter struct {
	dst []byte
	acc uint64
	n   int // bits in acc
}

// put takes up to 32 bits.
func (w *bitWriter) put(v uint64, n int) {
	w.acc = w.acc<<n | v
	w.n += n
	if w.n >= 32 {
		w.n -= 32
		w.dst = binary.BigEndian.AppendUint32(w.dst, uint32(w.acc>>w.n))
	}
}

func (w *bitWriter) close() []byte {
	for w.n > 0 {
		w.n -= 8
		if w.n >= 0 {
			w.dst = append(w.dst, byte(w.acc>>w.n))
		} else {
			w.dst = append(w.dst, byte(w.acc<<-w.n))
		}
	}
	return w.dst
}

// bitReader gives them back. Beyond the end it gives zeros, and valid says so.
type bitReader struct {
	src  []byte
	at   int
	acc  uint64 // the next bits, from the top
	n    int    // how many there are
	over int    // bits taken beyond the end
}

// leastReady is more than any code takes.
const leastReady = 48

// fill makes that many bits ready.
func (r *bitReader) fill() {
	if r.n >= leastReady {
		return
	}
	if r.at+8 <= len(r.src) {
		r.acc |= binary.BigEndian.Uint64(r.src[r.at:]) >> r.n
		take := (63 - r.n) >> 3
		r.at += take
		r.n += take * 8
		return
	}
	for r.n <= 56 {
		if r.at < len(r.src) {
			r.acc |= uint64(r.src[r.at]) << (56 - r.n)
			r.at++
		} else {
			r.over += 8
		}
		r.n += 8
	}
}

func (r *bitReader) drop(n int) {
	r.acc <<= n
	r.n -= n
}

func (r *bitReader) take(n int) uint64 {
	v := r.acc >> 1 >> (63 - n)
	r.drop(n)
	return v
}

// valid reports whether no bit beyond the end was taken.
func (r *bitReader) valid() bool { return r.over <= r.n }

// done reports whether less than a byte is left.
func (r *bitReader) done() bool {
	left := r.n - r.over + 8*(len(r.src)-r.at)
	return r.valid() && left < 8
}
