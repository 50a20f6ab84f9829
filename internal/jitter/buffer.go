package jitter

import "time"

// Slots is how many packets a Buffer holds: 1.28 s of packets of 20 ms.
const Slots = 64

// frame is the time for which the codec conceals or waits at a time.
const frame = 20 * time.Millisecond

// Config of a Buffer; zero values mean the defaults.
type Config struct {
	ClockRate  int           // RTP clock in Hz; 8000
	PayloadMax int           // longest payload in bytes that is kept; 640
	MaxDelay   time.Duration // longest time that a packet waits; 200 ms
}

// Verdict says what became of a pushed packet.
type Verdict uint8

// The verdicts of Push.
const (
	Accepted  Verdict = iota
	Late              // its turn has passed
	Duplicate         // it is or was here already
	TooLong           // its payload is over PayloadMax
	Restarted         // accepted, as the first of a new stream: the sequence number jumped
)

// Kind says what is due.
type Kind uint8

// The kinds of Pop.
const (
	Packet Kind = iota // Due.Payload is to be decoded
	Lost               // one packet is missing; Due.Next is the payload after it, for its redundancy, or nil
	Wait               // nothing is due: not started, silence that the sender does not send, or an underrun
)

// Due is what Pop returns. Payloads stay valid until the next Push.
type Due struct {
	Kind     Kind
	Payload  []byte
	Next     []byte
	Underrun bool // Wait in the middle of a stream: conceal
}

// slot holds one packet.
type slot struct {
	seq     int64 // extended sequence number; -1: never used
	stamp   uint32
	arrived time.Duration
	length  int
	full    bool
}

// Buffer is the buffer of one stream. Pop takes packets in order of their sequence numbers and at the pace of their timestamps; how long packets wait is
// measured and steered: a packet that came too late makes room for the likes of it, and when the shortest wait has been longer than needed, frames are left out.
type Buffer struct {
	c        Config
	slots    [Slots]slot
	payloads []byte
	begun    bool
	next     int64  // sequence number that is due
	highest  int64  // received so far
	stamp    uint32 // timestamp that is due
	idle     time.Duration
	steer    steering
}

// New makes a Buffer and allocates all that it will need.
func New(c Config) *Buffer {
	if c.ClockRate <= 0 {
		c.ClockRate = 8000
	}
	if c.PayloadMax <= 0 {
		c.PayloadMax = 640
	}
	if c.MaxDelay <= 0 {
		c.MaxDelay = 200 * time.Millisecond
	}
	b := &Buffer{c: c, payloads: make([]byte, Slots*c.PayloadMax)}
	b.Reset()
	return b
}

// Reset forgets the stream, as when the SSRC changes. What was learned of the network stays.
func (b *Buffer) Reset() {
	for i := range b.slots {
		b.slots[i] = slot{seq: -1}
	}
	b.begun, b.idle = false, 0
	b.steer.restart()
}

// Delay returns how long the last packet waited.
func (b *Buffer) Delay() time.Duration { return b.steer.last }

// Push takes a packet that came at now. It copies the payload.
func (b *Buffer) Push(seq uint16, stamp uint32, payload []byte, now time.Duration) Verdict {
	if len(payload) > b.c.PayloadMax {
		return TooLong
	}
	verdict := Accepted
	ext := b.extend(seq)
	switch {
	case !b.begun && !b.holds():
		b.next, b.highest = ext, ext
	case b.slots[ext&(Slots-1)].seq == ext:
		return Duplicate
	case ext < b.next && !b.begun:
		if b.highest-ext >= Slots {
			return Late
		}
		b.next = ext // an earlier one came after a later one, before the start
	case ext < b.next:
		if b.next-ext < 3000 {
			b.steer.late(b.tardiness(stamp))
			return Late
		}
		verdict = b.restart(ext)
	case ext >= b.next+Slots:
		verdict = b.jump(ext)
	}
	s := &b.slots[ext&(Slots-1)]
	*s = slot{seq: ext, stamp: stamp, arrived: now, length: len(payload), full: true}
	copy(b.payload(ext), payload)
	b.highest = max(b.highest, ext)
	return verdict
}

// extend finds the extended number of seq that is nearest to what has been received.
func (b *Buffer) extend(seq uint16) int64 {
	if !b.begun && !b.holds() {
		return int64(seq) + 1<<16
	}
	return b.highest + int64(int16(seq-uint16(b.highest)))
}

func (b *Buffer) holds() bool {
	for i := range b.slots {
		if b.slots[i].full {
			return true
		}
	}
	return false
}

// jump makes room for a packet that is too far ahead: a long loss moves the buffer on, a new stream restarts it.
func (b *Buffer) jump(ext int64) Verdict {
	if ext-b.next > 3000 {
		return b.restart(ext)
	}
	b.next = ext - Slots/2
	for i := range b.slots {
		if b.slots[i].seq < b.next {
			b.slots[i].full = false
		}
	}
	if !b.any() {
		b.next = ext
	}
	b.begun, b.idle = false, 0
	return Accepted
}

func (b *Buffer) any() bool {
	for i := range b.slots {
		if b.slots[i].full && b.slots[i].seq >= b.next {
			return true
		}
	}
	return false
}

func (b *Buffer) restart(ext int64) Verdict {
	b.Reset()
	b.next, b.highest = ext, ext
	return Restarted
}

func (b *Buffer) payload(ext int64) []byte {
	at := int(ext&(Slots-1)) * b.c.PayloadMax
	return b.payloads[at : at+b.c.PayloadMax]
}

// tardiness is how long ago the packet with the timestamp should have been played.
func (b *Buffer) tardiness(stamp uint32) time.Duration {
	return max(b.span(b.stamp-stamp), 0)
}

// span converts a difference of timestamps to time.
func (b *Buffer) span(stamps uint32) time.Duration {
	return time.Duration(int32(stamps)) * time.Second / time.Duration(b.c.ClockRate)
}

// Pop says what is due at now; the caller plays it and then reports its length with Played. silent says whether what was played last was silence, the best
// moment to leave something out.
func (b *Buffer) Pop(now time.Duration, silent bool) Due {
	if !b.begun && !b.start(now) {
		return Due{Kind: Wait}
	}
	if b.steer.grow {
		b.steer.grow = false
		b.steer.underrun()
		return Due{Kind: Wait, Underrun: true}
	}
	if n := b.steer.leaveOut(now, silent, b.c.MaxDelay, b.waiting(now)); n > 0 {
		b.skip(n)
	}
	s := &b.slots[b.next&(Slots-1)]
	if s.full && s.seq == b.next {
		return b.take(s, now)
	}
	if b.highest > b.next && b.any() {
		return b.lose(now)
	}
	if b.steer.underrun(); b.idle > 2*time.Second {
		return Due{Kind: Wait} // the sender has stopped sending: no concealment can bridge that
	}
	return Due{Kind: Wait, Underrun: true}
}

// start begins with the earliest packet, once it has waited as long as packets must.
func (b *Buffer) start(now time.Duration) bool {
	var first *slot
	for i := range b.slots {
		if s := &b.slots[i]; s.full && (first == nil || s.seq < first.seq) {
			first = s
		}
	}
	if first == nil || now-first.arrived < b.steer.need {
		return false
	}
	b.begun, b.next, b.stamp, b.idle = true, first.seq, first.stamp, 0
	return true
}

// take plays a packet. After a silence that was not sent, timestamps jump: then it waits as packets must at a start.
func (b *Buffer) take(s *slot, now time.Duration) Due {
	gap := b.span(s.stamp - b.stamp)
	if gap > b.idle && gap < 10*time.Second && now-s.arrived < b.steer.need {
		return Due{Kind: Wait}
	}
	b.stamp, b.idle = s.stamp, 0
	b.steer.waited(now, now-s.arrived)
	s.full = false
	b.next++
	return Due{Kind: Packet, Payload: b.payload(s.seq)[:s.length]}
}

// lose gives up a packet that is missing while a later one is here.
func (b *Buffer) lose(now time.Duration) Due {
	due := Due{Kind: Lost}
	b.next++
	if s := &b.slots[b.next&(Slots-1)]; s.full && s.seq == b.next {
		if gap := b.span(s.stamp - b.stamp); gap > 10*time.Second || gap < 0 {
			b.stamp = s.stamp
		}
		due.Next = b.payload(s.seq)[:s.length]
		b.steer.waited(now, now-s.arrived)
	}
	return due
}

// Played tells how much time the last Due took: a packet's length as decoded, or what was concealed or left silent.
func (b *Buffer) Played(kind Kind, d time.Duration) {
	switch {
	case !b.begun:
	case kind == Wait:
		b.idle += d
	default:
		b.stamp += uint32(int64(d) * int64(b.c.ClockRate) / int64(time.Second))
	}
}

// waiting is how long the packet that is due has been here, 0 when it is not here.
func (b *Buffer) waiting(now time.Duration) time.Duration {
	if s := &b.slots[b.next&(Slots-1)]; s.full && s.seq == b.next {
		return now - s.arrived
	}
	return 0
}

// skip leaves out n packets, as long as they are here and followed by another.
func (b *Buffer) skip(n int) {
	for range n {
		s, after := &b.slots[b.next&(Slots-1)], &b.slots[(b.next+1)&(Slots-1)]
		if !s.full || s.seq != b.next || !after.full || after.seq != b.next+1 {
			return
		}
		s.full = false
		b.next++
		b.stamp = after.stamp
	}
}
