package rtp

import (
	"net/netip"
	"time"

	"parley/internal/sdp"
)

// latch decides which address is believed (symmetric RTP, RFC 4961, within bounds). The signalled address is, at once. Before it has spoken, another
// may take its place if the peer is likely to be behind NAT: another port of the signalled IP address, or, where that is a private one, any
// port of the address that the signalling came from. It must send several packets of one stream in a row. The signalled address takes back
// what such a guess was given as soon as it speaks. Beyond that, whoever was believed first stays the only one until signalling names another
// address: strangers change nothing (the class of holes known as RTP bleed).
type latch struct {
	signalled netip.AddrPort
	source    netip.Addr // of the signalling
	latched   netip.AddrPort
	candidate netip.AddrPort
	ssrc      uint32
	votes     int
	last      time.Duration // of a believed packet
}

const votesNeeded = 4

// configure takes over the signalled addresses.
func (l *latch) configure(m sdp.Media) {
	signalled, source := unmap(m.Remote), m.Source.Unmap()
	moved := source != l.source && private(signalled.Addr())
	if l.source = source; signalled == l.signalled && !moved {
		return
	}
	l.signalled = signalled
	l.latched, l.candidate, l.votes = netip.AddrPort{}, netip.AddrPort{}, 0
}

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

func (l *latch) believe(from netip.AddrPort, ssrc uint32) bool {
	from = unmap(from)
	if from == l.signalled && from.IsValid() {
		l.latched = from
		return true
	}
	if l.latched.IsValid() {
		return from == l.latched
	}
	if !l.plausible(from.Addr()) {
		return false
	}
	if from != l.candidate || ssrc != l.ssrc {
		l.candidate, l.ssrc, l.votes = from, ssrc, 0
	}
	if l.votes++; l.votes < votesNeeded {
		return false
	}
	l.latched = from
	return true
}

// sure reports whether the signalled address itself has spoken: nobody else can be believed until signalling names another.
func (l *latch) sure() bool { return l.latched.IsValid() && l.latched == l.signalled }

func (l *latch) plausible(from netip.Addr) bool {
	want := l.signalled.Addr()
	if !want.IsValid() || want.IsUnspecified() {
		return false
	}
	return from == want || from == l.source && private(want)
}

// private reports whether an address means nothing outside of the network that it is of.
func private(a netip.Addr) bool {
	return a.IsPrivate() || a.IsLinkLocalUnicast() || carrierNAT.Contains(a)
}

var carrierNAT = netip.MustParsePrefix("100.64.0.0/10") // RFC 6598

func (l *latch) target() netip.AddrPort {
	if l.latched.IsValid() {
		return l.latched
	}
	if a := l.signalled.Addr(); !a.IsValid() || a.IsUnspecified() {
		return netip.AddrPort{}
	}
	return l.signalled
}

// budget limits packets per second.
type budget struct {
	second time.Duration
	used   int
}

func (b *budget) take(now time.Duration, most int) bool {
	if now-b.second >= time.Second {
		b.second, b.used = now, 0
	}
	b.used++
	return b.used <= most
}
