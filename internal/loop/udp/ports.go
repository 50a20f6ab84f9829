package udp

import (
	"errors"
	"net/netip"
	"sync"

	"golang.org/x/sys/unix"

	"parley/internal/fault"
)

// Ports hands out pairs of an even port for RTP and the odd one above for RTCP (RFC 3550 section 11), round robin: what was freed last
// is taken last, so that what still travels to an old call does not reach a new one. Its methods may be called from any goroutine.
type Ports struct {
	first uint16 // even

	mu   sync.Mutex // guards used and next
	used []bool     // by pair
	next int
}

// Pair is two bound sockets.
type Pair struct {
	Local     netip.AddrPort // of RTP
	RTP, RTCP Socket
	index     int
	closed    sync.Once
}

// Close closes both. It may be called twice, by anyone, once nobody uses the sockets any more.
func (p *Pair) Close() {
	p.closed.Do(func() {
		_ = unix.Close(p.RTP.fd)
		_ = unix.Close(p.RTCP.fd)
	})
}

// NewPorts takes the range of ports, or refuses one without a pair with MEDIA_PORTS_INVALID.
func NewPorts(low, high uint16) (*Ports, error) {
	first := int(low) + int(low)%2
	n := (int(high) + 1 - first) / 2
	if low == 0 || n < 1 {
		return nil, fault.New(fault.Invalid, "MEDIA_PORTS_INVALID", "media ports %d-%d hold no pair of an even port and the next: widen the range", low, high)
	}
	return &Ports{first: uint16(first), used: make([]bool, n)}, nil
}

// Len returns how many pairs the range holds.
func (p *Ports) Len() int { return len(p.used) }

// Open binds the next pair that is free, here and in the system. It refuses with MEDIA_PORTS_EXHAUSTED when there is none.
func (p *Ports) Open(ip netip.Addr) (*Pair, error) {
	for range p.used {
		i, ok := p.take()
		if !ok {
			break
		}
		bound, err := bindPair(ip, p.first+uint16(2*i))
		if err == nil {
			bound.index = i
			return bound, nil
		}
		p.release(i)
		if errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) {
			return nil, fault.New(fault.Exhausted, "MEDIA_PORTS_EXHAUSTED", "no descriptor is left for a media socket: raise the limit of open files")
		}
		if !errors.Is(err, unix.EADDRINUSE) {
			return nil, err
		}
	}
	return nil, fault.New(fault.Exhausted, "MEDIA_PORTS_EXHAUSTED", "all %d pairs of media ports are in use: widen the range of media ports", len(p.used))
}

// Free closes a pair and gives its ports back. It is called once for each.
func (p *Ports) Free(x *Pair) {
	x.Close()
	p.release(x.index)
}

func (p *Ports) release(i int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used[i] = false
}

func (p *Ports) take() (int, bool) {
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

func bindPair(ip netip.Addr, port uint16) (*Pair, error) {
	p := &Pair{Local: netip.AddrPortFrom(ip, port)}
	rtp, err := bindUDP(p.Local, rtpQueue)
	if err != nil {
		return nil, err
	}
	rtcp, err := bindUDP(netip.AddrPortFrom(ip, port+1), rtcpQueue)
	if err != nil {
		_ = unix.Close(rtp)
		return nil, err
	}
	p.RTP, p.RTCP = Socket{fd: rtp, v6: ip.Is6()}, Socket{fd: rtcp, v6: ip.Is6()}
	p.RTCP.Age()
	return p, nil
}
