package way

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	guessBurst  = 10              // unknown hashes that one network may call at once
	guessEvery  = 6 * time.Second // after that, one more each
	guessersMax = 4096            // networks that are remembered
)

// guesses counts calls to unknown direct hashes by the network they come from.
type guesses struct {
	mu      sync.Mutex // guards buckets
	buckets map[netip.Prefix]*rate.Limiter
}

func (g *guesses) allowed(peer netip.AddrPort) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := g.buckets[network(peer)]
	return b == nil || b.Tokens() >= 1
}

func (g *guesses) missed(peer netip.AddrPort) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.buckets == nil {
		g.buckets = map[netip.Prefix]*rate.Limiter{}
	}
	who := network(peer)
	if g.buckets[who] == nil {
		g.forget()
		g.buckets[who] = rate.NewLimiter(rate.Every(guessEvery), guessBurst)
	}
	g.buckets[who].Allow()
}

// forget makes room for one more network: those that have been quiet for long go first.
func (g *guesses) forget() {
	if len(g.buckets) < guessersMax {
		return
	}
	for who, b := range g.buckets {
		if b.Tokens() >= guessBurst {
			delete(g.buckets, who)
		}
	}
	for who := range g.buckets {
		if len(g.buckets) < guessersMax {
			return
		}
		delete(g.buckets, who)
	}
}

// network is what one guesser can be expected to have: an IPv4 address, or an IPv6 /64.
func network(peer netip.AddrPort) netip.Prefix {
	ip := peer.Addr().Unmap().WithZone("")
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	p, _ := ip.Prefix(bits)
	return p
}
