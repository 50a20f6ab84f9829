package sip

import (
	"net"
	"strings"
	"testing"
	"time"

	"parley/internal/fault"
	"parley/internal/line"
)

func TestPlace(t *testing.T) {
	for _, network := range []string{"UDP", "TCP"} {
		t.Run(network, func(t *testing.T) {
			s, _ := start(t, nil)
			c := place(t, s, network, nil)
			from := c.call.From()
			if string(c.call.Body()) != ourOffer || from.Address.User != "4711" || from.DisplayName != "A 'b'" || c.call.Recipient.User != "bob" {
				t.Errorf("INVITE %s", c.call)
			}
			for name, want := range map[string]string{"Supported": "100rel, timer, replaces", "Session-Expires": "1800", "Max-Forwards": "70", "Content-Type": "application/sdp"} {
				if got := header(c.call, name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
			c.reply(c.call, 100, "", "")
			c.reply(c.call, 180, "bob-1", "")
			if p := c.news(180); p.Phrase != "Phrase" || p.Body != nil {
				t.Errorf("progress %+v", p)
			}
			c.reply(c.call, 183, "bob-1", answerSDP)
			if p := c.news(183); string(p.Body) != answerSDP {
				t.Errorf("early media %+v", p)
			}
			ack := c.answerIt("Record-Route: <sip:"+c.local()+";lr;transport="+strings.ToLower(network)+">", "Session-Expires: 1800;refresher=uac")
			if ack.CSeq().SeqNo != c.call.CSeq().SeqNo || len(ack.GetHeaders("route")) != 1 || ack.To().Params.GetOr("tag", "") != "bob-1" {
				t.Errorf("ACK %s", ack)
			}
			c.write(c.in("INFO", "5", "Content-Type: application/dtmf"))
			c.expect(200)
			c.d.Hangup("that is all")
			bye := c.expectRequest("BYE", 200, "")
			if bye.CSeq().SeqNo <= ack.CSeq().SeqNo || !strings.Contains(header(bye, "reason"), "that is all") {
				t.Errorf("BYE %s", bye)
			}
			c.ended("local", 0)
			c.gone(s)
			if c.l.digits != "5" {
				t.Errorf("digits %q", c.l.digits)
			}
		})
	}
}

func TestPlacedRefused(t *testing.T) {
	s, _ := start(t, nil)
	for _, status := range []int{302, 404, 486, 491, 503, 603} {
		c := place(t, s, "UDP", nil)
		c.reply(c.call, status, "bob-1", "")
		if ack := c.expectRequest("ACK", 0, ""); ack.Via().Params.GetOr("branch", "") != c.call.Via().Params.GetOr("branch", "") {
			t.Errorf("ACK of %d: %s", status, ack)
		}
		c.last(status)
		c.ended("remote", status)
	}
}

func TestPlacedHungUpByPeer(t *testing.T) {
	s, _ := start(t, nil)
	c := place(t, s, "UDP", nil)
	c.answerIt()
	c.write(c.in("BYE", ""))
	c.expect(200)
	c.ended("remote", 0)
	c.gone(s)
	c.write(c.in("BYE", ""))
	c.expect(481)
}

func TestPlacedAnswerIsAcknowledgedEachTime(t *testing.T) {
	s, _ := start(t, nil)
	c := place(t, s, "UDP", nil)
	c.answerIt()
	for range 3 {
		c.reply(c.call, 200, "bob-1", answerSDP)
		c.expectRequest("ACK", 0, "")
	}
	c.d.Hangup("")
	c.expectRequest("BYE", 200, "")
	c.gone(s)
	c.reply(c.call, 200, "bob-1", answerSDP) // it overtook the ACK
	c.expectRequest("ACK", 0, "")
	c.quiet(100 * time.Millisecond)
}

func TestPlacedNobodyThere(t *testing.T) {
	s, _ := start(t, nil)
	for to, status := range map[string]int{
		"sip:bob@127.0.0.1:1;transport=tcp": 503, "sip:bob@127.0.0.1:1;transport=tls": 503, "sip:bob@nothing.invalid": 503, "sip:bob@127.0.0.1:1": 408,
	} {
		p := newPhone(t, s, "UDP", "bob")
		c := dialTo(t, s, p, func(o *line.Outgoing) { o.To, o.Timeout = to, 500*time.Millisecond })
		c.last(status)
		c.ended("local", status)
	}
}

func TestPlacedBadTargets(t *testing.T) {
	s, _ := start(t, nil)
	c := place(t, s, "UDP", nil) // runs
	defer c.d.Cancel("")
	for _, o := range []line.Outgoing{
		{},
		{To: "bob"},
		{To: "tel:+15551234"},
		{To: "sip:"},
		{To: "sip:bob@host\r\nX: y"},
		{To: "sip:bob@host;transport=sctp"},
		{To: "http://host/"},
		{To: "sip:a@b", Via: "x"},
		{To: "sip:a@b", From: "<>"},
		{To: "sip:a@b", Identity: "sip:a@b>,<x"},
		{To: "sip:a@b", SIPCallID: "a\r\nb"},
	} {
		o.Offer = []byte(ourOffer)
		if _, err := s.dial(t.Context(), o, c.l); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if _, err := s.dial(t.Context(), line.Outgoing{To: "sip:a@b"}, c.l); fault.KindOf(err) != fault.Invalid {
		t.Errorf("no offer: %v", err)
	}
}

func TestPlacedCancel(t *testing.T) {
	s, _ := start(t, nil)
	c := place(t, s, "UDP", nil)
	c.reply(c.call, 180, "bob-1", "")
	c.news(180)
	c.d.Cancel("answered elsewhere")
	c.last(487)
	c.ended("local", 487)
	cancel := c.expectRequest("CANCEL", 200, "")
	if cancel.CSeq().SeqNo != c.call.CSeq().SeqNo || cancel.Via().Value() != c.call.Via().Value() || !strings.Contains(header(cancel, "reason"), "cause=200") {
		t.Errorf("CANCEL %s", cancel)
	}
	c.reply(c.call, 487, "bob-1", "")
	c.expectRequest("ACK", 0, "")
	c.gone(s)
}

// CANCEL may not be sent before something came back (RFC 3261 section 9.1).
func TestPlacedCancelWaitsForProvisional(t *testing.T) {
	s, _ := start(t, nil)
	c := place(t, s, "TCP", nil)
	c.d.Cancel("never mind")
	c.last(487)
	c.quiet(200 * time.Millisecond)
	c.reply(c.call, 100, "", "")
	c.expectRequest("CANCEL", 200, "")
	c.reply(c.call, 487, "bob-1", "")
	c.expectRequest("ACK", 0, "")
	c.gone(s)
}

func TestPlacedCancelCrossesAnswer(t *testing.T) {
	for _, when := range []string{"before CANCEL", "after CANCEL", "after 487"} {
		t.Run(when, func(t *testing.T) {
			s, _ := start(t, nil)
			c := place(t, s, "UDP", nil)
			if when != "before CANCEL" {
				c.reply(c.call, 180, "bob-1", "")
				c.news(180)
			}
			c.d.Cancel("too late")
			c.last(487)
			if when != "before CANCEL" {
				c.expectRequest("CANCEL", 200, "")
			}
			if when == "after 487" {
				c.reply(c.call, 487, "bob-2", "")
				c.expectRequest("ACK", 0, "")
				c.gone(s)
			}
			c.reply(c.call, 200, "bob-1", answerSDP)
			c.expectRequest("ACK", 0, "")
			if bye := c.expectRequest("BYE", 200, ""); bye.To().Params.GetOr("tag", "") != "bob-1" {
				t.Errorf("BYE %s", bye)
			}
			c.ended("local", 487)
			c.gone(s)
		})
	}
}

func TestPlacedTimeout(t *testing.T) {
	s, _ := start(t, nil)
	c := place(t, s, "UDP", func(o *line.Outgoing) { o.Timeout = 300 * time.Millisecond })
	c.reply(c.call, 180, "bob-1", "")
	c.news(180)
	c.last(408)
	c.ended("local", 408)
	c.expectRequest("CANCEL", 200, "")
	c.reply(c.call, 487, "bob-1", "")
	c.expectRequest("ACK", 0, "")
}

func TestPlacedForks(t *testing.T) {
	s, _ := start(t, nil)
	c := place(t, s, "UDP", nil)
	for _, tag := range []string{"bob-1", "bob-2", "bob-3"} {
		c.reply(c.call, 180, tag, "")
		c.news(180)
	}
	c.answerIt()
	c.reply(c.call, 200, "bob-2", answerSDP)
	if ack := c.expectRequest("ACK", 0, ""); ack.To().Params.GetOr("tag", "") != "bob-2" {
		t.Errorf("ACK %s", ack)
	}
	if bye := c.expectRequest("BYE", 200, ""); bye.To().Params.GetOr("tag", "") != "bob-2" {
		t.Errorf("BYE %s", bye)
	}
	c.write(c.in("OPTIONS", "")) // the first one lives
	c.expect(200)
	c.d.Hangup("")
	if bye := c.expectRequest("BYE", 200, ""); bye.To().Params.GetOr("tag", "") != "bob-1" {
		t.Errorf("BYE %s", bye)
	}
	c.ended("local", 0)
}

func TestPlacedReliable(t *testing.T) {
	s, _ := start(t, nil)
	c := place(t, s, "UDP", nil)
	reliable := func(status int, rseq, body string) {
		c.reply(c.call, status, "bob-1", body, "Require: 100rel", "RSeq: "+rseq)
	}
	reliable(183, "7", answerSDP)
	c.news(183)
	prack := c.expectRequest("PRACK", 200, "")
	if header(prack, "rack") != "7 1 INVITE" || prack.CSeq().SeqNo != 2 || prack.To().Params.GetOr("tag", "") != "bob-1" {
		t.Errorf("PRACK %s", prack)
	}
	reliable(183, "7", answerSDP) // repeated: its PRACK was on the way
	reliable(180, "9", "")        // 8 is missing
	reliable(180, "8", "")
	c.news(180)
	if prack := c.expectRequest("PRACK", 200, ""); header(prack, "rack") != "8 1 INVITE" {
		t.Errorf("PRACK %s", prack)
	}
	c.inside()
	c.write(c.in("UPDATE", offerSDP)) // allowed, since the offer has been answered reliably
	if res := c.expect(200); string(res.Body()) != answerSDP {
		t.Errorf("answer %s", res)
	}
	c.seq = 0
	ack := c.answerIt()
	if ack.CSeq().SeqNo != 1 {
		t.Errorf("ACK %s", ack)
	}
	c.d.Hangup("")
	c.expectRequest("BYE", 200, "")
}

func TestPlacedStop(t *testing.T) {
	var ringing, up *placed
	first, second := newPhone(t, nil, "UDP", "bob"), newPhone(t, nil, "UDP", "bob")
	t.Run("until the server stops", func(inner *testing.T) {
		s, _ := start(inner, func(o *Options) { o.Timing.Drain = 300 * time.Millisecond })
		first.knows(s)
		second.knows(s)
		ringing = dialTo(t, s, first, nil)
		ringing.call = ringing.expectRequest("INVITE", 0, "")
		ringing.reply(ringing.call, 180, "bob-1", "")
		ringing.news(180)
		up = dialTo(t, s, second, nil)
		up.call = up.expectRequest("INVITE", 0, "")
		up.answerIt()
	})
	ringing.expectRequest("CANCEL", 0, "")
	if bye := up.expectRequest("BYE", 0, ""); !strings.Contains(header(bye, "reason"), "stops") {
		t.Errorf("BYE %s", bye)
	}
	ringing.last(487)
	up.ended("local", 0)
}

// TestContactThatLeadsNowhere: ACK and BYE go to where the answer came from.
func TestContactThatLeadsNowhere(t *testing.T) {
	s, _ := start(t, nil)
	for _, contact := range []string{"<sip:bob@nothing.invalid:5060>", "<sip:bob@127.0.0.1:1;transport=tcp>"} {
		c := place(t, s, "UDP", nil)
		c.answerIt("Contact: " + contact)
		c.d.Hangup("")
		if bye := c.expectRequest("BYE", 200, ""); "<"+bye.Recipient.String()+">" != contact {
			t.Errorf("BYE %s", bye)
		}
		c.ended("local", 0)
	}
}

// TestTargetRefresh: a phone that moves within a call of ours is followed.
func TestTargetRefresh(t *testing.T) {
	s, _ := start(t, nil)
	c := place(t, s, "UDP", nil)
	c.answerIt()
	other := newPhone(t, s, "UDP", "bob")
	c.write(c.in("INVITE", offerSDP, "Contact: <sip:moved@"+other.local()+">"))
	if res := c.expect(200); string(res.Body()) != answerSDP {
		t.Errorf("answer %s", res)
	}
	c.write(c.in("ACK", ""))
	c.d.Hangup("")
	if bye := other.expectRequest("BYE", 200, ""); bye.Recipient.User != "moved" {
		t.Errorf("BYE %s", bye)
	}
	c.ended("local", 0)
}

// On a wildcard address the callee is told the host of the interface that it can reach.
func TestPlacedFromWildcardAddress(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", "[::]:0"} {
		s, _ := start(t, func(o *Options) { o.Addr = addr })
		c := place(t, s, "UDP", func(o *line.Outgoing) { o.From = "" })
		if h := c.call.Contact().Address.Host; h != "127.0.0.1" || c.call.Via().Host != h || c.call.From().Address.Host != h {
			t.Errorf("%s: INVITE %s", addr, c.call)
		}
		c.server = &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(s.Addr().Port())}
		c.answerIt()
		c.d.Hangup("")
		c.expectRequest("BYE", 200, "")
		c.ended("local", 0)
	}
}
