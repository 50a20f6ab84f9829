package stack

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Hop is the next element that a request goes to.
type Hop struct {
	Network string // "UDP", "TCP" or "TLS"
	Host    string // name or IP, without the brackets of an IPv6 reference
	Port    int    // 0: as DNS says, or the default
	Flow    string // IP:PORT at the other end of a connection that is used as long as it is there
}

// Way is a hop that was found: the address, and for TCP and TLS a connection to it.
type Way struct {
	Network string
	Addr    string // IP:PORT
}

// HopOf is where a URI points to; network is what it goes over when the URI does not say.
func HopOf(u *sip.Uri, network string) Hop {
	if t, ok := u.UriParams.Get("transport"); ok {
		switch t = sip.NetworkToUpper(t); t {
		case "UDP", "TCP", "TLS":
			network = t
		}
	}
	if u.IsEncrypted() { // RFC 3261 section 26.2.2
		network = "TLS"
	}
	return Hop{Network: network, Host: bare(u.Host), Port: u.Port}
}

// bare is a host without the brackets of an IPv6 reference.
func bare(host string) string { return strings.Trim(host, "[]") }

// Route finds the way to a hop: by the open connection, else by name and a new connection. It may take seconds.
func (s *Stack) Route(ctx context.Context, h Hop) (Way, error) {
	reliable := sip.IsReliable(h.Network)
	if reliable && h.Flow != "" && s.connected(h.Network, h.Flow) {
		return Way{h.Network, h.Flow}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	at, err := s.resolve(ctx, h)
	if err != nil {
		return Way{}, err
	}
	w := Way{h.Network, at.String()}
	if reliable && !s.connected(w.Network, w.Addr) {
		if err := s.Connect(ctx, w.Network, h.Host, w.Addr); err != nil {
			return Way{}, fmt.Errorf("connect to %s over %s: %w", w.Addr, w.Network, err)
		}
	}
	return w, nil
}

func (s *Stack) connected(network, addr string) bool {
	c, err := s.Transport.GetConnection(network, addr)
	if err != nil {
		return false
	}
	_, _ = c.TryClose() // only gives the reference back
	return true
}

// resolve finds the address of a hop: service records when the port is open (RFC 3263 section 4), then the host's addresses.
func (s *Stack) resolve(ctx context.Context, h Hop) (netip.AddrPort, error) {
	host, port := h.Host, h.Port
	ip, err := netip.ParseAddr(host)
	if err == nil {
		if port == 0 {
			port = sip.DefaultPort(h.Network)
		}
		return netip.AddrPortFrom(ip.Unmap(), uint16(port)), nil
	}
	if port == 0 {
		host, port = services(ctx, h)
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil || len(ips) == 0 {
		return netip.AddrPort{}, fmt.Errorf("find the address of %q: %w", host, err)
	}
	six := s.Local.Addr().Is6() && !s.Local.Addr().IsUnspecified()
	for _, other := range ips {
		if other.Unmap().Is6() == six {
			return netip.AddrPortFrom(other.Unmap(), uint16(port)), nil
		}
	}
	return netip.AddrPortFrom(ips[0].Unmap(), uint16(port)), nil
}

// services asks for the first service record of a name; without one it is the name itself with the default port.
func services(ctx context.Context, h Hop) (host string, port int) {
	service, proto := "sip", strings.ToLower(h.Network)
	if h.Network == "TLS" {
		service, proto = "sips", "tcp"
	}
	if strings.Contains(h.Host, ".") {
		if _, found, err := net.DefaultResolver.LookupSRV(ctx, service, proto, h.Host); err == nil && len(found) > 0 {
			return strings.TrimSuffix(found[0].Target, "."), int(found[0].Port)
		}
	}
	return h.Host, sip.DefaultPort(h.Network)
}

// HostFor is the host that the peer can reach us by: the configured one, the bound one, or that of the interface towards it.
func (s *Stack) HostFor(remote string) string {
	if s.Host != "" {
		return s.Host
	}
	if ip := s.Local.Addr(); !ip.IsUnspecified() {
		return ip.String()
	}
	// Connecting a datagram socket asks the routing table and sends nothing.
	if c, err := net.Dial("udp", remote); err == nil {
		defer func() { _ = c.Close() }()
		return c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap().String()
	}
	return s.Local.Addr().String()
}

func (s *Stack) port(network string) int {
	if network == "TLS" && s.LocalTLS.IsValid() {
		return int(s.LocalTLS.Port())
	}
	return int(s.Local.Port())
}

// Self is the URI by which the peer at the other end of a way reaches us.
func (s *Stack) Self(w Way) sip.Uri {
	u := sip.Uri{Scheme: "sip", Host: s.HostFor(w.Addr), Port: s.port(w.Network)}
	if sip.IsReliable(w.Network) {
		u.UriParams.Add("transport", strings.ToLower(w.Network))
	}
	return u
}

// Lead makes a request go a way: Via on top, transport, destination. UDP leaves by the listening socket.
func (s *Stack) Lead(req *sip.Request, w Way) {
	via := &sip.ViaHeader{ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: w.Network, Host: s.HostFor(w.Addr), Port: s.port(w.Network)}
	via.Params.Add("branch", sip.GenerateBranch())
	via.Params.Add("rport", "")
	req.PrependHeader(via)
	req.SetTransport(w.Network)
	req.SetDestination(w.Addr)
	if !sip.IsReliable(w.Network) {
		req.Laddr = sip.Addr{IP: s.Local.Addr().AsSlice(), Port: int(s.Local.Port())}
	}
}

// Address is the text of a host and a port; an IPv6 host may come with or without brackets.
func Address(host string, port int) string { return net.JoinHostPort(bare(host), strconv.Itoa(port)) }
