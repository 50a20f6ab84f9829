package sip

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
)

func TestRefusals(t *testing.T) {
	cases := []struct {
		name, method, user, body string
		extra                    []string
		code                     int
		header                   string // "Name: substring" that must be there
	}{
		{"unknown room", "INVITE", "nobody", offerSDP, nil, 404, `Warning: 399 parley "CONFERENCE_NOT_FOUND`},
		{"full", "INVITE", "full", offerSDP, nil, 486, "Warning: CONFERENCE_FULL"},
		{"overload", "INVITE", "overload", offerSDP, nil, 503, "Retry-After: 5"},
		{"anonymous without challenge", "INVITE", "members", offerSDP, nil, 403, "Warning: AUTH"},
		{"internal", "INVITE", "broken", offerSDP, nil, 500, ""},
		{"no codec", "INVITE", "media", offerSDP, nil, 488, "Warning: 305"},
		{"body type", "INVITE", "room", "<x/>", []string{"Content-Type: application/xml"}, 415, "Accept: application/sdp"},
		{"encoding", "INVITE", "room", "x", []string{"Content-Encoding: gzip"}, 415, "Accept-Encoding: identity"},
		{"accept", "INVITE", "room", offerSDP, []string{"Accept: text/nothing"}, 406, ""},
		{"no contact", "INVITE", "room", offerSDP, []string{"Contact: *"}, 400, "Warning: Contact"},
		{"require", "INVITE", "room", offerSDP, []string{"Require: 100rel, nothing, timer, never"}, 420, "Unsupported: nothing, never"},
		{"session", "INVITE", "room", offerSDP, []string{"Session-Expires: soon"}, 400, "Warning: Session-Expires"},
		{"scheme", "INVITE", "room", offerSDP, []string{"=INVITE nobodyKnows:this SIP/2.0"}, 416, ""},
		{"version", "INVITE", "room", offerSDP, []string{"=INVITE sip:room@127.0.0.1 SIP/7.0"}, 505, ""},
		{"cseq", "OPTIONS", "room", "", []string{"CSeq: 1 INVITE"}, 400, ""},
		{"unknown method", "DANCE", "room", "", nil, 501, "Allow: INVITE"},
		{"message", "MESSAGE", "room", "", nil, 405, "Allow: UPDATE"},
		{"register", "REGISTER", "room", "", nil, 405, "Allow: INVITE"},
		{"subscribe", "SUBSCRIBE", "room", "", nil, 405, "Allow: INVITE"},
		{"bye", "BYE", "room", "", nil, 481, ""},
		{"info", "INFO", "room", "", nil, 481, ""},
		{"update", "UPDATE", "room", "", nil, 481, ""},
		{"prack", "PRACK", "room", "", nil, 481, ""},
		{"cancel", "CANCEL", "room", "", nil, 481, ""},
		{"tagged invite", "INVITE", "room", offerSDP, []string{"To: <sip:room@127.0.0.1>;tag=none"}, 481, ""},
		{"tagged options", "OPTIONS", "room", "", []string{"To: <sip:room@127.0.0.1>;tag=none"}, 481, ""},
		{"options", "OPTIONS", "room", "", nil, 200, "Allow: PRACK"},
		{"last hop", "OPTIONS", "room", "", []string{"Max-Forwards: 0"}, 200, "Supported: timer"},
		{"long", "OPTIONS", "room", "", []string{"Via: SIP/2.0/UDP 127.0.0.1;rport;branch=z9hG4bKlong;x=" + strings.Repeat("long", 1000)}, 200, ""},
	}
	for _, network := range []string{"UDP", "TCP"} {
		s, _ := start(t, nil)
		for _, c := range cases {
			t.Run(network+" "+c.name, func(t *testing.T) {
				p := newPhone(t, s, network, c.user)
				if c.method == "CANCEL" {
					p.seq, p.branch = 1, "z9hG4bK-none-"+network
				}
				p.write(p.request(c.method, c.body, c.extra...))
				if c.user == "media" {
					p.expect(180)
				}
				res := p.expect(c.code)
				name, want, _ := strings.Cut(c.header, ": ")
				if want != "" && !strings.Contains(header(res, name), want) {
					t.Errorf("want %s in %s", c.header, res)
				}
				if strings.Contains(res.String(), "secret") {
					t.Errorf("an internal error shows: %s", res)
				}
				if res.SipVersion != "SIP/2.0" || res.To().Params.GetOr("tag", "") == "" {
					t.Errorf("version or To tag: %s", res)
				}
			})
		}
	}
}

func TestMergedINVITE(t *testing.T) {
	s, x := start(t, nil)
	p := newPhone(t, s, "UDP", "ring")
	p.write(p.request("INVITE", offerSDP))
	p.expect(180)
	tag := p.toTag
	p.seq, p.toTag = 0, ""
	p.write(p.request("INVITE", offerSDP)) // by another way: another branch
	p.expect(482)
	p.toTag = tag
	l := p.line(x)
	p.seq = 1
	p.write(p.request("BYE", ""))
	p.expect(487)
	l.cause(t)
}

func TestLimits(t *testing.T) {
	s, x := start(t, func(o *Options) {
		o.Limits = Limits{Dialogs: 1, InviteRate: 0.001, InviteBurst: 2, Loopback: true}
	})
	p := newPhone(t, s, "UDP", "room")
	l, _ := p.call(x)
	for range 2 { // the first by the number of dialogs, the second by the rate
		q := newPhone(t, s, "UDP", "room")
		q.write(q.request("INVITE", offerSDP))
		if res := q.expect(503); header(res, "retry-after") == "" {
			t.Errorf("no Retry-After: %s", res)
		}
	}
	if s.Stats().Refused != 2 {
		t.Errorf("stats %+v", s.Stats())
	}
	p.bye()
	l.cause(t)
}

func TestAuthentication(t *testing.T) {
	s, x := start(t, func(o *Options) {
		o.Authenticate = func(req *sip.Request, _ netip.AddrPort) (Identity, *sip.Response) {
			if h := req.GetHeader("authorization"); h != nil && h.Value() == "Digest good" {
				return Identity{CustomerID: "customer", Extension: "ada"}, nil
			}
			res := sip.NewResponseFromRequest(req, 401, "Unauthorized", nil)
			res.AppendHeader(sip.NewHeader("WWW-Authenticate", "Digest realm=\"parley\""))
			return Identity{}, res
		}
		o.Register = func(req *sip.Request, _ netip.AddrPort) *sip.Response {
			return sip.NewResponseFromRequest(req, 200, "OK", nil)
		}
	})
	p := newPhone(t, s, "UDP", "members")
	p.write(p.request("INVITE", offerSDP))
	if res := p.expect(401); header(res, "www-authenticate") == "" {
		t.Errorf("no challenge: %s", res)
	}
	p.write(ackOf(p))
	p.write(p.request("INVITE", offerSDP, "Authorization: Digest bad"))
	p.expect(401)
	p.write(ackOf(p))
	l, _ := p.call(x, "Authorization: Digest good")
	if l.in.CustomerID != "customer" || l.in.Extension != "ada" {
		t.Errorf("invite %+v", l.in)
	}
	p.bye()
	l.cause(t)
	open := newPhone(t, s, "UDP", "room") // no credentials, none needed
	l, _ = open.call(x)
	open.bye()
	l.cause(t)
	r := newPhone(t, s, "UDP", "ada")
	r.write(r.request("REGISTER", ""))
	r.expect(200)
}

func TestCheck(t *testing.T) {
	const answer = "SIP/2.0 400 Bad\r\nVia: SIP/2.0/UDP 127.0.0.1:9;rport\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
	check := func(raw []byte, transport string) (fixed, out []byte, ok bool) {
		text := string(raw)
		switch {
		case strings.Contains(text, "X-Bad"):
			return nil, []byte(answer), false
		case strings.Contains(text, "X-Drop"):
			return nil, nil, false
		}
		return []byte(strings.Replace(text, "X-Via-"+transport, "Max-Forwards", 1)), nil, true
	}
	for _, network := range []string{"UDP", "TCP"} {
		s, _ := start(t, func(o *Options) { o.Check = check })
		p := newPhone(t, s, network, "room")
		p.write(p.request("OPTIONS", "", "X-Drop: 1"))
		p.write(p.request("OPTIONS", "", "X-Bad: 1"))
		p.expect(400)
		p.write(p.request("OPTIONS", "", "-Max-Forwards", "X-Via-"+network+": 70"))
		p.expect(200)
		if st := s.Stats(); st.Dropped != 1 || st.Checked != 1 {
			t.Errorf("%s: %+v", network, st)
		}
	}
}

func TestStreams(t *testing.T) {
	s, _ := start(t, func(o *Options) { o.Limits.Connections = 2 })
	p := newPhone(t, s, "TCP", "room")
	p.write("\r\n\r\n")
	p.expect(999)
	text := "\r\n" + p.request("OPTIONS", "") + p.request("OPTIONS", "")
	for _, part := range []string{text[:10], text[10:200], text[200:]} {
		p.write(part)
		time.Sleep(5 * time.Millisecond)
	}
	p.expect(200)
	p.expect(200)
	p.toTag = ""
	q := newPhone(t, s, "TCP", "room")
	q.write(q.request("OPTIONS", "", "-Content-Length"))
	if m := q.next(2 * time.Second); m != nil {
		t.Errorf("no end of the message, and yet %s", m)
	}
	c, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	p.write(p.request("OPTIONS", ""))
	p.expect(200)
}

func TestPortTaken(t *testing.T) {
	s, _ := start(t, nil)
	_, err := Open(Options{Addr: s.Addr().String(), Exchange: newExchange()})
	if err == nil || !strings.Contains(err.Error(), "SIP port "+s.Addr().String()+" is taken") || !strings.Contains(err.Error(), "--sip") {
		t.Errorf("error %v", err)
	}
	for _, addr := range []string{"nowhere", "192.0.2.1:0:1", "203.0.113.7:5060"} {
		if _, err := Open(Options{Addr: addr, Exchange: newExchange()}); err == nil {
			t.Errorf("%s: opened", addr)
		}
	}
	if _, err := Open(Options{}); err == nil {
		t.Error("opened without an exchange")
	}
}

// TestStopWithCalls ends the server under a call; the line says goodbye in time.
func TestStopWithCalls(t *testing.T) {
	x := newExchange()
	s, err := Open(Options{Addr: "127.0.0.1:0", Exchange: x, Timing: Timing{T1: 20 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	p := newPhone(t, s, "UDP", "room")
	l, _ := p.call(x)
	cancel()
	p.expectRequest("BYE", 200, "")
	if err := <-done; err != nil {
		t.Error(err)
	}
	if by, _ := l.cause(t); by != "local" {
		t.Errorf("ended by %s", by)
	}
}
