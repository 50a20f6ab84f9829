package jitter

import "time"

// Slots is how many packets a Buffer holds: 1.28 s of packets of 20 ms.
const Slots = 64

const (
	frame           = 20 * time.Millisecond  // the time for which the caller conceals or waits at a time
	longest         = 120 * time.Millisecond // of audio in one packet
	bridged         = 300 * time.Millisecond // after that long without a packet the sender has stopped: nothing is to be concealed
	farAhead        = 3000                   // packets: a minute. What is further away belongs to another stream (RFC 3550 appendix A.1)
	straysToRestart = 3
)

// Config of a Buffer; zero values mean the defaults.
type Config struct {
	ClockRate  int           // RTP clock in Hz; 8000
	PayloadMax int           // longest payload in bytes that is kept; 640
	MaxDelay   time.Duration // longest time that a packet waits; 200 ms
	Redundant  bool          // packets repeat what the one before held: where there is loss, they wait for their followers
}

// Verdict says what became of a pushed packet.
type Verdict uint8

// The verdicts of Push.
const (
	Accepted  Verdict = iota
	Late              // its turn has passed
	Duplicate         // it is or was here already
	TooLong           // its payload is over PayloadMax
	Stray             // its number is far from all others, and not yet confirmed by its followers
	Restarted         // accepted, as the first of a new stream: the sequence number jumped
)

// Kind says what is due.
type Kind uint8

// The kinds of Pop.
const (
	Packet Kind = iota // Due.Payload is to be decoded
	Lost               // a packet is missing: Due.Length is to be made up
	Wait               // nothing is due: not started, silence that the sender does not send, or an underrun
)

// Due is what Pop returns. Payloads stay valid until the next Push.
type Due struct {
	Kind     Kind
	Payload  []byte
	Next     []byte        // with Lost: the payload that follows right after, for its redundancy, or nil
	Length   time.Duration // with Lost: 10 or 20 ms
	Underrun bool          // with Wait: in the middle of a stream, conceal
	GivenUp  int           // packets that were given up since the last Due
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
	next     int64         // sequence number that is due
	highest  int64         // received so far
	stamp    uint32        // timestamp that is due
	idle     time.Duration // what was made up or left silent since the last packet, beyond stamp
	strays   int           // in a row
	stray    uint16        // the last of them
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
	b.begun, b.idle, b.strays = false, 0, 0
	b.steer.restart()
}

// SetClock says at which rate in Hz timestamps count from now on. Another rate than before makes another stream.
func (b *Buffer) SetClock(rate int) {
	if rate != b.c.ClockRate && rate > 0 {
		b.c.ClockRate = rate
		b.Reset()
	}
}

// Delay returns how long the last packet waited.
func (b *Buffer) Delay() time.Duration { return b.steer.last }

// Push takes a packet that came at now. It copies the payload. An empty one holds the place of its number and takes no time: so the packets of
// a stream that are no audio pass.
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
	case ext < b.next && b.next-ext <= Slots:
		if len(payload) > 0 {
			b.steer.late(b.tardiness(stamp))
		}
		return Late
	case ext < b.next || ext-b.next > farAhead:
		if !b.confirmed(seq) {
			return Stray
		}
		verdict = b.restart(ext)
	case ext >= b.next+Slots:
		b.jump(ext)
	}
	b.strays = 0
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

// confirmed reports whether seq is one of a row: one packet with a wrong number must not end a good stream (RFC 3550 appendix A.1).
func (b *Buffer) confirmed(seq uint16) bool {
	if b.strays > 0 && seq == b.stray+1 {
		b.strays++
	} else {
		b.strays = 1
	}
	b.stray = seq
	return b.strays >= straysToRestart
}

// jump moves the buffer on to a packet that is too far ahead for it, as after a long loss.
func (b *Buffer) jump(ext int64) {
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
	missing := 0
	for ext := b.next; ext <= b.highest; ext++ {
		switch s := b.here(ext); {
		case s == nil:
			missing++
		case s.length == 0 && missing == 0:
			s.full = false
			b.next++
		case s.length > 0 && missing == 0:
			return b.take(s, now)
		case s.length > 0:
			return b.lose(s, missing, now)
		}
	}
	b.steer.underrun()
	return Due{Kind: Wait, Underrun: b.idle < bridged}
}

// start begins with the earliest packet, once it has waited as long as packets must.
func (b *Buffer) start(now time.Duration) bool {
	var first *slot
	for i := range b.slots {
		if s := &b.slots[i]; s.full && s.length > 0 && (first == nil || s.seq < first.seq) {
			first = s
		}
	}
	if first == nil || now-first.arrived < b.steer.need {
		return false
	}
	b.begun, b.next, b.stamp, b.idle = true, first.seq, first.stamp, 0
	return true
}

// here returns the slot of a packet that is in the buffer, else nil.
func (b *Buffer) here(ext int64) *slot {
	if s := &b.slots[ext&(Slots-1)]; s.full && s.seq == ext {
		return s
	}
	return nil
}

// take plays a packet. After a silence that was not sent, timestamps jump: then it waits as packets must at a start.
func (b *Buffer) take(s *slot, now time.Duration) Due {
	gap := b.span(s.stamp - b.stamp)
	if gap > b.idle && gap < 10*time.Second && now-s.arrived < b.steer.need {
		return Due{Kind: Wait}
	}
	if b.idle > 0 && gap >= 0 && gap < frame/2 {
		b.steer.overdue()
	}
	b.stamp, b.idle = s.stamp, 0
	b.steer.waited(now, now-s.arrived)
	s.full = false
	b.next++
	return Due{Kind: Packet, Payload: b.payload(s.seq)[:s.length]}
}

// lose deals with the packets that are missing before one that is here. What was made up while waiting for them counts for their time;
// what is left of it is to be concealed now, in steps of one frame.
func (b *Buffer) lose(after *slot, missing int, now time.Duration) Due {
	gap := b.span(after.stamp - b.stamp)
	left := gap - b.idle
	if left <= 0 || gap > time.Duration(missing)*longest {
		if b.c.Redundant && missing == 1 && b.idle == frame {
			b.steer.late(frame) // its follower could have mended it, but was not here yet
		}
		b.next = after.seq
		due := b.take(after, now)
		due.GivenUp = missing
		return due
	}
	due := Due{Kind: Lost, Length: frame}
	if left <= frame/2 {
		due.Length = frame / 2
	}
	switch {
	case left > due.Length:
		due.GivenUp = missing * int(due.Length) / int(left)
		b.pass(due.GivenUp)
	case due.Length == frame:
		due.Next = b.payload(after.seq)[:after.length]
		fallthrough
	default:
		due.GivenUp = missing
		b.next = after.seq
	}
	b.steer.waited(now, now-after.arrived)
	return due
}

// pass gives up the next n packets that are missing.
func (b *Buffer) pass(n int) {
	for n > 0 {
		if b.here(b.next) == nil {
			n--
		}
		b.next++
	}
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
	if s := b.here(b.next); s != nil {
		return now - s.arrived
	}
	return 0
}

// skip leaves out n packets, as long as they are here and followed by another.
func (b *Buffer) skip(n int) {
	for range n {
		s, after := b.here(b.next), b.here(b.next+1)
		if s == nil || after == nil {
			return
		}
		s.full = false
		b.next++
		b.stamp = after.stamp
	}
}
