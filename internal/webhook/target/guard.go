// Package target says which addresses the server may call on behalf of a customer: those of the public Internet, and what the
// configuration allows by name. It owns no state that changes and starts no goroutine but those of net/http's transport.
package target

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
)

// ErrRefused is in the chain of every refusal of an address.
var ErrRefused = errors.New("the target's address is loopback, private, link-local, multicast, translated or reserved: " +
	"the server calls it only if webhooks.allow_targets has it")

// Guard judges addresses. It never changes and may be used from any goroutine.
type Guard struct {
	allow  []netip.Prefix
	public *ssrf.Guardian
}

// New returns a guard that lets public addresses pass and those in allow.
func New(allow []netip.Prefix) *Guard {
	return &Guard{allow: allow, public: ssrf.New(ssrf.WithAnyPort(), ssrf.WithAnyNetwork())}
}

// refused is what the registries of special addresses (RFC 6890 and its successors) leave out, and forms of IPv6 that carry an IPv4 address: a
// gateway would take the call to wherever that is.
var refused = []netip.Prefix{
	netip.MustParsePrefix("224.0.0.0/4"),        // multicast
	netip.MustParsePrefix("240.0.0.0/4"),        // reserved, broadcast
	netip.MustParsePrefix("192.88.99.0/24"),     // 6to4 relays
	netip.MustParsePrefix("168.63.129.16/32"),   // metadata of a cloud, although it looks public
	netip.MustParsePrefix("100.100.100.200/32"), // the same
	netip.MustParsePrefix("::/96"),              // IPv4-compatible
	netip.MustParsePrefix("::ffff:0:0:0/96"),    // IPv4-translated (SIIT)
	netip.MustParsePrefix("64:ff9b::/96"),       // NAT64
	netip.MustParsePrefix("64:ff9b:1::/48"),     // NAT64, local use
	netip.MustParsePrefix("2002::/16"),          // 6to4
	netip.MustParsePrefix("2001::/32"),          // Teredo
	netip.MustParsePrefix("fc00::/7"),           // unique local
	netip.MustParsePrefix("fe80::/9"),           // link-local, and site-local of old
	netip.MustParsePrefix("ff00::/8"),           // multicast
}

// Addr returns an error with ErrRefused in its chain unless the address may be called. An IPv4 address in IPv6 clothes is judged as what it is.
func (g *Guard) Addr(ip netip.Addr) error {
	zone := ip.Zone()
	ip = ip.Unmap().WithZone("")
	for _, p := range g.allow {
		if p.Contains(ip) {
			return nil
		}
	}
	for _, p := range refused {
		if p.Contains(ip) {
			return ErrRefused
		}
	}
	if zone != "" || isatap(ip) || g.public.SafeAddr(ip) != nil {
		return ErrRefused
	}
	return nil
}

// isatap reports whether the interface identifier carries an IPv4 address (RFC 5214 section 6.1).
func isatap(ip netip.Addr) bool {
	b := ip.As16()
	return ip.Is6() && b[8]&^2 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe
}

// Control is for net.Dialer: it sees the address that is really called, after names were resolved and for every try.
func (g *Guard) Control(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w (it cannot be read)", ErrRefused)
	}
	return g.Addr(at.Addr())
}

// Transport returns a transport that calls only where the guard lets it, without any proxy. An answer's headers have to begin within the
// timeout.
func (g *Guard) Transport(timeout time.Duration) *http.Transport {
	dialer := &net.Dialer{Timeout: timeout, Control: g.Control}
	return &http.Transport{
		Proxy: nil, DialContext: dialer.DialContext, TLSHandshakeTimeout: timeout, ResponseHeaderTimeout: timeout,
		MaxIdleConns: 512, MaxIdleConnsPerHost: 32, IdleConnTimeout: 30 * time.Second, MaxResponseHeaderBytes: 64 << 10,
		ForceAttemptHTTP2: true, DisableCompression: true,
	}
}
