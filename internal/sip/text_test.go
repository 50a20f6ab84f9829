package sip

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"parley/internal/fault"
	"parley/internal/line"
	"parley/internal/sip/sanity"
)

func TestMessagesOutside(t *testing.T) {
	var mu sync.Mutex
	var got []string
	s, _ := start(t, func(o *Options) {
		o.Authenticate = func(req *sip.Request, _ netip.AddrPort) (Identity, *sip.Response) {
			if header(req, "authorization") == "ada" {
				return Identity{CustomerID: "c", Extension: "ada"}, nil
			}
			res := sip.NewResponseFromRequest(req, 401, "Unauthorized", nil)
			res.AppendHeader(sip.NewHeader("WWW-Authenticate", `Digest realm="x"`))
			return Identity{}, res
		}
		o.Message = func(_ context.Context, who Identity, target, contentType string, body []byte) error {
			if target == "members" && who.Extension == "" {
				return fault.New(fault.Unauthenticated, "X", "who is it?")
			}
			if target == "nobody" {
				return fault.New(fault.NotFound, "X", "nobody")
			}
			mu.Lock()
			defer mu.Unlock()
			got = append(got, who.Extension+"|"+target+"|"+contentType+"|"+string(body))
			return nil
		}
	})
	for _, network := range []string{"UDP", "TCP"} {
		for _, c := range []struct {
			target, body string
			extra        []string
			code         int
		}{
			{"room", "hello", nil, 200},
			{"members", "hello", nil, 401},
			{"members", "hello", []string{"Authorization: ada"}, 200},
			{"room", "hello", []string{"Authorization: eve"}, 401},
			{"nobody", "hello", nil, 404},
			{"room", strings.Repeat("x", 16385), nil, 413},
			{"room", "x", []string{"Content-Encoding: gzip"}, 415},
			{"room", "x", []string{"To: <sip:room@127.0.0.1>;tag=none"}, 481},
		} {
			p := newPhone(t, s, network, c.target)
			p.write(p.request("MESSAGE", c.body, append(c.extra, "Content-Type: text/plain")...))
			if res := p.expect(c.code); c.code == 401 && header(res, "www-authenticate") == "" {
				t.Errorf("no challenge: %s", res)
			}
		}
		p := newPhone(t, s, network, "room")
		p.write(p.request("REFER", "", "Refer-To: <sip:carol@example.com>"))
		p.expect(403)
		p.write(p.request("NOTIFY", "", "Event: refer"))
		p.expect(481)
	}
	mu.Lock()
	defer mu.Unlock()
	if want := "|room|text/plain|hello ada|members|text/plain|hello"; strings.Join(got, " ") != want+" "+want {
		t.Errorf("got %q", got)
	}
}

func TestHugeDatagram(t *testing.T) {
	s, _ := start(t, func(o *Options) { o.Check = sanity.Check })
	p := newPhone(t, s, "UDP", "room")
	p.write(p.request("OPTIONS", "", "Subject: "+strings.Repeat("x", 63000)))
	p.expect(513)
	p.write(p.request("OPTIONS", ""))
	p.expect(200)
}

func TestIdleConnection(t *testing.T) {
	s, _ := start(t, func(o *Options) { o.Limits.Idle = 200 * time.Millisecond })
	p := newPhone(t, s, "TCP", "room")
	p.write(p.request("OPTIONS", ""))
	p.expect(200)
	began := time.Now()
	if m := p.next(5 * time.Second); m != nil || time.Since(began) > 3*time.Second {
		t.Errorf("%v after %v", m, time.Since(began))
	}
}

// TestCallOverTheConnectionOfARegistration: whoever registered over TCP is called over that connection, wherever its Contact points.
func TestCallOverTheConnectionOfARegistration(t *testing.T) {
	var from netip.AddrPort
	s, _ := start(t, func(o *Options) {
		o.Register = func(req *sip.Request, source netip.AddrPort) *sip.Response {
			from = source
			return sip.NewResponseFromRequest(req, 200, "OK", nil)
		}
		o.Contacts = func(_ context.Context, customer, extension string) ([]line.Outgoing, error) {
			return []line.Outgoing{{To: "sip:" + extension + "@192.0.2.9:5060;transport=tcp", Via: "sip:" + from.String() + ";transport=tcp"}}, nil
		}
	})
	p := newPhone(t, s, "TCP", "1001")
	p.write(p.request("REGISTER", ""))
	p.expect(200)
	all, err := s.Contacts(t.Context(), "c", "1001")
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	c := dialTo(t, s, p, func(o *line.Outgoing) { o.To, o.Via = all[0].To, all[0].Via })
	c.call = c.expectRequest("INVITE", 0, "")
	if c.call.Recipient.String() != "sip:1001@192.0.2.9:5060;transport=tcp" {
		t.Errorf("INVITE %s", c.call)
	}
	c.answerIt("Contact: <sip:1001@192.0.2.9:5060;transport=tcp>")
	c.d.Hangup("")
	c.expectRequest("BYE", 200, "")
	c.ended("local", 0)
}

// TestCallToOneself: a server that calls itself has both ends of the dialog.
func TestCallToOneself(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		s, x := start(t, nil)
		p := newPhone(t, s, "UDP", "unused")
		c := dialTo(t, s, p, func(o *line.Outgoing) { o.To = "sip:room@" + s.Addr().String() + ";transport=" + network })
		c.news(180)
		c.last(200)
		l := p.line(x)
		<-l.up
		l.hang <- "enough"
		c.ended("remote", 0)
		l.cause(t)
		p.gone(s)
	}
}

// TestConnectionLost: a peer that closed its connection is called back over a new one, if it listens.
func TestConnectionLost(t *testing.T) {
	s, _ := start(t, nil)
	c := place(t, s, "TCP", nil)
	c.answerIt()
	again := make(chan net.Conn, 1)
	go func() {
		conn, err := c.listener.Accept()
		if err == nil {
			again <- conn
		}
	}()
	_ = c.conn.Close()
	time.Sleep(50 * time.Millisecond) // until the server has seen it
	c.d.Hangup("")
	select {
	case conn := <-again:
		buf := make([]byte, 3)
		if _, err := conn.Read(buf); err != nil || string(buf) != "BYE" {
			t.Errorf("%q %v", buf, err)
		}
		_ = conn.Close()
	case <-time.After(5 * time.Second):
		t.Fatal("no connection")
	}
	c.ended("local", 0)
}

// TestAssertedIdentity: P-Asserted-Identity counts where it comes from somebody who is trusted.
func TestAssertedIdentity(t *testing.T) {
	s, x := start(t, func(o *Options) {
		o.Authenticate = func(req *sip.Request, _ netip.AddrPort) (Identity, *sip.Response) {
			return Identity{CustomerID: "c", Trusted: header(req, "subject") == "trusted"}, nil
		}
	})
	for _, c := range []struct{ subject, header, want string }{
		{"trusted", `"Bob, B." <sip:+15551234@carrier.example.com>, <tel:+15551234>`, "+15551234@carrier.example.com Bob, B."},
		{"trusted", "tel:+15559999", "tel:+15559999 "},
		{"trusted", "<nonsense>", "ada@127.0.0.1 Ada"},
		{"stranger", "<sip:boss@example.com>", "ada@127.0.0.1 Ada"},
	} {
		p := newPhone(t, s, "UDP", "room")
		l, _ := p.call(x, "P-Asserted-Identity: "+c.header, "Subject: "+c.subject)
		if got := l.in.Source.Target + " " + l.in.Source.TargetName; got != c.want {
			t.Errorf("%s with %s: %q, want %q", c.subject, c.header, got, c.want)
		}
		p.bye()
		l.cause(t)
	}
}
