package socket

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestFrame(t *testing.T) {
	const head = "OPTIONS sip:a@b SIP/2.0\r\n"
	cases := []struct {
		name, in string
		n        int
		sure     bool
		err      error
	}{
		{"nothing", "", 0, false, nil},
		{"half a header", head, 0, false, nil},
		{"no body", head + "Content-Length: 0\r\n\r\nnext", len(head) + 21, true, nil},
		{"compact", head + "l:3\r\n\r\nabcnext", len(head) + 7 + 3, true, nil},
		{"half a body", head + "L : 10\r\n\r\nabc", 0, true, nil},
		{"none", head + "\r\n", len(head) + 2, false, nil},
		{"negative", head + "Content-Length: -1\r\n\r\n", len(head) + 22, false, nil},
		{"twice the same", head + "Content-Length: 1\r\nl: 1\r\n\r\na", len(head) + 28, true, nil},
		{"twice", head + "Content-Length: 1\r\nl: 2\r\n\r\nab", len(head) + 27, false, nil},
		{"too long", head + "Content-Length: 65536\r\n\r\n", 0, false, errTooLong},
		{"endless header", strings.Repeat("x", maxMessage+1), 0, false, errTooLong},
	}
	for _, c := range cases {
		n, sure, err := frame([]byte(c.in))
		if n != c.n || sure != c.sure || !errors.Is(err, c.err) {
			t.Errorf("%s: %d %v %v, want %d %v %v", c.name, n, sure, err, c.n, c.sure, c.err)
		}
	}
}

func FuzzFrame(f *testing.F) {
	for _, s := range []string{"\r\n\r\n", "A\r\nl: 3\r\n\r\nabc", "A\r\nContent-Length: 1\r\nl:2\r\n\r\nab", "A\r\nl: 99999999999\r\n\r\n", ":\r\n:\r\n\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, sure, err := frame(b)
		if n < 0 || n > len(b) || err != nil && n != 0 {
			t.Fatalf("%d %v %v of %d bytes", n, sure, err, len(b))
		}
		if n > 0 && !bytes.Contains(b[:n], []byte("\r\n\r\n")) {
			t.Fatalf("a message without the end of its header: %q", b[:n])
		}
	})
}

func TestReplyTo(t *testing.T) {
	from := netip.MustParseAddrPort("10.0.0.1:4000")
	cases := map[string]string{
		"Via: SIP/2.0/UDP host;branch=x\r\n":                                "10.0.0.1:5060",
		"Via: SIP/2.0/UDP host:5070;branch=x\r\n":                           "10.0.0.1:5070",
		"v: SIP / 2.0 / UDP [2001:db8::1]:5071 ;branch=x\r\n":               "10.0.0.1:5071",
		"Via: SIP/2.0/UDP host:5070;rport;branch=x\r\n":                     "10.0.0.1:4000",
		"Via: SIP/2.0/UDP host:5070;branch=x, SIP/2.0/UDP b;rport\r\n":      "10.0.0.1:5070",
		"Via: SIP/2.0/UDP host:99999\r\n":                                   "10.0.0.1:5060",
		"From: x\r\n":                                                       "10.0.0.1:4000",
		"Via: SIP/2.0/UDP a:1;x\r\nVia: SIP/2.0/UDP b:2;rport;branch=x\r\n": "10.0.0.1:1",
	}
	for rows, want := range cases {
		if got := replyTo([]byte("SIP/2.0 400 Bad\r\n"+rows+"\r\n"), from); got.String() != want {
			t.Errorf("%q: %s, want %s", rows, got, want)
		}
	}
}

// pipe is a stream over a pipe, in a bubble of virtual time.
func pipe(check Check) (*stream, net.Conn) {
	if check == nil {
		check = func(raw []byte, _ string) (fixed, answer []byte, ok bool) { return raw, nil, true }
	}
	a, b := net.Pipe()
	return &stream{Conn: a, pair: &Pair{o: Options{Check: check, Idle: 30 * time.Minute}}}, b
}

func TestHalfAMessageEndsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, peer := pipe(nil)
		defer func() { _ = s.Close() }()
		began := time.Now()
		done := make(chan struct{})
		go func() { // a byte each second
			defer close(done)
			for _, c := range []byte("OPTIONS sip:a@b SIP/2.0\r\n") {
				if _, err := peer.Write([]byte{c}); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}()
		if _, err := s.Read(make([]byte, 100)); err == nil {
			t.Error("half a message was read")
		}
		if took := time.Since(began); took < frameTimeout-time.Second || took > frameTimeout+time.Second {
			t.Errorf("ended after %v", took)
		}
		_ = s.Close()
		<-done
		_ = peer.Close()
	})
}

func TestIdleConnectionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, peer := pipe(nil)
		defer func() { _ = s.Close(); _ = peer.Close() }()
		began := time.Now()
		go func() {
			time.Sleep(20 * time.Minute)
			_, _ = peer.Write([]byte("\r\n\r\n"))
			_, _ = io.ReadFull(peer, make([]byte, 2))
		}()
		if _, err := s.Read(make([]byte, 100)); err == nil {
			t.Error("something was read")
		}
		if took := time.Since(began); took < 50*time.Minute || took > 50*time.Minute+lastWords {
			t.Errorf("ended after %v", took)
		}
	})
}

func TestNothingIsReadAfterAnUnsureEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, peer := pipe(func([]byte, string) (fixed, answer []byte, ok bool) {
			return nil, []byte("SIP/2.0 400 Bad\r\n\r\n"), false
		})
		defer func() { _ = s.Close() }()
		go func() {
			_, _ = peer.Write([]byte("OPTIONS sip:a@b SIP/2.0\r\n\r\nINVITE sip:a@b SIP/2.0\r\nl: 0\r\n\r\n"))
		}()
		go func() { _, _ = io.Copy(io.Discard, peer) }()
		if _, err := s.Read(make([]byte, 100)); !errors.Is(err, io.EOF) {
			t.Errorf("error %v", err)
		}
		_ = peer.Close()
	})
}

// TestManySources shows that the reader starts afresh before a spoofer's sources fill the memory, and that no datagram is lost by it.
func TestManySources(t *testing.T) {
	p, err := Open(Options{Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for i := range maxSources {
		p.UDP.seen[netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 5060)] = struct{}{}
	}
	c, err := net.Dial("udp", p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := c.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	if _, _, err := p.UDP.ReadFrom(buf); !errors.Is(err, net.ErrClosed) || p.Closed() {
		t.Fatalf("error %v, closed %v", err, p.Closed())
	}
	n, from, err := p.UDP.ReadFrom(buf)
	if err != nil || string(buf[:n]) != "hello" || from.String() != c.LocalAddr().String() || len(p.UDP.seen) != 1 {
		t.Errorf("%q from %v: %v, %d seen", buf[:n], from, err, len(p.UDP.seen))
	}
}
