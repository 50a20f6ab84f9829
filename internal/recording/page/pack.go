package page

import (
	"encoding/binary"
	"math/bits"
)

// Samples are packed in blocks. Each is predicted from the samples before by a polynomial of order 0 to 3, whichever leaves least, and
// what is left is written in Rice codes (R. F. Rice, JPL 79-22; the predictors are those of T. Robinson, Shorten, CUED/F-INFENG/TR.156).
// A block begins with a byte: the order in the upper two bits, the Rice parameter in the lower five; parameter 31 says that nothing is left.
// Then come the quotients of all its samples, each as so many zeros and a one, then all remainders, then what is above the remainder of those whose
// quotient is too large. So the place of a remainder does not depend on the code before, and a reader need not wait for one to find the next.
// Bits fill bytes from the lowest on.

const (
	blockLen  = 160 // divides a frame of 20 ms at each rate of a room
	exact     = 31
	maxUnary  = 12 // the quotient that says: it stands behind the remainders
	plainBits = 20 // enough for order 3: 16 bits and 3, and the sign
	maxRice   = 18
	slack     = 8 // bytes that may be read beyond the end
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
	var left [blockLen]uint32
	for i, s := range block {
		v := int32(s)
		r := v - m[0]*a - m[1]*b - m[2]*c
		a, b, c = v, a, b
		left[i] = uint32(r<<1) ^ uint32(r>>31)
		q := min(left[i]>>(k&31), maxUnary)
		w.put(1<<(q&63), int(q)+1)
	}
	mask := uint32(1)<<(k&31) - 1
	for _, u := range left[:len(block)] {
		w.put(uint64(u&mask), k)
	}
	for _, u := range left[:len(block)] {
		if q := u >> (k & 31); q >= maxUnary {
			w.put(uint64(q), plainBits)
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
	var short [8192]byte
	padded := append(append(short[:0], payload...), make([]byte, slack)...)
	at, end := 0, 8*len(payload) // in bits
	var h history
	for len(dst) > 0 {
		n := min(len(dst), blockLen)
		if at = unpackBlock(dst[:n], padded, at, &h); at < 0 || at > end {
			return false
		}
		dst = dst[n:]
	}
	return end-at < 8
}

// unpackBlock returns where the next block begins, -1 when this is none. It may look up to slack bytes beyond the end of the payload.
func unpackBlock(dst []int16, src []byte, at int, h *history) int {
	if at>>3+slack > len(src) {
		return -1
	}
	head := int(binary.LittleEndian.Uint64(src[at>>3:]) >> (at & 7) & 0xff)
	order, k := head>>6, head&31
	if k > maxRice && k != exact || head&32 != 0 {
		return -1
	}
	at += 8
	var left [blockLen]int32
	if k != exact {
		if at = unpackResiduals(left[:len(dst)], src, at, k); at < 0 {
			return -1
		}
	}
	predict(dst, &left, order, h)
	return at
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

// unpackResiduals is most of the cost of a rendition.
func unpackResiduals(left []int32, src []byte, at, k int) int {
	at, large := unpackQuotients(left, src, at)
	if at < 0 || at+len(left)*k > 8*(len(src)-slack) {
		return -1
	}
	addRemainders(left, src, at, k)
	at += len(left) * k
	if large {
		at = unpackLarge(left, src, at, k)
	}
	return at
}

// addRemainders completes the quotients, as many for each load as fit.
func addRemainders(left []int32, src []byte, at, k int) {
	k &= 31
	mask := uint32(1)<<k - 1
	for most := 56 / max(k, 1); len(left) > 0; {
		n := min(len(left), most)
		acc := binary.LittleEndian.Uint64(src[at>>3:]) >> (at & 7)
		for i, q := range left[:n] {
			u := uint32(q)<<k | uint32(acc)&mask
			acc >>= k
			left[i] = int32(u>>1 ^ -(u & 1))
		}
		left, at = left[n:], at+n*k
	}
}

// unpackQuotients fills left with quotients, and reports whether some are too large to stand there.
func unpackQuotients(left []int32, src []byte, at int) (end int, large bool) {
	last, most := at-1, 0 // the place of the last one, the largest quotient
	for i := 0; i < len(left); {
		if at>>3+slack > len(src) {
			return -1, false
		}
		base := at &^ 7
		word := binary.LittleEndian.Uint64(src[at>>3:]) &^ (1<<(at&7) - 1)
		for ; word != 0 && i < len(left); i++ {
			one := base + bits.TrailingZeros64(word)
			word &= word - 1
			left[i] = int32(one - last - 1)
			most = max(most, one-last-1)
			last = one
		}
		at = base + 64
	}
	if most > maxUnary {
		return -1, false
	}
	return last + 1, most == maxUnary
}

// unpackLarge puts those right whose quotient was too large.
func unpackLarge(left []int32, src []byte, at, k int) int {
	for i, r := range left {
		u := uint32(r<<1) ^ uint32(r>>31)
		if u>>(k&31) < maxUnary {
			continue
		}
		if at>>3+slack > len(src) {
			return -1
		}
		q := uint32(binary.LittleEndian.Uint64(src[at>>3:])>>(at&7)) & (1<<plainBits - 1)
		at += plainBits
		u = q<<(k&31) | u&(1<<(k&31)-1)
		left[i] = int32(u>>1 ^ -(u & 1))
	}
	return at
}

// bitWriter collects bits, the first in the lowest place.
type bitWriter struct {
	dst []byte
	acc uint64
	n   int // bits in acc
}

// put takes up to 32 bits.
func (w *bitWriter) put(v uint64, n int) {
	w.acc |= v << (w.n & 63)
	w.n += n
	if w.n >= 32 {
		w.dst = binary.LittleEndian.AppendUint32(w.dst, uint32(w.acc))
		w.acc >>= 32
		w.n -= 32
	}
}

func (w *bitWriter) close() []byte {
	for ; w.n > 0; w.n -= 8 {
		w.dst = append(w.dst, byte(w.acc))
		w.acc >>= 8
	}
	return w.dst
}
