package loop

import (
	"errors"
	"net/netip"
	"sync"

	"golang.org/x/sys/unix"

	"parley/internal/fault"
)

// ports hands out pairs of an even port for RTP and the odd one above for RTCP, round robin: the pair freed last is taken last,
// so that what still travels to an old call does not reach a new one.
type ports struct {
	first uint16 // even

	mu   sync.Mutex // guards used and next
	used []bool     // by pair
	next int
}

// pair is two bound sockets.
type pair struct {
	index     int
	local     netip.AddrPort // of RTP
	rtp, rtcp int            // descriptors
	closed    sync.Once
}

func (p *pair) close() {
	p.closed.Do(func() {
		_ = unix.Close(p.rtp)
		_ = unix.Close(p.rtcp)
	})
}

func newPorts(low, high uint16) (*ports, error) {
	first := int(low) + int(low)%2
	n := (int(high) + 1 - first) / 2
	if low == 0 || n < 1 {
		return nil, fault.New(fault.Invalid, "MEDIA_PORTS_INVALID", "media ports %d-%d hold no pair of an even port and the next: widen the range", low, high)
	}
	return &ports{first: uint16(first), used: make([]bool, n)}, nil
}

// open binds the next pair that is free, here and in the system.
func (p *ports) open(ip netip.Addr) (*pair, error) {
	for range len(p.used) {
		i, ok := p.take()
		if !ok {
			break
		}
		bound, err := bindPair(ip, p.first+uint16(2*i))
		if err == nil {
			bound.index = i
			return bound, nil
		}
		p.mu.Lock()
		p.used[i] = false
		p.mu.Unlock()
		if errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) {
			return nil, fault.New(fault.Exhausted, "MEDIA_PORTS_EXHAUSTED", "no descriptor is left for a media socket: raise the limit of open files")
		}
		if !errors.Is(err, unix.EADDRINUSE) && !errors.Is(err, unix.EACCES) {
			return nil, err
		}
	}
	return nil, fault.New(fault.Exhausted, "MEDIA_PORTS_EXHAUSTED", "all %d pairs of media ports are in use: widen the range of media ports", len(p.used))
}

func (p *ports) take() (int, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for range p.used {
		i := p.next
		p.next = (p.next + 1) % len(p.used)
		if !p.used[i] {
			p.used[i] = true
			return i, true
		}
	}
	return 0, false
}

func (p *ports) free(x *pair) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used[x.index] = false
}

func bindPair(ip netip.Addr, port uint16) (*pair, error) {
	p := &pair{local: netip.AddrPortFrom(ip, port)}
	var err error
	if p.rtp, err = bindUDP(p.local, rtpQueue); err != nil {
		return nil, err
	}
	if p.rtcp, err = bindUDP(netip.AddrPortFrom(ip, port+1), rtcpQueue); err != nil {
		_ = unix.Close(p.rtp)
		return nil, err
	}
	return p, nil
}
