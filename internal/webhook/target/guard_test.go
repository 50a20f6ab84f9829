package target

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"parley/internal/fault"
)

// forms are ways to write targets inside: as URL they are refused at once, or else when they are called.
var forms = []struct {
	url  string
	late bool // only the call itself can tell
}{
	{"http://127.0.0.1/", false},
	{"http://127.0.0.1:80/", false},
	{"http://127.1/", false},
	{"http://127.0.1/", false},
	{"http://2130706433/", false},
	{"http://0x7f000001/", false},
	{"http://0x7f.0.0.1/", false},
	{"http://0177.0.0.1/", false},
	{"http://017700000001/", false},
	{"http://127.0.0.1./", false},
	{"http://0.0.0.0/", false},
	{"http://0/", false},
	{"http://localhost/", false},
	{"http://LOCALHOST./", false},
	{"http://a.localhost/", false},
	{"http://10.0.0.1/", false},
	{"http://172.16.0.1/", false},
	{"http://192.168.1.1/", false},
	{"http://100.64.0.1/", false},
	{"http://169.254.169.254/latest/meta-data/", false},
	{"http://0xa9fea9fe/", false},
	{"http://168.63.129.16/", false},
	{"http://100.100.100.200/", false},
	{"http://192.0.0.1/", false},
	{"http://192.0.2.1/", false},
	{"http://198.18.0.1/", false},
	{"http://192.88.99.1/", false},
	{"http://224.0.0.1/", false},
	{"http://255.255.255.255/", false},
	{"http://[::1]/", false},
	{"http://[::]/", false},
	{"http://[0:0:0:0:0:0:0:1]/", false},
	{"http://[::ffff:127.0.0.1]/", false},
	{"http://[::ffff:7f00:1]/", false},
	{"http://[::127.0.0.1]/", false},
	{"http://[::ffff:0:127.0.0.1]/", false},
	{"http://[64:ff9b::7f00:1]/", false},
	{"http://[64:ff9b:1::7f00:1]/", false},
	{"http://[2002:7f00:1::]/", false},
	{"http://[2001:0:7f00:1::]/", false},
	{"http://[fe80::1%25eth0]/", false},
	{"http://[fec0::1]/", false},
	{"http://[fd00:ec2::254]/", false},
	{"http://[ff02::1]/", false},
	{"http://[2001:db8::1]/", false},
	{"http://[2606:4700::5efe:127.0.0.1]/", false},
	{"http://①②⑦.⓪.⓪.①/", false},
	{"http://127%2e0.0.1/", false},
	{"http://example.com@127.0.0.1/", false},
	{"http://user:secret@example.com/", false},
	{"file:///etc/passwd", false},
	{"gopher://127.0.0.1/", false},
	{"http:///x", false},
	{"//127.0.0.1/", false},
	{"http://inside.example/", true},
	{"http://rebinding.example/", true},
}

func TestForms(t *testing.T) {
	if len(forms) < 40 {
		t.Fatalf("%d forms", len(forms))
	}
	g := New(nil)
	for _, f := range forms {
		if err := g.URL(f.url); (err == nil) != f.late || err != nil && fault.ReasonOf(err) != "INVALID_WEBHOOK_URI" {
			t.Errorf("%s: %v", f.url, err)
		}
	}
	for _, u := range []string{
		"https://example.com/hook?a=b", "http://example.com:8443", "http://8.8.8.8/", "http://[2606:4700::1111]/", "http://1.2.3.4.example/", "http://xn--bcher-kva.example/",
		"http://0xhost.example/", "http://12_7/",
	} {
		if err := g.URL(u); err != nil {
			t.Errorf("%s: %v", u, err)
		}
	}
}

// TestCalls tries the forms for real, with a resolver that an attacker owns: none may reach the receiver.
func TestCalls(t *testing.T) {
	reached := 0
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ }))
	defer receiver.Close()
	_, port, _ := net.SplitHostPort(receiver.Listener.Addr().String())
	for _, ip := range []string{"127.0.0.1", "::1", "::ffff:127.0.0.1", "10.0.0.1", "0.0.0.0", "::", "64:ff9b::7f00:1", "2002:7f00:1::"} {
		g := New(nil)
		tr := g.Transport(time.Second)
		dialer := &net.Dialer{Timeout: time.Second, Control: g.Control}
		tr.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) { // what the name means this time
			return dialer.DialContext(ctx, network, net.JoinHostPort(ip, port))
		}
		_, err := (&http.Client{Transport: tr}).Get("http://inside.example/")
		if !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", ip, err)
		}
	}
	for _, name := range []string{"localhost", "127.0.0.1", "[::1]", "0"} {
		client := &http.Client{Transport: New(nil).Transport(time.Second)}
		if res, err := client.Get("http://" + name + ":" + port); err == nil {
			t.Errorf("%s: %d", name, res.StatusCode)
		}
	}
	if reached > 0 {
		t.Errorf("the receiver was reached %d times", reached)
	}
}

// TestAllowed says that what the configuration allows is called, that proxies of the environment are not, and nothing else is.
func TestAllowed(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer receiver.Close()
	g := New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})
	if err := g.URL(receiver.URL); err != nil {
		t.Error(err)
	}
	tr := g.Transport(5 * time.Second)
	defer tr.CloseIdleConnections()
	res, err := (&http.Client{Transport: tr}).Get(receiver.URL)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	for _, ip := range []string{"10.0.0.1", "::1", "169.254.169.254"} {
		if g.Addr(netip.MustParseAddr(ip)) == nil {
			t.Errorf("%s is allowed too", ip)
		}
	}
	if g.Addr(netip.MustParseAddr("::ffff:127.0.0.1")) != nil {
		t.Error("the mapped form of an allowed address is refused")
	}
}

func FuzzURL(f *testing.F) {
	for _, x := range forms {
		f.Add(x.url)
	}
	g := New(nil)
	f.Fuzz(func(t *testing.T, text string) { // what passes and is an address, is a public one
		if g.URL(text) != nil {
			return
		}
		if req, err := http.NewRequest("GET", text, nil); err != nil || req.URL.Host == "" {
			t.Errorf("%q passes and cannot be called: %v", text, err)
		} else if ip, err := netip.ParseAddr(req.URL.Hostname()); err == nil && g.Addr(ip) != nil {
			t.Errorf("%q passes", text)
		}
	})
}
