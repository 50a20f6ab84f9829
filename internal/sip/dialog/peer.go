package dialog

import (
	"net/netip"
	"slices"

	"github.com/emiago/sipgo/sip"

	"parley/internal/sip/field"
	"parley/internal/sip/stack"
)

// Leg is the other side of a dialog as requests to it need it. The legs of an INVITE of ours are one for each phone that it reached.
type Leg struct {
	to      sip.ToHeader // with the peer's tag
	target  sip.Uri      // remote target
	routes  []sip.Uri    // route set, fixed by the INVITE
	network string       // "UDP", "TCP" or "TLS"
	source  string       // address that its last target refresh came from
	nat     bool         // it is behind a translator: its Contact cannot be reached, its source can
	update  bool         // it takes UPDATE
	message bool         // it may take MESSAGE
}

// legOf reads the dialog's state of the peer out of its INVITE (RFC 3261 section 12.1.1).
func legOf(req *sip.Request) Leg {
	p := Leg{to: req.From().AsTo(), network: req.Transport(), message: true}
	p.routes = routesOf(req)
	p.refresh(req)
	if req.Contact() == nil { // as RFC 2543 allowed: the caller is who sent it
		p.target, p.nat = *req.From().Address.Clone(), len(p.routes) == 0
	}
	return p
}

// LegOf reads the state out of a response to an INVITE of ours (RFC 3261 section 12.1.2); w is the way that the INVITE went. flow tells
// that the phone was called by the connection or address that it registered from, which its Contact need not be.
func LegOf(invite *sip.Request, res *sip.Response, w stack.Way, flow bool) Leg {
	p := Leg{network: w.Network, source: w.Addr, message: true, target: *invite.Recipient.Clone()}
	p.to = sip.ToHeader{DisplayName: invite.To().DisplayName, Address: *invite.To().Address.Clone()}
	if to := res.To(); to != nil {
		p.to.Params.Add("tag", field.Tag(to.Params))
	}
	p.routes = routesOf(res)
	slices.Reverse(p.routes)
	p.allow(res)
	if c := res.Contact(); c != nil && c.Address.Host != "" && !c.Address.Wildcard {
		p.target = *c.Address.Clone()
	}
	p.nat = len(p.routes) == 0 && (flow && p.target.Host == invite.Recipient.Host || hidden(p.target.Host, w.Addr))
	return p
}

// Tag is the peer's tag; "" while it has none.
func (p *Leg) Tag() string { return field.Tag(p.to.Params) }

func routesOf(m sip.Message) (routes []sip.Uri) {
	for _, h := range m.GetHeaders("record-route") {
		if rr, ok := h.(*sip.RecordRouteHeader); ok {
			routes = append(routes, *rr.Address.Clone())
		}
	}
	return routes
}

// refresh takes the target of a request that may change it (RFC 3261 section 12.2.2, RFC 3311 section 5.2).
func (p *Leg) refresh(req *sip.Request) {
	p.source, p.network = req.Source(), req.Transport()
	if c := req.Contact(); c != nil && c.Address.Host != "" && !c.Address.Wildcard {
		p.target = *c.Address.Clone()
		p.nat = len(p.routes) == 0 && translated(req, c.Address.Host)
	}
	p.allow(req)
}

func (p *Leg) allow(m sip.Message) {
	if len(m.GetHeaders("allow")) > 0 {
		p.update = field.Lists(m, "UPDATE", "allow")
		p.message = field.Lists(m, "MESSAGE", "allow")
	}
}

// translated tells that a request came straight from an element whose Contact is an address it was not sent from, and that asked for
// symmetric responses (RFC 3581): requests have to go the same way.
func translated(req *sip.Request, contact string) bool {
	via := req.Via()
	ip, err := netip.ParseAddr(bare(contact))
	return err == nil && len(req.GetHeaders("via")) == 1 && via.Params.Has("rport") && ip.Unmap() != field.Source(req).Addr()
}

// hidden tells that a host is a private address that belongs to a peer with a public one.
func hidden(host, source string) bool {
	ip, err := netip.ParseAddr(bare(host))
	at, err2 := netip.ParseAddrPort(source)
	return err == nil && err2 == nil && ip.Unmap().IsPrivate() && !at.Addr().Unmap().IsPrivate() && !at.Addr().IsLoopback()
}

// bare is a host without the brackets of an IPv6 reference.
func bare(host string) string {
	if len(host) > 1 && host[0] == '[' && host[len(host)-1] == ']' {
		return host[1 : len(host)-1]
	}
	return host
}

// hop is the next element of the way (RFC 3261 section 12.2.1.1).
func (p *Leg) hop() stack.Hop {
	next := &p.target
	if len(p.routes) > 0 {
		next = &p.routes[0]
	}
	h := stack.HopOf(next, p.network)
	h.Flow = p.source
	if at, err := netip.ParseAddrPort(p.source); p.nat && err == nil {
		h = stack.Hop{Network: p.network, Host: at.Addr().String(), Port: int(at.Port()), Flow: p.source}
	}
	return h
}

// address fills in the request URI and the Route headers (RFC 3261 section 12.2.1.1).
func (p *Leg) address(req *sip.Request) {
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
}
