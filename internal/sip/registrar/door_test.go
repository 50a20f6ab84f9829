package registrar

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	client "github.com/icholy/digest"

	"parley/internal/line"
	door "parley/internal/sip"
)

// closed is an exchange that nobody calls.
type closed struct{ door.Exchange }

func (closed) Accept(context.Context, line.Invite, line.Dialog) (door.Line, error) {
	panic("not called")
}

// TestThroughTheDoor registers a phone over real sockets.
func TestThroughTheDoor(t *testing.T) {
	b := newBench(t)
	s, err := door.Open(door.Options{Addr: "127.0.0.1:0", Exchange: closed{}, Authenticate: b.r.Authenticate, Register: b.r.Register})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	for _, network := range []string{"udp", "tcp"} {
		c, err := net.Dial(network, s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		at := c.LocalAddr().String()
		ask := func(cseq, more string) string {
			t.Helper()
			_ = c.SetDeadline(time.Now().Add(10 * time.Second))
			_, err := c.Write([]byte("REGISTER sip:parley SIP/2.0\r\nVia: SIP/2.0/" + strings.ToUpper(network) + " " + at + ";rport;branch=z9hG4bK" + network + cseq +
				"\r\nFrom: <sip:1001@parley>;tag=a\r\nTo: <sip:1001@parley>\r\nCall-ID: " + network + "\r\nCSeq: " + cseq + " REGISTER\r\nMax-Forwards: 70\r\n" +
				"Contact: <sip:a@" + at + ";transport=" + network + ">;expires=90\r\n" + more + "Content-Length: 0\r\n\r\n"))
			if err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 65536)
			n, err := c.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			return string(buf[:n])
		}
		first := ask("1", "")
		_, challenge, ok := strings.Cut(first, "WWW-Authenticate: ")
		if !strings.HasPrefix(first, "SIP/2.0 401 ") || !ok {
			t.Fatalf("%s: %s", network, first)
		}
		challenge, _, _ = strings.Cut(challenge, "\r\n")
		parsed, err := client.ParseChallenge(challenge)
		if err != nil {
			t.Fatal(err)
		}
		cred, err := client.Digest(parsed, client.Options{Method: "REGISTER", URI: "sip:parley", Username: "1001", Password: "secret", Count: 1})
		if err != nil {
			t.Fatal(err)
		}
		second := ask("2", "Authorization: "+cred.String()+"\r\n")
		if !strings.HasPrefix(second, "SIP/2.0 200 OK") || !strings.Contains(second, "Contact: <sip:a@"+at+";transport="+network+">;expires=90\r\n") {
			t.Errorf("%s: %s", network, second)
		}
		flow := b.r.Lookup("1001")[0]
		if flow.Source.String() != at || flow.Transport != strings.ToUpper(network) {
			t.Errorf("%s: flow %v %v", network, flow.Source, flow.Transport)
		}
	}
	if n := len(b.r.Lookup("1001")); n != 2 {
		t.Errorf("%d bindings, want 2", n)
	}
}
