package capture

import (
	"sync/atomic"

	"parley/internal/recording/page"
)

// ring is the queue between the media loop, which writes, and the capture, which reads. It is without pointers, so that the collector does
// not look into it, and of words of 16 bits, because most of it is samples. A tick is written as a whole or not at all.
type ring struct {
	words       []int16
	wrote, read atomic.Uint64 // words; each is written by its own side only
	at          uint64        // the writer's: up to here of what is not published yet
	full        bool          // the writer's: something of this tick found no room
}

// What is in the ring.
const (
	ringAudio = iota
	ringGap   // the clock is its begin, four words its length; lane is why
	ringPause // lane is the state
)

const recordHead = 8

// record is one entry of the ring.
type record struct {
	kind  int
	clock uint64
	lane  uint16
	rate  int
	n     int // words that follow
}

// newRing makes a ring for at least n words.
func newRing(n int) *ring {
	size := 1
	for size < n {
		size *= 2
	}
	return &ring{words: make([]int16, size)}
}

// begin starts a tick.
func (r *ring) begin() { r.at, r.full = r.wrote.Load(), false }

// write adds a record to the tick; of a body no more than a frame.
func (r *ring) write(h record, body []int16) {
	body = body[:min(len(body), page.Tick)]
	if r.full || r.at-r.read.Load()+uint64(recordHead+len(body)) > uint64(len(r.words)) {
		r.full = true
		return
	}
	head := [recordHead]int16{int16(h.kind), int16(h.lane), int16(h.rate / 1000), int16(len(body))}
	split(head[4:], h.clock)
	r.put(head[:])
	r.put(body)
}

func (r *ring) put(words []int16) {
	from := int(r.at & uint64(len(r.words)-1))
	n := copy(r.words[from:], words)
	copy(r.words, words[n:])
	r.at += uint64(len(words))
}

// end publishes the tick, and reports false when it was dropped because it did not fit.
func (r *ring) end() bool {
	if !r.full {
		r.wrote.Store(r.at)
	}
	return !r.full
}

// next returns the oldest record and its body in dst, which holds a frame.
func (r *ring) next(dst []int16) (record, []int16, bool) {
	at := r.read.Load()
	if at == r.wrote.Load() {
		return record{}, nil, false
	}
	var head [recordHead]int16
	r.get(at, head[:])
	h := record{kind: int(head[0]), lane: uint16(head[1]), rate: int(head[2]) * 1000, n: int(head[3]), clock: join(head[4:])}
	body := dst[:h.n]
	r.get(at+recordHead, body)
	r.read.Store(at + recordHead + uint64(h.n))
	return h, body, true
}

func (r *ring) get(at uint64, dst []int16) {
	from := int(at & uint64(len(r.words)-1))
	n := copy(dst, r.words[from:])
	copy(dst[n:], r.words)
}

func split(dst []int16, v uint64) {
	for i := range 4 {
		dst[i] = int16(v >> (16 * i))
	}
}

func join(src []int16) (v uint64) {
	for i := range 4 {
		v |= uint64(uint16(src[i])) << (16 * i)
	}
	return v
}
