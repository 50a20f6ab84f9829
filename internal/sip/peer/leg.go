// Package peer is the other side of a dialog: where requests to it go, and what they look like. It is made of INVITEs and of responses to them,
// and follows what changes it. It starts no goroutine; when to ask what is left to packages dialog and dial.
package peer

import (
	"context"
	"net/netip"
	"slices"

	"github.com/emiago/sipgo/sip"

	"parley/internal/sip/field"
	"parley/internal/sip/stack"
)

// Leg is the other side of a dialog as requests to it need it. The legs of an INVITE of ours are one for each phone that it reached.
type Leg struct {
	To      sip.ToHeader // with the peer's tag
	Target  sip.Uri      // remote target
	Network string       // "UDP", "TCP" or "TLS"
	Source  string       // address that its last target refresh came from
	NAT     bool         // it is behind a translator: its Contact cannot be reached, its source can
	Update  bool         // it takes UPDATE
	Message bool         // it may take MESSAGE
	Routes  []sip.Uri    // route set, fixed by the INVITE
}

// Of reads the dialog's state of the peer out of its INVITE (RFC 3261 section 12.1.1).
func Of(req *sip.Request) Leg {
	p := Leg{To: req.From().AsTo(), Network: req.Transport(), Message: true}
	p.Routes = routesOf(req)
	p.Refresh(req)
	if req.Contact() == nil { // as RFC 2543 allowed: the caller is who sent it
		p.Target, p.NAT = *req.From().Address.Clone(), len(p.Routes) == 0
	}
	return p
}

// Reached reads the state out of a response to an INVITE of ours (RFC 3261 section 12.1.2); w is the way that the INVITE went. flow tells
// that the phone was called by the connection or address that it registered from, which its Contact need not be.
func Reached(invite *sip.Request, res *sip.Response, w stack.Way, flow bool) Leg {
	p := Leg{Network: w.Network, Source: w.Addr, Message: true, Target: *invite.Recipient.Clone()}
	p.To = sip.ToHeader{DisplayName: invite.To().DisplayName, Address: *invite.To().Address.Clone()}
	if to := res.To(); to != nil {
		p.To.Params.Add("tag", field.Tag(to.Params))
	}
	p.Routes = routesOf(res)
	slices.Reverse(p.Routes)
	p.allow(res)
	if c := res.Contact(); c != nil && c.Address.Host != "" && !c.Address.Wildcard {
		p.Target = *c.Address.Clone()
	}
	p.NAT = len(p.Routes) == 0 && (flow && p.Target.Host == invite.Recipient.Host || hidden(p.Target.Host, w.Addr))
	return p
}

// Tag is the peer's tag; "" while it has none.
func (p *Leg) Tag() string { return field.Tag(p.To.Params) }

func routesOf(m sip.Message) (routes []sip.Uri) {
	for _, h := range m.GetHeaders("record-route") {
		if rr, ok := h.(*sip.RecordRouteHeader); ok {
			routes = append(routes, *rr.Address.Clone())
		}
	}
	return routes
}

// Refresh takes the target of a request that may change it (RFC 3261 section 12.2.2, RFC 3311 section 5.2).
func (p *Leg) Refresh(req *sip.Request) {
	p.Source, p.Network = req.Source(), req.Transport()
	if c := req.Contact(); c != nil && c.Address.Host != "" && !c.Address.Wildcard {
		p.Target = *c.Address.Clone()
		p.NAT = len(p.Routes) == 0 && translated(req, c.Address.Host)
	}
	p.allow(req)
}

func (p *Leg) allow(m sip.Message) {
	if len(m.GetHeaders("allow")) > 0 {
		p.Update = field.Lists(m, "UPDATE", "allow")
		p.Message = field.Lists(m, "MESSAGE", "allow")
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

// Hop is the next element of the way (RFC 3261 section 12.2.1.1).
func (p *Leg) Hop() stack.Hop {
	next := &p.Target
	if len(p.Routes) > 0 {
		next = &p.Routes[0]
	}
	h := stack.HopOf(next, p.Network)
	h.Flow = p.Source
	if _, err := netip.ParseAddrPort(p.Source); p.NAT && err == nil {
		h = p.back()
	}
	return h
}

// back is where the peer's last message came from: the way to those whose Contact leads nowhere.
func (p *Leg) back() stack.Hop {
	at, err := netip.ParseAddrPort(p.Source)
	if err != nil {
		return stack.Hop{Network: p.Network, Host: "unknown.invalid"}
	}
	return stack.Hop{Network: p.Network, Host: at.Addr().String(), Port: int(at.Port()), Flow: p.Source}
}

// address fills in the request URI and the Route headers (RFC 3261 section 12.2.1.1).
func (p *Leg) address(req *sip.Request) {
	req.Recipient = *p.Target.Clone()
	routes := p.Routes
	if len(routes) > 0 && !routes[0].UriParams.Has("lr") { // a strict router
		req.Recipient = *routes[0].Clone()
		routes = append(append([]sip.Uri{}, routes[1:]...), *p.Target.Clone())
	}
	for _, r := range routes {
		req.AppendHeader(&sip.RouteHeader{Address: *r.Clone()})
	}
	req.Recipient.Headers = nil
}

// Content is a body and its type.
type Content struct {
	Kind string
	Body []byte
}

// SDP is a session description as content.
func SDP(body []byte) Content { return Content{field.SDP, body} }

// Sender is our side of a dialog as its requests show it.
type Sender struct {
	Stack *stack.Stack
	From  sip.FromHeader // with our tag
	ID    sip.CallIDHeader
}

// Make makes a request to a leg (RFC 3261 section 12.2.1.1). It may have to connect first.
func (f *Sender) Make(leg *Leg, cseq sip.CSeqHeader, c Content, headers ...sip.Header) (*sip.Request, error) {
	way, err := f.Stack.Route(context.Background(), leg.Hop())
	if err != nil {
		if way, err = f.Stack.Route(context.Background(), leg.back()); err != nil {
			return nil, err
		}
	}
	req := sip.NewRequest(cseq.MethodName, sip.Uri{})
	leg.address(req)
	from, to, id, forwards := f.From, leg.To, f.ID, sip.MaxForwardsHeader(70)
	req.AppendHeader(&from)
	req.AppendHeader(&to)
	req.AppendHeader(&id)
	req.AppendHeader(&cseq)
	req.AppendHeader(&forwards)
	req.AppendHeader(sip.NewHeader("User-Agent", f.Stack.UserAgent))
	for _, h := range headers {
		req.AppendHeader(h)
	}
	if len(c.Body) > 0 {
		req.AppendHeader(sip.NewHeader("Content-Type", c.Kind))
	}
	req.SetBody(c.Body)
	f.Stack.Lead(req, way)
	return req, nil
}
