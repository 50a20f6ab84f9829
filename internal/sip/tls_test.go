package sip

import (
	"crypto/tls"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"parley/internal/line"
	"parley/internal/sip/certificate"
)

// secured are options with a certificate of our own, which is believed where believed is set.
func secured(t *testing.T, believed bool) (change func(*Options), files *certificate.Files) {
	t.Helper()
	cert, key, err := certificate.Own(t.TempDir(), netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	files, err = certificate.Open(cert, key, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	roots, err := certificate.Roots(cert)
	if err != nil {
		t.Fatal(err)
	}
	return func(o *Options) {
		o.TLS.Certificate = files.Get
		if believed {
			o.TLS.Roots = roots
		}
	}, files
}

func TestCallOverTLS(t *testing.T) {
	change, _ := secured(t, true)
	s, x := start(t, change)
	c, err := tls.Dial("tcp", s.AddrTLS().String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	p := newPhone(t, s, "UDP", "room")
	p.network, p.conn = "TLS", c
	t.Cleanup(func() { _ = c.Close() })
	go p.readStream()
	l, res := p.call(x, "Contact: <sip:caller@"+c.LocalAddr().String()+";transport=tls>")
	if got := header(res, "contact"); !strings.Contains(got, s.AddrTLS().String()+";transport=tls>") {
		t.Errorf("contact %s", got)
	}
	l.hang <- "over"
	if bye := p.expectRequest("BYE", 200, ""); bye.Via().Transport != "TLS" {
		t.Errorf("BYE %s", bye)
	}
	l.cause(t)
}

// listenTLS is a phone that waits for a TLS connection.
func listenTLS(t *testing.T, files *certificate.Files) *phone {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listening(t, tls.NewListener(l, &tls.Config{GetCertificate: files.Get}), "TLS")
}

func TestPlacedOverTLS(t *testing.T) {
	change, files := secured(t, true)
	s, _ := start(t, change)
	for _, to := range []string{"sip:bob@%;transport=tls", "sips:bob@%"} {
		p := listenTLS(t, files)
		c := dialTo(t, s, p, func(o *line.Outgoing) { o.To = strings.Replace(to, "%", p.local(), 1) })
		c.call = c.expectRequest("INVITE", 0, "")
		scheme, _, _ := strings.Cut(to, ":")
		if c.call.Via().Transport != "TLS" || c.call.Contact().Address.Scheme != scheme || c.call.Recipient.Scheme != scheme {
			t.Errorf("INVITE %s", c.call)
		}
		c.answerIt()
		c.d.Hangup("")
		c.expectRequest("BYE", 200, "")
	}
}

func TestPlacedOverTLSToAStranger(t *testing.T) {
	change, files := secured(t, false)
	s, _ := start(t, change)
	p := listenTLS(t, files)
	c := dialTo(t, s, p, nil)
	c.last(503)
	c.ended("local", 503)
}

// A connection to the TLS port that never says hello is closed and counted.
func TestSilentTLSConnection(t *testing.T) {
	change, _ := secured(t, true)
	s, _ := start(t, change)
	c, err := net.Dial("tcp", s.AddrTLS().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_, _ = c.Write([]byte("OPTIONS sip:a@b SIP/2.0\r\n\r\n"))
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	buf := make([]byte, 1000)
	for err == nil {
		_, err = c.Read(buf)
	}
	if s.Stats().Dropped == 0 {
		t.Error("nothing was dropped")
	}
}

func TestTLSPortTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	change, _ := secured(t, true)
	o := Options{Addr: "127.0.0.1:0", Exchange: newExchange(), TLS: TLS{Addr: taken.Addr().String()}}
	change(&o)
	if _, err := Open(o); err == nil || !strings.Contains(err.Error(), "TLS") {
		t.Errorf("error %v", err)
	}
	o.TLS.Spare = true
	s, err := Open(o)
	if err != nil || s.AddrTLS().IsValid() {
		t.Fatalf("spare: %v", err)
	}
	s.sockets.Close()
}
