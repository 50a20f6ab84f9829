package loop

import (
	"sync"
	"time"

	"parley/internal/loop/meter"
	"parley/internal/loop/udp"
	"parley/internal/rtp"
)

// Stats of a session, both directions.
type Stats = rtp.Stats

// Counts of packets of a loop since its start.
type Counts struct {
	PacketsIn, PacketsOut uint64
	Refused               uint64 // not believed, or malformed
	BadReads              uint64 // too long, or the system reported an error, as when the peer's port is closed
	SendsFull             uint64 // not sent because the system's buffer was full
	SendsFailed           uint64 // not sent for another reason
	DigitsLost            uint64 // keys that nobody took out of Facts in time
}

// LateBuckets are the upper bounds of LoopStats.Late in seconds; a last bucket takes what is above.
var LateBuckets = meter.Buckets

// LoopStats tell how one loop does.
type LoopStats struct {
	Counts
	Busy       float64                        // share of time, averaged over about a second
	Late       [len(meter.Buckets) + 1]uint64 // slots of 5 ms by how late they began, not cumulated
	LateSum    time.Duration
	LostFrames uint64 // frames of 20 ms given up because the loop was more than 100 ms late
	Rooms      int
	Ports      int
	Queue      int    // commands waiting
	QueueFull  uint64 // commands that had to wait for a place in the queue
}

// EngineStats tell how the media does on this node.
type EngineStats struct {
	Loops    []LoopStats
	Sessions int
	Pairs    int // of media ports in the range
}

// shown is what others may read. The thread only tries the lock.
type shown struct {
	mu    sync.Mutex // guards stats
	stats LoopStats
}

func (s *shown) read() LoopStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// publishSlots is how often counts are shown: each 200 ms.
const publishSlots = 40

// sent counts the outcome of a send.
func (c *Counts) sent(v udp.Verdict) {
	switch v {
	case udp.Done:
		c.PacketsOut++
	case udp.Full:
		c.SendsFull++
	default:
		c.SendsFailed++
	}
}

// publish shows the counts unless someone is just reading the last ones.
func (l *loop) publish() {
	if !l.shown.mu.TryLock() {
		return
	}
	l.shown.stats = LoopStats{
		Counts: l.counts, Late: l.load.Late, LateSum: l.load.LateSum, LostFrames: l.load.Lost, Ports: l.legs,
	}
	l.shown.mu.Unlock()
}

// Stats returns figures that are at most 200 ms old.
func (e *Engine) Stats() EngineStats {
	stats := EngineStats{Sessions: e.counted(), Pairs: e.ports.Len()}
	for _, l := range e.loops {
		s := l.shown.read()
		s.Busy, s.Rooms, s.Queue, s.QueueFull = l.load.Share(), int(l.rooms.Load()), l.queue.Len(), l.queue.Waits()
		stats.Loops = append(stats.Loops, s)
	}
	return stats
}
