package sip

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestReinvite(t *testing.T) {
	s, x := start(t, nil)
	p := newPhone(t, s, "UDP", "room")
	l, _ := p.call(x)
	other := newPhone(t, s, "UDP", "room") // where the phone moves to

	hold := strings.Replace(offerSDP, "30000", "30002", 1) + "a=sendonly\r\n"
	p.write(p.request("INVITE", hold, "Contact: <sip:moved@"+other.local()+">"))
	if res := p.expect(200); string(res.Body()) != answerSDP {
		t.Errorf("answer %s", res)
	}
	p.expect(200) // until its ACK
	p.write(p.request("ACK", ""))

	p.write(p.request("INVITE", "", "Contact: <sip:moved@"+other.local()+">"))
	if res := p.expect(200); string(res.Body()) != ourOffer {
		t.Errorf("offer %s", res)
	}
	p.write(p.request("ACK", answerSDP))

	video := strings.Replace(offerSDP, "m=audio", "m=video", 1)
	for { // until the ACK before has been understood
		p.write(p.request("INVITE", video, "Contact: <sip:nowhere@"+p.local()+">"))
		m := p.next(5 * time.Second)
		for header(m, "CSeq") != fmt.Sprintf("%d INVITE", p.seq) || strings.Contains(m.String(), " 100 ") {
			m = p.next(5 * time.Second)
		}
		p.write(ackOf(p))
		if strings.Contains(m.String(), "SIP/2.0 488 ") {
			if !strings.HasPrefix(header(m, "Warning"), `305 parley "NOT_ACCEPTABLE_MEDIA`) {
				t.Errorf("no reason: %s", m)
			}
			break
		}
	}
	l.mu.Lock()
	if len(l.offers) != 3 || l.offers[0] != hold || l.offers[1] != "" || len(l.answers) != 1 || l.answers[0] != answerSDP {
		t.Errorf("offers %q answers %q", l.offers, l.answers)
	}
	l.mu.Unlock()
	l.hang <- "end"
	if bye := other.expectRequest("BYE", 200, ""); bye.Recipient.User != "moved" {
		t.Errorf("BYE to %s", bye.Recipient.String())
	}
	l.cause(t)
}

// ackOf is the ACK of a failure: it repeats the branch of its INVITE.
func ackOf(p *phone) string {
	return p.request("ACK", "", fmt.Sprintf("Via: SIP/2.0/UDP %s;branch=%s;rport", p.local(), p.branch))
}

func TestReinviteWithoutACK(t *testing.T) {
	s, x := start(t, func(o *Options) { o.Timing.T1 = 10 * time.Millisecond })
	p := newPhone(t, s, "UDP", "room")
	l, _ := p.call(x)
	p.write(p.request("INVITE", offerSDP))
	p.expect(200)

	p.write(p.request("INVITE", offerSDP)) // another one before the ACK
	for {
		m := p.next(5 * time.Second)
		if m == nil {
			t.Fatal("no 500")
		}
		if strings.Contains(m.String(), "SIP/2.0 500") {
			if header(m, "retry-after") == "" {
				t.Errorf("no Retry-After: %s", m)
			}
			break
		}
	}
	p.write(ackOf(p))
	for {
		m := p.next(5 * time.Second)
		if m == nil {
			t.Fatal("no BYE")
		}
		if strings.HasPrefix(m.String(), "BYE") {
			break
		}
	}
	if by, status := l.cause(t); by != "local" || status != 408 {
		t.Errorf("ended by %s with %d", by, status)
	}
}

func TestReinviteOutOfOrderAndBeforeACK(t *testing.T) {
	s, x := start(t, nil)
	p := newPhone(t, s, "UDP", "room")
	p.write(p.request("INVITE", offerSDP))
	p.expect(180)
	p.expect(200)
	first := p.seq
	p.write(p.request("INVITE", offerSDP))
	p.expect(491)
	p.write(ackOf(p))
	p.seq = first
	p.write(p.request("ACK", ""))
	l := p.line(x)
	p.confirmed(l)
	p.seq = 0
	p.write(p.request("UPDATE", ""))
	p.expect(500)
	p.seq = 10
	p.bye()
	l.cause(t)
}

func TestUpdate(t *testing.T) {
	s, x := start(t, nil)
	p := newPhone(t, s, "UDP", "room")
	l, _ := p.call(x)
	p.write(p.request("UPDATE", offerSDP))
	if res := p.expect(200); string(res.Body()) != answerSDP {
		t.Errorf("answer %s", res)
	}
	p.write(p.request("UPDATE", ""))
	if res := p.expect(200); len(res.Body()) != 0 {
		t.Errorf("answer without offer: %s", res)
	}
	p.write(p.request("UPDATE", strings.Replace(offerSDP, "m=audio", "m=video", 1)))
	p.expect(488)
	p.bye()
	l.cause(t)
	if len(l.offers) != 2 {
		t.Errorf("offers %q", l.offers)
	}
}

func TestInfo(t *testing.T) {
	s, x := start(t, nil)
	p := newPhone(t, s, "UDP", "room")
	l, _ := p.call(x)
	info := func(kind, body string, code int) {
		t.Helper()
		p.write(p.request("INFO", body, "Content-Type: "+kind))
		p.expect(code)
	}
	info("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", 200)
	info("application/dtmf-relay", "Signal= #\r\nDuration=160\r\n", 200)
	info("Application/DTMF-Relay; x=y", "Duration=100\r\nSignal=11", 200)
	info("application/dtmf", "*", 200)
	info("application/dtmf-relay", "Signal=flash\r\n", 400)
	info("text/plain", "hello", 415)
	p.write(p.request("INFO", ""))
	p.expect(200)
	p.write(p.request("OPTIONS", ""))
	p.expect(200)
	p.bye()
	l.cause(t)
	if l.digits != "5##*" {
		t.Errorf("digits %q", l.digits)
	}
}

// TestInfoInOrder: keys that are sent without waiting for answers stay in their order.
func TestInfoInOrder(t *testing.T) {
	s, x := start(t, nil)
	p := newPhone(t, s, "UDP", "room")
	l, _ := p.call(x)
	want := strings.Repeat("1234567890", 5)
	for _, key := range want {
		p.write(p.request("INFO", string(key), "Content-Type: application/dtmf"))
	}
	for range want {
		p.expect(200)
	}
	p.bye()
	l.cause(t)
	if l.digits != want {
		t.Errorf("digits %q", l.digits)
	}
}

func TestSessionIntervalTooSmall(t *testing.T) {
	s, _ := start(t, nil)
	p := newPhone(t, s, "UDP", "room")
	p.write(p.request("INVITE", offerSDP, "Supported: timer", "Session-Expires: 60"))
	if res := p.expect(422); header(res, "min-se") != "90" {
		t.Errorf("no Min-SE: %s", res)
	}
}

func TestSessionTimerNegotiation(t *testing.T) {
	cases := []struct {
		name     string
		extra    []string
		expires  string
		required bool
	}{
		{"no timer", nil, "1800;refresher=uas", false},
		{"supported only", []string{"Supported: timer"}, "1800;refresher=uas", true},
		{"asked", []string{"k: 100rel,timer", "x: 600"}, "600;refresher=uac", true},
		{"asked for us", []string{"Supported: timer", "Session-Expires: 600;refresher=uas"}, "600;refresher=uas", true},
		{"asked for more", []string{"Supported: timer", "Session-Expires: 7200;refresher=uac"}, "1800;refresher=uac", true},
		{"least", []string{"Supported: timer", "Session-Expires: 7200", "Min-SE: 3600"}, "3600;refresher=uac", true},
		{"of a proxy", []string{"Session-Expires: 30"}, "90;refresher=uas", false},
	}
	s, x := start(t, nil)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := newPhone(t, s, "UDP", "room")
			l, res := p.call(x, c.extra...)
			if got := header(res, "session-expires"); got != c.expires || (header(res, "require") == "timer") != c.required {
				t.Errorf("got %q, require %q", got, header(res, "require"))
			}
			p.bye()
			l.cause(t)
		})
	}
}

func short(o *Options) {
	o.Timing.SessionExpires, o.Timing.MinSE, o.Timing.T1 = 2*time.Second, time.Second, 20*time.Millisecond
}

func TestSessionExpires(t *testing.T) {
	s, x := start(t, short)
	p := newPhone(t, s, "UDP", "room")
	l, _ := p.call(x, "Supported: timer", "Session-Expires: 1;refresher=uac")
	p.write(p.request("UPDATE", "", "Supported: timer", "Session-Expires: 1;refresher=uac"))
	if res := p.expect(200); header(res, "session-expires") != "1;refresher=uac" {
		t.Errorf("refresh: %s", res)
	}
	began := time.Now()
	p.expectRequest("BYE", 200, "")
	if took := time.Since(began); took < 500*time.Millisecond || took > 1200*time.Millisecond {
		t.Errorf("hung up after %v, want two thirds of a second", took)
	}
	if by, status := l.cause(t); by != "local" || status != 408 {
		t.Errorf("ended by %s with %d", by, status)
	}
}

func TestRefreshByUpdate(t *testing.T) {
	s, x := start(t, short)
	p := newPhone(t, s, "UDP", "room")
	l, _ := p.call(x, "Supported: timer", "Session-Expires: 1;refresher=uas")
	for range 3 {
		req := p.expectRequest("UPDATE", 200, "", "Session-Expires: 1;refresher=uac")
		if header(req, "session-expires") != "1;refresher=uac" || len(req.Body()) != 0 {
			t.Errorf("refresh %s", req)
		}
	}
	p.expectRequest("UPDATE", 422, "", "Min-SE: 2")
	if req := p.expectRequest("UPDATE", 200, "", "Session-Expires: 2;refresher=uac"); header(req, "session-expires") != "2;refresher=uac" || header(req, "min-se") != "2" {
		t.Errorf("refresh after 422: %s", req)
	}
	p.expectRequest("UPDATE", 491, "")
	p.expectRequest("UPDATE", 481, "")
	if by, status := l.cause(t); by != "remote" || status != 481 {
		t.Errorf("ended by %s with %d", by, status)
	}
	p.quiet(200 * time.Millisecond)
}

func TestRefreshByReinvite(t *testing.T) {
	s, x := start(t, short)
	p := newPhone(t, s, "UDP", "room")
	l, _ := p.call(x, "Supported: timer", "Session-Expires: 1;refresher=uas")
	p.expectRequest("UPDATE", 405, "") // in spite of its Allow
	req := p.expectRequest("INVITE", 0, "")
	if string(req.Body()) != ourOffer || !strings.Contains(header(req, "contact"), "isfocus") {
		t.Errorf("re-INVITE %s", req)
	}
	p.write(p.request("INVITE", offerSDP)) // glare
	p.expect(491)
	p.write(ackOf(p))
	p.answer(req, 200, answerSDP, "Contact: <sip:caller@"+p.local()+">", "Session-Expires: 1;refresher=uac")
	ack := p.expectRequest("ACK", 0, "")
	if ack.CSeq().SeqNo != req.CSeq().SeqNo || ack.Via().Params.GetOr("branch", "") == req.Via().Params.GetOr("branch", "") {
		t.Errorf("ACK %s", ack)
	}
	p.answer(req, 200, answerSDP, "Contact: <sip:caller@"+p.local()+">", "Session-Expires: 1;refresher=uac") // as if the ACK got lost
	p.expectRequest("ACK", 0, "")
	p.expectRequest("INVITE", 481, "")
	p.expectRequest("ACK", 0, "")
	if by, status := l.cause(t); by != "remote" || status != 481 {
		t.Errorf("ended by %s with %d", by, status)
	}
	if len(l.answers) != 1 || l.answers[0] != answerSDP {
		t.Errorf("answers %q", l.answers)
	}
}

func TestRefreshWithoutAnswer(t *testing.T) {
	s, x := start(t, short)
	p := newPhone(t, s, "UDP", "room")
	l, _ := p.call(x, "Supported: timer", "Session-Expires: 1;refresher=uas")
	for {
		if req := p.next(5 * time.Second); req == nil {
			t.Fatal("no BYE")
		} else if strings.HasPrefix(req.String(), "BYE") {
			break
		}
	}
	if by, status := l.cause(t); by != "local" || status != 408 {
		t.Errorf("ended by %s with %d", by, status)
	}
}

// A refresh that is refused for no reason of the session is tried again until the session is about to end.
func TestRefreshRefused(t *testing.T) {
	s, x := start(t, func(o *Options) {
		short(o)
		o.Timing.MinSE = 5 * time.Second
		o.Timing.SessionExpires = 5 * time.Second
	})
	p := newPhone(t, s, "UDP", "room")
	l, _ := p.call(x, "Supported: timer", "Session-Expires: 5;refresher=uas", "Allow: INVITE, ACK, BYE")
	p.expectRequest("INVITE", 500, "")
	p.expectRequest("ACK", 0, "")
	p.expectRequest("INVITE", 422, "", "Min-SE: 2") // asks for less than it got
	p.expectRequest("ACK", 0, "")
	p.expectRequest("BYE", 200, "")
	if by, status := l.cause(t); by != "local" || status != 408 {
		t.Errorf("ended by %s with %d", by, status)
	}
}
