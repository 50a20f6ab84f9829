package sip

import (
	"context"
	"strings"
	"testing"
	"time"

	"parley/internal/fault"
	"parley/internal/line"
)

// later runs a request of ours while the test plays the phone.
func later[T any](f func() T) <-chan T {
	out := make(chan T, 1)
	go func() { out <- f() }()
	return out
}

type answered struct {
	body []byte
	err  error
}

func reoffer(d line.Live, ctx context.Context) <-chan answered {
	return later(func() answered {
		body, err := d.Reoffer(ctx, []byte(offerSDP))
		return answered{body, err}
	})
}

func TestPlacedChallenges(t *testing.T) {
	for _, proxy := range []bool{false, true} {
		s, _ := start(t, nil)
		code, ask, give := 401, "WWW-Authenticate", "authorization"
		if proxy {
			code, ask, give = 407, "Proxy-Authenticate", "proxy-authorization"
		}
		c := place(t, s, "UDP", func(o *line.Outgoing) { o.User, o.Password = "ada", "secret" })
		c.reply(c.call, code, "x", "", ask+`: Digest realm="r", nonce="one", qop="auth-int, auth"`, ask+`: Digest realm="r", nonce="one", algorithm=SHA-256, qop="auth"`)
		c.expectRequest("ACK", 0, "")
		first := c.call
		c.call = c.expectRequest("INVITE", 0, "")
		got := header(c.call, give)
		if c.call.CSeq().SeqNo != 2 || c.call.CallID().Value() != first.CallID().Value() || !strings.Contains(got, "SHA-256") || !strings.Contains(got, "nc=00000001") ||
			!strings.Contains(got, `uri="`+c.call.Recipient.String()+`"`) || c.call.To().Params.Has("tag") {
			t.Errorf("second INVITE %s", c.call)
		}
		c.reply(c.call, code, "x", "", ask+`: Digest realm="r", nonce="two", stale=true, qop="auth"`) // took too long
		c.expectRequest("ACK", 0, "")
		c.call = c.expectRequest("INVITE", 0, "")
		if got := header(c.call, give); !strings.Contains(got, `nonce="two"`) || strings.Contains(got, "SHA-256") {
			t.Errorf("third INVITE %s", c.call)
		}
		ack := c.answerIt()
		if header(ack, give) != header(c.call, give) {
			t.Errorf("ACK %s", ack)
		}
		c.d.Hangup("")
		bye := c.expectRequest("BYE", code, "", ask+`: Digest realm="r", nonce="three", qop="auth"`)
		if !strings.Contains(header(bye, give), "nc=00000002") {
			t.Errorf("BYE %s", bye)
		}
		if bye := c.expectRequest("BYE", 200, ""); !strings.Contains(header(bye, give), `nonce="three"`) {
			t.Errorf("BYE %s", bye)
		}
	}
}

func TestPlacedWrongPassword(t *testing.T) {
	s, _ := start(t, nil)
	c := place(t, s, "UDP", func(o *line.Outgoing) { o.User, o.Password = "ada", "wrong" })
	for range 2 {
		c.reply(c.call, 401, "x", "", `WWW-Authenticate: Digest realm="r", nonce="one", qop="auth"`)
		c.expectRequest("ACK", 0, "")
		if header(c.call, "authorization") == "" {
			c.call = c.expectRequest("INVITE", 0, "")
		}
	}
	c.last(401)
	c.ended("remote", 401)
	c = place(t, s, "UDP", nil) // without a password
	c.reply(c.call, 407, "x", "", `Proxy-Authenticate: Digest realm="r", nonce="one", qop="auth"`)
	c.expectRequest("ACK", 0, "")
	c.last(407)
}

func TestPlacedSessionIntervals(t *testing.T) {
	s, _ := start(t, nil)
	c := place(t, s, "UDP", nil)
	c.reply(c.call, 422, "x", "", "Min-SE: 3600")
	c.expectRequest("ACK", 0, "")
	c.call = c.expectRequest("INVITE", 0, "")
	if header(c.call, "session-expires") != "3600" || header(c.call, "min-se") != "3600" {
		t.Errorf("INVITE %s", c.call)
	}
	c.reply(c.call, 422, "x", "", "Min-SE: 60") // less than it got
	c.expectRequest("ACK", 0, "")
	c.last(422)
}

func TestPlacedSessionTimer(t *testing.T) {
	s, _ := start(t, short)
	c := place(t, s, "UDP", nil)
	c.answerIt("Session-Expires: 1;refresher=uac", "Require: timer")
	req := c.expectRequest("UPDATE", 200, "", "Session-Expires: 1;refresher=uac")
	if header(req, "session-expires") != "1;refresher=uac" {
		t.Errorf("refresh %s", req)
	}
	c.expectRequest("UPDATE", 481, "")
	c.ended("remote", 481)

	c = place(t, s, "UDP", nil)
	c.answerIt("Session-Expires: 1;refresher=uas", "Require: timer")
	c.expectRequest("BYE", 200, "") // the phone forgets it
	c.ended("local", 408)
}

func TestPlacedIdentity(t *testing.T) {
	s, _ := start(t, nil)
	c := place(t, s, "UDP", func(o *line.Outgoing) {
		o.Anonymous, o.Identity, o.SIPCallID = true, "sip:+15551234@example.com", "mine-1"
	})
	if f := c.call.From(); f.Address.String() != "sip:anonymous@anonymous.invalid" || header(c.call, "privacy") != "id" ||
		header(c.call, "p-asserted-identity") != "<sip:+15551234@example.com>" || c.call.CallID().Value() != "mine-1" || strings.Contains(header(c.call, "contact"), "4711") {
		t.Errorf("INVITE %s", c.call)
	}
	if _, err := s.dial(t.Context(), line.Outgoing{To: "sip:a@127.0.0.1", Offer: []byte(offerSDP), SIPCallID: "mine-2"}, c.l); err != nil {
		t.Error(err)
	}
	via := newPhone(t, s, "UDP", "proxy")
	d := dialTo(t, s, via, func(o *line.Outgoing) {
		o.To, o.Via = "sip:+15551234@carrier.invalid?Replaces=abc%3Bto-tag%3D1%3Bfrom-tag%3D2", "sip:"+via.local()+";transport=udp"
	})
	d.call = d.expectRequest("INVITE", 0, "")
	if d.call.Recipient.String() != "sip:+15551234@carrier.invalid" || header(d.call, "replaces") != "abc;to-tag=1;from-tag=2" || header(d.call, "require") != "replaces" {
		t.Errorf("INVITE %s", d.call)
	}
	d.d.Cancel("")
	c.d.Cancel("")
}

func TestReoffer(t *testing.T) {
	s, x := start(t, nil)
	c := place(t, s, "UDP", nil)
	c.answerIt()
	got := reoffer(c.d, t.Context())
	req := c.expectRequest("INVITE", 0, "")
	if string(req.Body()) != offerSDP || req.To().Params.GetOr("tag", "") != "bob-1" {
		t.Errorf("re-INVITE %s", req)
	}
	c.write(c.in("UPDATE", offerSDP)) // glare: ours is open
	c.expect(491)
	c.reply(req, 200, "bob-1", answerSDP)
	c.expectRequest("ACK", 0, "")
	if a := <-got; a.err != nil || string(a.body) != answerSDP {
		t.Errorf("answer %q %v", a.body, a.err)
	}
	got = reoffer(c.d, t.Context())
	began := time.Now()
	c.reply(c.expectRequest("INVITE", 0, ""), 491, "bob-1", "")
	c.expectRequest("ACK", 0, "")
	c.reply(c.expectRequest("INVITE", 0, ""), 200, "bob-1", answerSDP)
	if took := time.Since(began); took < 2100*time.Millisecond || took > 4500*time.Millisecond {
		t.Errorf("tried again after %v", took)
	}
	c.expectRequest("ACK", 0, "")
	if a := <-got; a.err != nil {
		t.Error(a.err)
	}
	got = reoffer(c.d, t.Context())
	c.reply(c.expectRequest("INVITE", 0, ""), 488, "bob-1", "")
	c.expectRequest("ACK", 0, "")
	if a := <-got; fault.ReasonOf(a.err) != "OFFER_REFUSED" {
		t.Error(a.err)
	}
	c.d.Hangup("")
	c.expectRequest("BYE", 200, "")
	if a := <-reoffer(c.d, t.Context()); fault.ReasonOf(a.err) != "CALL_ENDED" {
		t.Error(a.err)
	}

	p := newPhone(t, s, "UDP", "room") // a call that came in
	l, _ := p.call(x)
	got = reoffer(l.d.(line.Live), t.Context())
	p.answer(p.expectRequest("INVITE", 0, ""), 200, answerSDP)
	p.expectRequest("ACK", 0, "")
	if a := <-got; a.err != nil || string(a.body) != answerSDP {
		t.Errorf("answer %q %v", a.body, a.err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	got = reoffer(l.d.(line.Live), ctx)
	req = p.expectRequest("INVITE", 0, "")
	cancel() // nobody waits any more, the line hears of the answer
	if a := <-got; fault.KindOf(a.err) != fault.Unavailable {
		t.Error(a.err)
	}
	p.answer(req, 200, answerSDP)
	p.expectRequest("ACK", 0, "")
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		l.mu.Lock()
		n := len(l.answers)
		l.mu.Unlock()
		if n == 1 {
			break
		}
	}
	got = reoffer(l.d.(line.Live), t.Context())
	p.answer(p.expectRequest("INVITE", 0, ""), 481, "")
	p.expectRequest("ACK", 0, "")
	if a := <-got; a.err == nil {
		t.Error("no error")
	}
	if by, status := l.cause(t); by != "remote" || status != 481 || len(l.answers) != 1 {
		t.Errorf("ended by %s with %d, %d answers", by, status, len(l.answers))
	}
}

func TestReferOut(t *testing.T) {
	s, _ := start(t, nil)
	c := place(t, s, "UDP", nil)
	c.answerIt()
	for _, step := range []struct {
		bodies []string
		state  string
		reason string // of the error, INTERNAL for none
	}{
		{[]string{"SIP/2.0 100 Trying", "SIP/2.0 200 OK"}, "active", ""},
		{[]string{"SIP/2.0 180 Ringing", "SIP/2.0 486 Busy Here"}, "terminated;reason=noresource", "REFER_FAILED"},
	} {
		got := later(func() error { return c.d.Refer(t.Context(), "sip:carol@example.com") })
		req := c.expectRequest("REFER", 202, "")
		if header(req, "refer-to") != "<sip:carol@example.com>" || header(req, "referred-by") != "<sip:4711@example.com>" {
			t.Errorf("REFER %s", req)
		}
		for i, body := range step.bodies {
			state := "active"
			if i == len(step.bodies)-1 {
				state = step.state
			}
			c.write(c.in("NOTIFY", body, "Event: refer", "Subscription-State: "+state, "Content-Type: message/sipfrag"))
			c.expect(200)
		}
		if err := <-got; (err != nil) != (step.reason != "") || err != nil && fault.ReasonOf(err) != step.reason {
			t.Errorf("refer: %v, want %s", err, step.reason)
		}
	}
	got := later(func() error { return c.d.Refer(t.Context(), "sip:carol@example.com") })
	c.expectRequest("REFER", 603, "")
	if err := <-got; fault.ReasonOf(err) != "REFER_REFUSED" {
		t.Error(err)
	}
	c.write(c.in("NOTIFY", "SIP/2.0 200 OK", "Event: refer", "Content-Type: message/sipfrag"))
	c.expect(481)
	c.write(c.in("NOTIFY", "", "Event: presence"))
	c.expect(489)
	if err := c.d.Refer(t.Context(), "sip:x>\r\nX: y"); fault.KindOf(err) != fault.Invalid {
		t.Error(err)
	}
	got = later(func() error { return c.d.Refer(t.Context(), "sip:carol@example.com") })
	c.expectRequest("REFER", 202, "")
	c.write(c.in("BYE", "")) // gone there
	c.expect(200)
	if err := <-got; err != nil {
		t.Error(err)
	}
}

func TestReferIn(t *testing.T) {
	s, _ := start(t, nil)
	c := place(t, s, "UDP", nil)
	c.answerIt()
	for _, fail := range []error{nil, fault.New(fault.NotFound, "X", "no such place")} {
		c.l.fails(fail)
		c.write(c.in("REFER", "", "Refer-To: <sip:carol@example.com?Replaces=abc%3Bto-tag%3D1%3Bfrom-tag%3D2&X=y>"))
		c.expect(202)
		req := c.expectRequest("NOTIFY", 200, "")
		if string(req.Body()) != "SIP/2.0 100 Trying\r\n" || !strings.HasPrefix(header(req, "event"), "refer;id=") || !strings.HasPrefix(header(req, "subscription-state"), "active") {
			t.Errorf("NOTIFY %s", req)
		}
		req = c.expectRequest("NOTIFY", 200, "")
		want := "SIP/2.0 200 OK\r\n"
		if fail != nil {
			want = "SIP/2.0 404 Not Found\r\n"
		}
		if string(req.Body()) != want || !strings.HasPrefix(header(req, "subscription-state"), "terminated") || header(req, "content-type") != "message/sipfrag;version=2.0" {
			t.Errorf("NOTIFY %s", req)
		}
	}
	c.write(c.in("REFER", ""))
	c.expect(400)
	for _, bad := range []string{"Refer-To: <sip:carol@example.com?Replaces=abc>", "Refer-To: <sip:carol@example.com?Replaces=abc%3Bto-tag%3D1>"} {
		c.write(c.in("REFER", "", bad))
		c.expect(400)
	}
	c.d.Hangup("")
	c.expectRequest("BYE", 200, "")
	if got, _ := c.l.took(); len(got) != 2 || got[0] != "sip:carol@example.com|abc;to-tag=1;from-tag=2" {
		t.Errorf("asked %q", got)
	}
}

func TestMessagesInside(t *testing.T) {
	s, x := start(t, nil)
	c := place(t, s, "UDP", nil)
	c.answerIt()
	c.write(c.in("MESSAGE", "hello", "Content-Type: text/plain;charset=UTF-8"))
	c.expect(200)
	c.l.fails(fault.New(fault.Denied, "X", "not here"))
	c.write(c.in("MESSAGE", "hello", "Content-Type: text/plain"))
	c.expect(403)
	c.write(c.in("MESSAGE", strings.Repeat("x", 16385), "Content-Type: text/plain"))
	c.expect(413)
	got := later(func() error { return c.d.Message(t.Context(), "text/plain", []byte("hi")) })
	if req := c.expectRequest("MESSAGE", 200, ""); string(req.Body()) != "hi" || header(req, "content-type") != "text/plain" {
		t.Errorf("MESSAGE %s", req)
	}
	if err := <-got; err != nil {
		t.Error(err)
	}
	got = later(func() error { return c.d.Message(t.Context(), "text/plain", []byte("hi")) })
	c.expectRequest("MESSAGE", 415, "")
	if err := <-got; fault.ReasonOf(err) != "MESSAGE_REFUSED" {
		t.Error(err)
	}
	c.write(c.in("BYE", ""))
	c.expect(200)
	if _, texts := c.l.took(); len(texts) != 2 || texts[0] != "text/plain;charset=UTF-8|hello" {
		t.Errorf("texts %q", texts)
	}
	p := newPhone(t, s, "UDP", "room") // whose line takes none, and which takes none
	l, _ := p.call(x)
	p.write(p.request("MESSAGE", "hello", "Content-Type: text/plain"))
	p.expect(405)
	p.write(p.request("REFER", "", "Refer-To: <sip:carol@example.com>"))
	p.expect(405)
	if err := l.d.(line.Live).Message(t.Context(), "text/plain", []byte("hi")); fault.ReasonOf(err) != "MESSAGE_REFUSED" {
		t.Error(err)
	}
	p.bye()
	l.cause(t)
}
