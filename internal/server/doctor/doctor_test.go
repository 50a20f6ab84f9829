package doctor

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"parley/internal/config"
)

// healthy is a configuration with which nothing fails on the machine of the test.
func healthy(t *testing.T) config.Config {
	t.Helper()
	c := config.Default()
	c.Data, c.HTTP, c.SIP, c.MediaPorts = t.TempDir(), free(t), free(t), "2000-2999"
	return c
}

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// about are the findings of a check, in words.
func about(found []Finding, check string) string {
	var out []string
	for _, f := range found {
		if strings.HasPrefix(f.Check, check) {
			out = append(out, fmt.Sprintf("%s %s: %s", f.Level, f.Check, f.Text))
		}
	}
	return strings.Join(out, "\n")
}

func TestMachine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	taken, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	over, key := certificate(t, time.Now().Add(-time.Hour))
	soon, soonKey := certificate(t, time.Now().Add(5*24*time.Hour))
	for _, test := range []struct {
		name  string
		ill   func(*config.Config)
		check string
		want  string
	}{
		{"nothing", func(*config.Config) {}, "data", "ok data"},
		{"folder is a file", func(c *config.Config) { c.Data = file }, "data", "fail data"},
		{"folder is nowhere", func(c *config.Config) { c.Data = "/nowhere/at/all" }, "data", "fail data"},
		{"port taken", func(c *config.Config) { c.SIP = taken.LocalAddr().String() }, "sip ", fmt.Sprintf("(process %d)", os.Getpid())},
		{"address of another machine", func(c *config.Config) { c.HTTP = "192.0.2.1:8080" }, "http", "not an address of this machine"},
		{"audio to loopback", func(c *config.Config) { c.SIP, c.MediaIP = "0.0.0.0:5999", "127.0.0.1" }, "reach", "fail reach"},
		{"audio to another machine", func(c *config.Config) { c.MediaIP = "192.0.2.1" }, "reach", "fail reach"},
		{"loopback only", func(*config.Config) {}, "reach", "warn reach"},
		{"loopback for trying out", func(c *config.Config) { c.Dev = true }, "reach", "ok reach"},
		{"few ports", func(c *config.Config) { c.MediaPorts = "2000-2019" }, "media ports", "enough for 10 calls"},
		{"fewer ports than calls", func(c *config.Config) { c.Limits.Calls = 1000 }, "media ports", "limits.calls is 1000"},
		{"sip among the media", func(c *config.Config) { c.SIP = "127.0.0.1:2500" }, "media ports", "fail media ports"},
		{"certificate over", func(c *config.Config) { c.TLS.Cert, c.TLS.Key = over, key }, "certificate", "fail certificate"},
		{"certificate soon over", func(c *config.Config) { c.TLS.Cert, c.TLS.Key = soon, soonKey }, "certificate", "warn certificate"},
		{"another's key", func(c *config.Config) { c.TLS.Cert, c.TLS.Key = soon, key }, "certificate", "fail certificate"},
	} {
		c := healthy(t)
		test.ill(&c)
		found := Examine(t.Context(), c, "")
		if got := about(found, test.check); !strings.Contains(got, test.want) {
			t.Errorf("%s: want %q, got\n%s", test.name, test.want, got)
		}
		for _, f := range found {
			if (f.Level == OK) != (f.Do == "") {
				t.Errorf("%s: %+v: what is not well says what to do", test.name, f)
			}
		}
		if left, _ := filepath.Glob(filepath.Join(c.Data, ".doctor-*")); len(left) > 0 {
			t.Errorf("%s: left behind: %v", test.name, left)
		}
	}
	if found := Examine(t.Context(), healthy(t), ""); Worst(found) == Fail {
		t.Errorf("a healthy machine fails: %+v", found)
	}
}

// TestServing looks at a server that says of itself that it is ill.
func TestServing(t *testing.T) {
	answers := map[string]string{
		"/metrics": "parley_store_failed_total 2\nparley_media_loop_busy_ratio{loop=\"0\"} 0.2\nparley_media_loop_busy_ratio{loop=\"1\"} 0.7\n" +
			"parley_recordings_live 1\nparley_recordings_unfinished 3\nparley_webhook_dead_letters_total 4\nparley_calls 5\n",
		"/v1.0/trunks":   `{"result":[{"name":"a","auth":"register","enabled":true,"state":{"registered":false,"status":403,"reason":"no"}},{"name":"b","auth":"digest","enabled":true,"state":{"reachable":true}}]}`,
		"/v1.0/webhooks": `{"result":[{"id":"w","uri":"http://x","status":"disabled","disabled_reason":"failing"}]}`,
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/readyz":
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, `{"reasons":["store: full"]}`)
		case strings.HasPrefix(r.URL.Path, "/v1.0/") && r.Header.Get("Authorization") != "Bearer k":
			w.WriteHeader(http.StatusUnauthorized)
		default:
			fmt.Fprint(w, answers[r.URL.Path])
		}
	}))
	defer s.Close()
	c := healthy(t)
	c.HTTP = strings.TrimPrefix(s.URL, "http://")
	found := Examine(t.Context(), c, "k")
	for check, want := range map[string]string{
		"server": "fail server: does not take calls: store: full", "store": "2 writes have failed", "load": "0.70 of the time", "recordings": "2 wait",
		"webhooks": "4 events could not be delivered", "trunk a": "not registered", "webhook w": "was given up (failing)", "calls": "5 calls",
	} {
		if got := about(found, check); !strings.Contains(got, want) {
			t.Errorf("%s: want %q, got\n%s", check, want, got)
		}
	}
	if Worst(found) != Fail || about(found, "trunk b") != "" {
		t.Errorf("worst is %s; trunk b: %s", Worst(found), about(found, "trunk b"))
	}
	if got := about(Examine(t.Context(), c, ""), "api"); !strings.Contains(got, "without an access key") {
		t.Errorf("no key: %s", got)
	}
}

// certificate makes one that nobody vouches for.
func certificate(t *testing.T, until time.Time) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	what := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: until.Add(-30 * 24 * time.Hour), NotAfter: until, DNSNames: []string{"sip.example.com"}}
	der, err := x509.CreateCertificate(rand.Reader, what, what, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, der []byte) string {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", keyDER)
}
