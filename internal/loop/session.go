package loop

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"parley/internal/fault"
	"parley/internal/loop/udp"
	"parley/internal/sdp"
)

// Session is the handle of a media transport. It sends and receives nothing until Apply; audio flows while a Port joins it to a Room.
// Methods may be called from any goroutine.
type Session struct {
	engine *Engine
	pair   *udp.Pair
	leg    *leg         // belongs to the loop named below
	heard  atomic.Int64 // when the last believed packet came, on the engine's clock

	statsMu sync.Mutex // guards stats; the loop only tries it
	stats   Stats

	mu     sync.Mutex // guards all below; held while a loop takes over
	loop   *loop      // that has the leg, nil before Apply and Enter
	port   *Port
	closed bool
}

// Local returns the address of the RTP socket as it is written into SDP.
func (s *Session) Local() netip.AddrPort { return s.pair.Local }

// Apply takes over what an offer and answer agreed on, at the start and after each re-INVITE. It waits for the loop.
func (s *Session) Apply(m sdp.Media) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed()
	}
	if s.loop != nil {
		return s.loop.do(func() error { return s.leg.apply(m) })
	}
	l := s.engine.leastLoaded()
	err := l.do(func() error {
		if err := s.leg.apply(m); err != nil {
			return err
		}
		l.addIdle(s.leg)
		return nil
	})
	if err == nil {
		s.loop = l
	}
	return err
}

// Silence returns how long no believed packet has come, negative when none ever came.
func (s *Session) Silence() time.Duration {
	heard := time.Duration(s.heard.Load())
	if heard < 0 {
		return neverHeard
	}
	return max(s.engine.loops[0].clock.Now()-heard, 0)
}

// Stats returns a snapshot that is about a second old at most.
func (s *Session) Stats() Stats {
	s.statsMu.Lock()
	defer s.statsMu.Unlock()
	return s.stats
}

// Close leaves the room and frees the ports. It may be called twice.
func (s *Session) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	if s.loop != nil {
		// After the loop's end there is nothing to leave.
		_ = s.loop.do(func() error { s.leg.end(); return nil })
	}
	s.engine.forget(s)
}

// moveTo brings the leg to a loop. s.mu is held.
func (s *Session) moveTo(l *loop) error {
	if s.loop == nil || s.loop == l {
		s.loop = l
		return nil
	}
	from := s.loop
	if err := from.do(func() error { from.removeIdle(s.leg); return nil }); err != nil {
		return err
	}
	s.loop = l
	return nil
}

func errClosed() error {
	return fault.New(fault.Conflict, "SESSION_CLOSED", "the media session is closed: open another")
}

// end takes the leg out of its loop for good.
func (s *leg) end() {
	if s.loop == nil {
		return
	}
	s.bye()
	s.endKeyings()
	if s.room != nil {
		s.room.remove(s)
	} else {
		s.loop.removeIdle(s)
	}
}
