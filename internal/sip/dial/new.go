package dial

import (
	"net/netip"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"parley/internal/fault"
	"parley/internal/line"
	"parley/internal/sip/dialog"
	"parley/internal/sip/digest"
	"parley/internal/sip/field"
	"parley/internal/sip/stack"
)

// New prepares a call; nothing is sent before Run. It fails with fault.Invalid when it cannot be dialled. l is asked for what comes inside
// the dialog.
func New(s *stack.Stack, o line.Outgoing, l dialog.Line) (*Call, error) {
	c := &Call{s: s, o: o, progress: make(chan line.Progress, progressRoom), in: make(chan *sip.Response, 64)}
	if c.o.Timeout <= 0 {
		c.o.Timeout = s.Timing.Answer
	}
	switch {
	case len(o.Offer) == 0:
		return nil, invalid("offer", "there is no SDP offer")
	case strings.ContainsAny(o.SIPCallID, " \r\n\t") || len(o.SIPCallID) > 255:
		return nil, invalid("SIP Call-ID", o.SIPCallID)
	case o.Identity != "" && !field.URI(o.Identity):
		return nil, invalid("asserted identity", o.Identity)
	}
	var err error
	if c.to, err = uri(o.To); err != nil {
		return nil, err
	}
	c.hop = stack.HopOf(&c.to, "UDP")
	if o.Via != "" {
		via, err := uri(o.Via)
		if err != nil {
			return nil, err
		}
		network := c.hop.Network
		c.hop = stack.HopOf(&via, network)
		if c.to.IsEncrypted() {
			c.hop.Network = network
		}
	}
	if err := c.caller(); err != nil {
		return nil, err
	}
	c.id = sip.CallIDHeader(o.SIPCallID)
	if o.SIPCallID == "" {
		c.id = sip.CallIDHeader(sip.GenerateTagN(32))
	}
	c.keys = digest.NewKeys(o.User, o.Password)
	base := sip.NewRequest(sip.INVITE, c.to)
	base.AppendHeader(&c.from)
	base.AppendHeader(&c.id)
	base.AppendHeader(&sip.CSeqHeader{SeqNo: 1, MethodName: sip.INVITE})
	c.Dialog = dialog.Place(s, base, c.self, c.keys, l)
	return c, nil
}

// uri reads a SIP or SIPS URI that can be dialled.
func uri(text string) (u sip.Uri, err error) {
	if !field.URI(text) || sip.ParseUri(text, &u) != nil || u.Scheme != "sip" && u.Scheme != "sips" {
		return u, invalid("address", text)
	}
	if t, ok := u.UriParams.Get("transport"); ok {
		switch strings.ToLower(t) {
		case "udp", "tcp", "tls":
		default:
			return u, invalid("transport", t)
		}
	}
	return u, nil
}

func invalid(what, value string) error {
	return fault.New(fault.Invalid, "INVALID_DESTINATION", "the %s %q cannot be dialled: want something like sip:ada@example.com", what, value)
}

// caller makes our From and Contact (RFC 3323 section 4.1 for the anonymous one).
func (c *Call) caller() error {
	from := sip.Uri{Scheme: "sip", User: "parley"}
	name := c.o.FromName
	switch {
	case c.o.Anonymous:
		name = "Anonymous"
		from.User, from.Host = "anonymous", "anonymous.invalid"
	case c.o.From != "":
		var err error
		if from, err = uri(c.o.From); err != nil {
			return err
		}
		from.Headers, from.UriParams = nil, nil
	default:
		if c.o.FromUser != "" {
			from.User = c.o.FromUser
		}
		remote := "192.0.2.1:9" // anywhere
		if _, err := netip.ParseAddr(c.hop.Host); err == nil {
			remote = stack.Address(c.hop.Host, 9)
		}
		from.Host = c.s.HostFor(remote)
	}
	c.from = sip.FromHeader{Address: from, DisplayName: strings.Trim(field.Quoted(name), `"`)}
	c.from.Params.Add("tag", sip.GenerateTagN(20))
	c.self = sip.Uri{Scheme: c.to.Scheme, User: from.User}
	return nil
}

// request makes the INVITE of a try.
func (c *Call) request(try int) *sip.Request {
	target := *c.to.Clone()
	target.Headers = nil
	req := sip.NewRequest(sip.INVITE, target)
	number, forwards, from, id := uint32(1), sip.MaxForwardsHeader(70), c.from, c.id
	if try > 0 {
		number = c.Next()
	}
	req.AppendHeader(&forwards)
	req.AppendHeader(&from)
	req.AppendHeader(&sip.ToHeader{Address: target})
	req.AppendHeader(&id)
	req.AppendHeader(&sip.CSeqHeader{SeqNo: number, MethodName: sip.INVITE})
	req.AppendHeader(dialog.Contact(c.s, c.way, &c.self))
	req.AppendHeader(c.s.Allow())
	req.AppendHeader(sip.NewHeader("Supported", stack.Supported))
	for _, h := range c.Proposal() {
		req.AppendHeader(h)
	}
	req.AppendHeader(sip.NewHeader("User-Agent", c.s.UserAgent))
	for _, h := range c.claims() {
		req.AppendHeader(h)
	}
	req.AppendHeader(sip.NewHeader("Content-Type", field.SDP))
	req.SetBody(c.o.Offer)
	c.s.Lead(req, c.way)
	stack.Sign(req, c.keys)
	return req
}

// claims are who we say we are, and which call of the callee's ours takes the place of.
func (c *Call) claims() (hs []sip.Header) {
	if c.o.Identity != "" { // RFC 3325
		hs = append(hs, sip.NewHeader("P-Asserted-Identity", "<"+c.o.Identity+">"))
	}
	if c.o.Anonymous { // RFC 3323 section 4.2
		hs = append(hs, sip.NewHeader("Privacy", "id"))
	}
	for _, h := range c.to.Headers {
		if strings.EqualFold(h.K, "replaces") { // RFC 3891
			if value, ok := field.Unescape(h.V); ok {
				hs = append(hs, sip.NewHeader("Replaces", value), sip.NewHeader("Require", "replaces"))
			}
		}
	}
	return hs
}

// Linger is how long a call must be found by Heard after Run has returned: an answer that comes late wants its goodbye.
func (c *Call) Linger() time.Duration { return 64 * c.s.Timing.T1 }
