package sip

import (
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
)

func TestCall(t *testing.T) {
	for _, network := range []string{"UDP", "TCP"} {
		t.Run(network, func(t *testing.T) {
			s, x := start(t, nil)
			p := newPhone(t, s, network, "conference:6f1c")
			l, res := p.call(x)
			if l.in.Target != "conference:6f1c" || string(l.in.Offer) != offerSDP || l.in.Source.TargetName != "Ada" || l.in.Source.Target != "ada@127.0.0.1" {
				t.Errorf("invite %+v", l.in)
			}
			if l.in.Peer.String() != p.local() {
				t.Errorf("peer %s, want %s", l.in.Peer, p.local())
			}
			if string(res.Body()) != answerSDP || header(res, "content-type") != "application/sdp" {
				t.Errorf("answer %s", res)
			}
			if c := header(res, "contact"); !strings.HasPrefix(c, "<sip:conference:6f1c@"+s.Addr().String()) || !strings.HasSuffix(c, ";isfocus") {
				t.Errorf("contact %q", c)
			}
			if header(res, "supported") != "100rel, timer, replaces" || !strings.Contains(header(res, "allow"), "UPDATE") {
				t.Errorf("abilities: %s", res)
			}
			p.bye()
			if by, status := l.cause(t); by != "remote" || status != 0 {
				t.Errorf("ended by %s with %d", by, status)
			}
			st := s.Stats()
			if st.Requests["INVITE"] != 1 || st.Requests["BYE"] != 1 || st.Responses[2] != 2 {
				t.Errorf("stats %+v", st)
			}
		})
	}
}

func TestAnswerIsRepeatedUntilACK(t *testing.T) {
	s, x := start(t, nil)
	p := newPhone(t, s, "UDP", "room")
	p.write(p.request("INVITE", offerSDP))
	p.expect(180)
	p.expect(200)
	p.expect(200)
	p.expect(200)
	p.write(p.request("ACK", ""))
	l := p.line(x)
	for p.next(300*time.Millisecond) != nil { // what was on its way
	}
	p.quiet(500 * time.Millisecond)
	p.bye()
	l.cause(t)
}

// A peer that repeats the branch of the INVITE in the ACK of a 2xx is wrong, and common.
func TestACKWithBranchOfINVITE(t *testing.T) {
	s, x := start(t, nil)
	p := newPhone(t, s, "UDP", "room")
	invite := p.request("INVITE", offerSDP)
	via := invite[strings.Index(invite, "Via:"):]
	via = via[:strings.Index(via, "\r\n")]
	p.write(invite)
	p.expect(180)
	p.expect(200)
	p.write(p.request("ACK", "", via))
	l := p.line(x)
	p.bye()
	if by, status := l.cause(t); by != "remote" || status != 0 || l.err != nil {
		t.Errorf("%s %d %v", by, status, l.err)
	}
}

func TestNoACK(t *testing.T) {
	s, x := start(t, func(o *Options) { o.Timing.T1 = 10 * time.Millisecond })
	p := newPhone(t, s, "UDP", "room")
	p.write(p.request("INVITE", offerSDP))
	p.expect(180)
	p.expect(200)
	bye := p.expectRequest("BYE", 200, "")
	if !strings.Contains(header(bye, "reason"), "cause=408") {
		t.Errorf("reason %q", header(bye, "reason"))
	}
	if by, status := p.line(x).cause(t); by != "local" || status != 408 {
		t.Errorf("ended by %s with %d", by, status)
	}
}

func TestLateOffer(t *testing.T) {
	s, x := start(t, nil)
	p := newPhone(t, s, "UDP", "room")
	p.write(p.request("INVITE", ""))
	p.expect(180)
	if res := p.expect(200); string(res.Body()) != ourOffer {
		t.Errorf("offer %q", res.Body())
	}
	p.write(p.request("ACK", answerSDP))
	l := p.line(x)
	p.confirmed(l)
	p.bye()
	l.cause(t)
	if l.in.Offer != nil || l.confirmed != answerSDP {
		t.Errorf("offer %q confirmed with %q", l.in.Offer, l.confirmed)
	}
}

func TestCancel(t *testing.T) {
	s, x := start(t, nil)
	p := newPhone(t, s, "UDP", "ring")
	p.write(p.request("INVITE", offerSDP))
	p.expect(180)
	p.write(p.request("CANCEL", ""))
	if res := p.expect(200); res.CSeq().MethodName != sip.CANCEL {
		t.Errorf("got %s", res)
	}
	res := p.expect(487)
	if got := res.To().Params.GetOr("tag", ""); got != p.toTag {
		t.Errorf("To tag %q of 487 differs from %q of 180", got, p.toTag)
	}
	p.write(p.request("ACK", ""))
	if by, status := p.line(x).cause(t); by != "remote" || status != 487 {
		t.Errorf("ended by %s with %d", by, status)
	}
}

// A CANCEL that meets a 200 on its way changes nothing: the call goes on until its BYE.
func TestCancelAfterAnswer(t *testing.T) {
	s, x := start(t, nil)
	p := newPhone(t, s, "UDP", "room")
	p.write(p.request("INVITE", offerSDP))
	p.expect(180)
	p.expect(200)
	p.write(p.request("CANCEL", ""))
	for {
		if res := p.expect(200); res.CSeq().MethodName == sip.CANCEL {
			break
		}
	}
	p.write(p.request("ACK", ""))
	l := p.line(x)
	p.bye()
	if by, status := l.cause(t); by != "remote" || status != 0 || l.err != nil {
		t.Errorf("ended by %s with %d: %v", by, status, l.err)
	}
}

func TestByeBeforeAnswer(t *testing.T) {
	s, x := start(t, nil)
	p := newPhone(t, s, "UDP", "ring")
	p.write(p.request("INVITE", offerSDP))
	p.expect(180)
	p.write(p.request("BYE", ""))
	p.expect(487)
	p.expect(200)
	if by, _ := p.line(x).cause(t); by != "remote" {
		t.Errorf("ended by %s", by)
	}
}

func TestHangup(t *testing.T) {
	s, x := start(t, nil)
	p := newPhone(t, s, "UDP", "room")
	l, _ := p.call(x, "Record-Route: <sip:"+p.local()+";lr>, <sip:far.example.com;lr>")
	l.hang <- "kicked by \"host\"\r\nX: y"
	bye := p.expectRequest("BYE", 200, "")
	if got := header(bye, "reason"); got != `SIP;cause=200;text="kicked by 'host'  X: y"` {
		t.Errorf("reason %q", got)
	}
	if bye.Recipient.String() != "sip:caller@"+p.local() || bye.To().Params.GetOr("tag", "") != "from-"+p.callID || bye.From().Params.GetOr("tag", "") != p.toTag {
		t.Errorf("bye %s", bye)
	}
	routes := bye.GetHeaders("route")
	if len(routes) != 2 || !strings.Contains(routes[1].Value(), "far.example.com") {
		t.Errorf("routes %v", routes)
	}
	if by, status := l.cause(t); by != "local" || status != 0 {
		t.Errorf("ended by %s with %d", by, status)
	}
	p.gone(s)
	p.write(p.request("BYE", ""))
	p.expect(481)
}

// RFC 2543 knew INVITEs without Contact: what concerns the call goes back to where they came from.
func TestInviteWithoutContact(t *testing.T) {
	s, x := start(t, nil)
	p := newPhone(t, s, "UDP", "room")
	l, _ := p.call(x, "-Contact")
	l.hang <- ""
	if bye := p.expectRequest("BYE", 200, ""); bye.Recipient.String() != "sip:ada@127.0.0.1" || header(bye, "reason") != "" {
		t.Errorf("bye %s", bye)
	}
	l.cause(t)
}

func TestHangupOverTCPUsesTheConnection(t *testing.T) {
	s, x := start(t, nil)
	p := newPhone(t, s, "TCP", "room")
	l, _ := p.call(x, "Contact: <sip:caller@127.0.0.1:9;transport=tcp>")
	l.hang <- "over"
	p.expectRequest("BYE", 200, "")
	l.cause(t)
}

func TestLineForgetsToAnswer(t *testing.T) {
	s, x := start(t, nil)
	p := newPhone(t, s, "UDP", "forgets")
	p.write(p.request("INVITE", offerSDP))
	p.expect(180)
	p.expect(480)
	if by, status := p.line(x).cause(t); by != "local" || status != 480 {
		t.Errorf("ended by %s with %d", by, status)
	}
}

func TestUnansweredTooLong(t *testing.T) {
	s, x := start(t, func(o *Options) { o.Timing.Answer = 100 * time.Millisecond })
	p := newPhone(t, s, "UDP", "ring")
	p.write(p.request("INVITE", offerSDP))
	p.expect(180)
	p.expect(480)
	p.line(x).cause(t)
}

func TestReliableRinging(t *testing.T) {
	s, x := start(t, nil)
	p := newPhone(t, s, "UDP", "room")
	p.write(p.request("INVITE", offerSDP, "Require: 100rel"))
	res := p.expect(180)
	if header(res, "require") != "100rel" {
		t.Fatalf("180 is not reliable: %s", res)
	}
	p.expect(180) // repeated
	rseq := header(res, "rseq")
	p.write(p.request("PRACK", "", "RAck: 1 1 INVITE"))
	p.expect(481)
	p.write(p.request("PRACK", "", "RAck: what"))
	p.expect(400)
	p.write(p.request("PRACK", "", "RAck: "+rseq+" 1 INVITE"))
	ok := 0
	for ok < 2 { // of PRACK and of INVITE, in either order
		p.expect(200)
		ok++
	}
	p.seq = 1
	p.write(p.request("ACK", ""))
	l := p.line(x)
	p.seq = 10
	p.bye()
	l.cause(t)
}

// TestEarlyMedia: what a caller hears before the answer is told by a 183 with SDP, a reliable one where the caller knows those.
func TestEarlyMedia(t *testing.T) {
	for header100, reliable := range map[string]bool{"": false, "Supported: timer, 100rel": true, "Require: 100rel": true} {
		t.Run(header100, func(t *testing.T) {
			s, x := start(t, nil)
			p := newPhone(t, s, "UDP", "early")
			if header100 == "" {
				p.write(p.request("INVITE", offerSDP))
			} else {
				p.write(p.request("INVITE", offerSDP, header100))
			}
			res := p.expect(183)
			if string(res.Body()) != answerSDP || header(res, "content-type") != "application/sdp" || (header(res, "require") == "100rel") != reliable {
				t.Fatalf("183 %s", res)
			}
			first := header(res, "rseq")
			if reliable {
				p.write(p.request("PRACK", offerSDP, "RAck: "+first+" 1 INVITE"))
				p.expect(488)
				p.write(p.request("PRACK", "", "RAck: "+first+" 1 INVITE"))
				p.expect(200)
			}
			if res = p.expect(180); len(res.Body()) != 0 {
				t.Fatalf("ringing with a body: %s", res)
			}
			if header100 == "Require: 100rel" {
				was, _ := strconv.Atoi(first)
				if header(res, "rseq") != strconv.Itoa(was+1) {
					t.Errorf("RSeq %s after %s", header(res, "rseq"), first)
				}
				p.write(p.request("PRACK", "", "RAck: "+header(res, "rseq")+" 1 INVITE"))
				p.expect(200)
			}
			p.expect(200)
			p.seq = 1
			p.write(p.request("ACK", ""))
			l := p.line(x)
			p.seq = 10
			p.bye()
			l.cause(t)
		})
	}
}

func TestNoPRACK(t *testing.T) {
	s, x := start(t, func(o *Options) { o.Timing.T1 = 10 * time.Millisecond })
	p := newPhone(t, s, "UDP", "room")
	p.write(p.request("INVITE", offerSDP, "Require: 100rel"))
	p.expect(180)
	p.expect(504)
	if by, status := p.line(x).cause(t); by != "local" || status != 504 {
		t.Errorf("ended by %s with %d", by, status)
	}
}

func TestStopSaysGoodbye(t *testing.T) {
	s, x := start(t, nil)
	p := newPhone(t, s, "UDP", "room")
	l, _ := p.call(x)
	go func() { s.draining.Store(true); l.hang <- "server stops" }()
	p.expectRequest("BYE", 200, "")
	late := newPhone(t, s, "UDP", "room")
	late.write(late.request("INVITE", offerSDP))
	if res := late.expect(503); header(res, "retry-after") != "5" {
		t.Errorf("no Retry-After: %s", res)
	}
	l.cause(t)
}

// On a wildcard address each peer is told the host of the interface that it can reach.
func TestWildcardAddress(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", "[::]:0"} {
		s, x := start(t, func(o *Options) { o.Addr = addr })
		p := newPhone(t, s, "UDP", "room")
		p.server = &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(s.Addr().Port())}
		l, res := p.call(x)
		if c := res.Contact(); c.Address.Host != "127.0.0.1" || c.Address.Port != int(s.Addr().Port()) {
			t.Errorf("%s: contact %s", addr, c.Value())
		}
		l.hang <- ""
		bye := p.expectRequest("BYE", 200, "")
		if bye.Via().Host != "127.0.0.1" {
			t.Errorf("%s: via %s", addr, bye.Via().Value())
		}
		l.cause(t)
		p.gone(s)
	}
}
