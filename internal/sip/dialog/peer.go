package dialog

import (
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"

	"parley/internal/sip/field"
)

// peer is the other side of a dialog as requests to it need it.
type peer struct {
	target    sip.Uri   // remote target
	routes    []sip.Uri // route set, fixed by the INVITE
	transport string    // "UDP" or "TCP"
	source    string    // address that its last target refresh came from
	nat       bool      // it is behind a translator: its Contact cannot be reached, its source can
	update    bool      // it takes UPDATE
}

// peerOf reads the dialog's state of the peer out of its INVITE (RFC 3261 section 12.1.1).
func peerOf(req *sip.Request) peer {
	p := peer{transport: req.Transport()}
	for _, h := range req.GetHeaders("record-route") {
		if rr, ok := h.(*sip.RecordRouteHeader); ok {
			p.routes = append(p.routes, *rr.Address.Clone())
		}
	}
	p.refresh(req)
	if req.Contact() == nil { // as RFC 2543 allowed: the caller is who sent it
		p.target, p.nat = *req.From().Address.Clone(), len(p.routes) == 0
	}
	return p
}

// refresh takes the target of a request that may change it (RFC 3261 section 12.2.2, RFC 3311 section 5.2).
func (p *peer) refresh(req *sip.Request) {
	p.source = req.Source()
	if c := req.Contact(); c != nil && c.Address.Host != "" && !c.Address.Wildcard {
		p.target = *c.Address.Clone()
		p.nat = len(p.routes) == 0 && translated(req, c.Address.Host)
	}
	if len(req.GetHeaders("allow")) > 0 {
		p.update = field.Lists(req, "UPDATE", "allow")
	}
}

// translated tells that a request came straight from an element whose Contact is an address it was not sent from, and that asked for
// symmetric responses (RFC 3581): requests have to go the same way.
func translated(req *sip.Request, contact string) bool {
	via := req.Via()
	ip, err := netip.ParseAddr(bare(contact))
	return err == nil && len(req.GetHeaders("via")) == 1 && via.Params.Has("rport") && ip.Unmap() != field.Source(req).Addr()
}

// bare is a host without the brackets of an IPv6 reference.
func bare(host string) string { return strings.Trim(host, "[]") }

// hop is the URI that the next element of the way has.
func (p *peer) hop() *sip.Uri {
	if len(p.routes) > 0 {
		return &p.routes[0]
	}
	return &p.target
}

// address fills in where a request goes: request URI, Route headers, transport and destination (RFC 3261 section 12.2.1.1).
func (p *peer) address(req *sip.Request) {
	req.Recipient = *p.target.Clone()
	routes := p.routes
	if len(routes) > 0 && !routes[0].UriParams.Has("lr") { // a strict router
		req.Recipient = *routes[0].Clone()
		routes = append(append([]sip.Uri{}, routes[1:]...), *p.target.Clone())
	}
	for _, r := range routes {
		req.AppendHeader(&sip.RouteHeader{Address: *r.Clone()})
	}
	req.Recipient.Headers = nil
	req.SetTransport(p.transport)
	if t, ok := p.hop().UriParams.Get("transport"); ok {
		switch t = sip.NetworkToUpper(t); t {
		case "UDP", "TCP":
			req.SetTransport(t)
		}
	}
	hop := p.hop()
	port := hop.Port
	if port == 0 {
		port = sip.DefaultPort(req.Transport())
	}
	req.SetDestination(net.JoinHostPort(bare(hop.Host), strconv.Itoa(port)))
	if p.nat {
		req.SetTransport(p.transport)
		req.SetDestination(p.source)
	}
}

// hostFor is the host that the peer can reach us by: the configured one, the bound one, or that of the interface towards it.
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

// contact is our own target with the feature tag of a conference focus (RFC 4579 section 4.2).
func (d *Dialog) contact() *sip.ContactHeader {
	c := &sip.ContactHeader{Address: sip.Uri{
		Scheme: "sip", User: d.req.Recipient.User, Password: d.req.Recipient.Password,
		Host: d.s.HostFor(d.req.Source()), Port: int(d.s.Local.Port()),
	}}
	if sip.IsReliable(d.req.Transport()) {
		c.Address.UriParams.Add("transport", "tcp")
	}
	c.Params.Add("isfocus", "")
	return c
}
