// Package loop is the media loop: per core one locked OS thread that owns the sockets, sessions and rooms given to it, ticks them by
// absolute deadlines, reads what has arrived and writes what has been mixed. It owns the node's media ports. Signalling speaks to it through Engine, Session,
// Room and Port, whose methods hand over commands and never make the loop wait; rtp and mixer do the work on packets and on samples. The only
// goroutines are the loops, started and awaited by Run.
package loop

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"sync"

	"parley/internal/fault"
	"parley/internal/loop/pace"
	"parley/internal/loop/udp"
	"parley/internal/mixer"
	"parley/internal/rtp"
)

// Options of an Engine.
type Options struct {
	IP        netip.Addr // address to bind and to write into SDP
	Low, High uint16     // RTP on even ports, RTCP on the odd one above (RFC 3550 section 11)
	Loops     int        // 0: one per usable core
	Busy      float64    // share of a loop's time above which Admit refuses; 0: 0.75
}

// Engine owns the media loops of this node. Its methods may be called from any goroutine.
type Engine struct {
	ip    netip.Addr
	ports *udp.Ports
	loops []*loop

	mu       sync.Mutex // guards all below
	running  bool
	ended    bool
	sessions map[*Session]struct{}
}

// Open checks the options and makes an Engine that is not running yet.
func Open(o Options) (*Engine, error) {
	ip := o.IP.Unmap()
	if !ip.IsValid() || ip.IsUnspecified() || ip.IsMulticast() {
		return nil, fault.New(fault.Invalid, "MEDIA_ADDRESS_INVALID", "media address %q cannot be written into SDP: name one address of this host", o.IP)
	}
	if o.Loops < 0 {
		return nil, fault.New(fault.Invalid, "MEDIA_LOOPS_INVALID", "%d media loops: use 0 for one per core, or a positive number", o.Loops)
	}
	busy := o.Busy
	if busy == 0 {
		busy = busyLimit
	}
	if !(busy > 0 && busy <= 1) {
		return nil, fault.New(fault.Invalid, "MEDIA_BUSY_INVALID", "media loops cannot be busy for a share of %v: use a number above 0 and at most 1", o.Busy)
	}
	ports, err := udp.NewPorts(o.Low, o.High)
	if err != nil {
		return nil, err
	}
	e := &Engine{ip: ip, ports: ports, sessions: map[*Session]struct{}{}}
	n := o.Loops
	if n == 0 {
		n = runtime.GOMAXPROCS(0)
	}
	clock, err := pace.NewClock()
	if err != nil {
		return nil, err
	}
	for range n {
		e.loops = append(e.loops, newLoop(clock, busy))
	}
	return e, nil
}

// Run runs the loops until ctx ends, then says goodbye to the peers and closes every socket. It returns the first fatal error. An
// Engine runs once; what other methods asked for before Run is done when it begins.
func (e *Engine) Run(ctx context.Context) error {
	e.mu.Lock()
	if e.running {
		e.mu.Unlock()
		return fault.New(fault.Conflict, "MEDIA_ENGINE_RAN", "the media engine runs once: open another")
	}
	e.running = true
	e.mu.Unlock()

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	errs := make([]error, len(e.loops))
	for i, l := range e.loops {
		all.Go(func() {
			if errs[i] = l.run(ctx); errs[i] != nil {
				cancel()
			}
		})
	}
	all.Wait()
	e.closeSockets()
	for i, err := range errs {
		if err != nil {
			return fmt.Errorf("media loop %d: %w", i, err)
		}
	}
	return nil
}

func (e *Engine) closeSockets() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ended = true
	for s := range e.sessions {
		s.pair.Close()
	}
}

// NewSession binds a pair of ports. It fails with fault.Exhausted, reason MEDIA_PORTS_EXHAUSTED, when none is free.
func (e *Engine) NewSession() (*Session, error) {
	pair, err := e.ports.Open(e.ip)
	if err != nil {
		return nil, err
	}
	s := &Session{engine: e, pair: pair}
	s.leg = &leg{session: s, pair: pair, rate: initialRate, last: neverHeard, rtp: rtp.NewSession(rand.Uint32(), uint16(rand.Uint32()), rand.Uint32())}
	s.heard.Store(int64(neverHeard))
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ended {
		e.ports.Free(pair)
		return nil, errStopped()
	}
	e.sessions[s] = struct{}{}
	return s, nil
}

// NewRoom makes an empty room on the least loaded loop.
func (e *Engine) NewRoom() *Room {
	l := e.leastLoaded()
	l.rooms.Add(1)
	return &Room{loop: l, mix: mixer.New(), facts: make(chan Fact, factsWaiting)}
}

// forget frees the ports of a session whose sockets nobody reads any more.
func (e *Engine) forget(s *Session) {
	e.mu.Lock()
	delete(e.sessions, s)
	e.mu.Unlock()
	e.ports.Free(s.pair)
}

func (e *Engine) counted() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.sessions)
}

func errStopped() error {
	return fault.New(fault.Unavailable, "MEDIA_STOPPED", "the media engine has stopped: the server is shutting down")
}
