package mixer

import "sync/atomic"

// Ring is the standard tap: a bounded queue between the loop, which writes and never waits, and one reader. It holds a second;
// what finds no room is lost, and the next frame that fits says how much.
type Ring struct {
	tag   string
	slots []slot
	// wrote and read count frames; each is written by its own side only.
	wrote, read atomic.Uint64
	missing     uint32 // frames lost since the last that fitted, the writer's
	lost        atomic.Uint64
}

// slot holds no pointers: the collector does not look into rings.
type slot struct {
	clock   uint64
	rate, n int32
	missing uint32
	samples [clockSamples]int16
}

// ringFrames is a second.
const ringFrames = 50

// Frame is what a Ring passes on.
type Frame struct {
	Clock   uint64 // see Moment; a jump without Missing was silence
	Rate    int    // in Hz
	Missing int    // frames lost right before this one
	Samples []int16
}

// NewRing makes a tap of the port with this tag, or of the common mix when tag is empty. Silence takes no room in it.
func NewRing(tag string) *Ring { return &Ring{tag: tag, slots: make([]slot, ringFrames)} }

// See implements Tap.
func (r *Ring) See(m Moment) {
	if r.tag == "" {
		r.write(m, m.Mix)
		return
	}
	for _, v := range m.Voices {
		if v.Tag == r.tag {
			r.write(m, v.Frame)
		}
	}
}

func (r *Ring) write(m Moment, frame []int16) {
	if frame == nil {
		return
	}
	at := r.wrote.Load()
	if at-r.read.Load() == uint64(len(r.slots)) {
		r.missing++
		r.lost.Add(1)
		return
	}
	s := &r.slots[at%uint64(len(r.slots))]
	s.clock, s.rate, s.missing = m.Clock, int32(m.Rate), r.missing
	s.n = int32(copy(s.samples[:], frame))
	r.missing = 0
	r.wrote.Store(at + 1)
}

// Next moves the oldest frame into dst, which holds 960 samples, and returns it; false when there is none. One goroutine reads.
func (r *Ring) Next(dst []int16) (Frame, bool) {
	at := r.read.Load()
	if at == r.wrote.Load() {
		return Frame{}, false
	}
	s := &r.slots[at%uint64(len(r.slots))]
	n := copy(dst, s.samples[:s.n])
	f := Frame{Clock: s.clock, Rate: int(s.rate), Missing: int(s.missing), Samples: dst[:n]}
	r.read.Store(at + 1)
	return f, true
}

// Lost returns how many frames found no room since the ring was made. Anyone may call it.
func (r *Ring) Lost() uint64 { return r.lost.Load() }
