package sip

import (
	"maps"
	"sync"
	"sync/atomic"
)

// understood are the methods that an RFC names. The others are answered with 501 (RFC 3261 section 21.5.2).
var understood = map[string]bool{
	"INVITE": true, "ACK": true, "CANCEL": true, "BYE": true, "OPTIONS": true, "INFO": true, "PRACK": true, "UPDATE": true,
	"REGISTER": true, "MESSAGE": true, "SUBSCRIBE": true, "NOTIFY": true, "REFER": true, "PUBLISH": true,
}

// Stats counts what came and went since the start.
type Stats struct {
	Requests  map[string]uint64 // received, by method; "other" for methods that no RFC names
	Responses [7]uint64         // sent, by class: [2] are the 2xx
	Refused   uint64            // INVITEs turned away by limits or while stopping
	Dropped   uint64            // datagrams, messages and connections thrown away before parsing
	Checked   uint64            // messages that Check answered
	Strays    uint64            // responses that belong to no request of ours
	Dialogs   int               // alive now
}

type stats struct {
	mu       sync.Mutex
	requests map[string]uint64
	refused  atomic.Uint64
	strays   atomic.Uint64
}

func (s *stats) request(method string) {
	if !understood[method] {
		method = "other"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.requests == nil {
		s.requests = map[string]uint64{}
	}
	s.requests[method]++
}

// Stats are the counters and the dialogs of this moment. Any goroutine may call it.
func (s *Server) Stats() Stats {
	s.stats.mu.Lock()
	requests := maps.Clone(s.stats.requests)
	s.stats.mu.Unlock()
	return Stats{
		Requests: requests, Responses: s.stack.Sent(),
		Refused: s.stats.refused.Load(), Strays: s.stats.strays.Load(),
		Dropped: s.sockets.Dropped.Load(), Checked: s.sockets.Answered.Load(),
		Dialogs: s.book.len(),
	}
}
