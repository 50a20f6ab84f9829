package registrar

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"
	client "github.com/icholy/digest"

	"parley/internal/fault"
	"parley/internal/sip/digest"
)

const realm = "parley"

var source = netip.MustParseAddrPort("127.0.0.1:5070")

// bench is a registrar with the extensions 1001 and 1002, and a phone that talks to it.
type bench struct {
	*testing.T
	r    *Registrar
	cseq int
	down error // what lookups fail with
}

func newBench(t *testing.T) *bench {
	b := &bench{T: t}
	b.r = New(Options{Authority: digest.New(digest.Options{Realm: realm}), Lookup: func(_ context.Context, user string) (Extension, error) {
		if b.down != nil {
			return Extension{}, b.down
		}
		if user != "1001" && user != "1002" {
			return Extension{}, fault.New(fault.NotFound, "X", "no extension")
		}
		return Extension{CustomerID: "c-" + user, Secret: digest.NewSecret(user, realm, "secret")}, nil
	}})
	return b
}

// request makes a REGISTER of 1001; rows are added, and CSeq counts.
func (b *bench) request(rows ...string) *sip.Request {
	b.Helper()
	b.cseq++
	to := "<sip:1001@parley>"
	if len(rows) > 0 && strings.HasPrefix(rows[0], "To: ") {
		to, rows = rows[0][4:], rows[1:]
	}
	id, cseq := "Call-ID: one", fmt.Sprintf("CSeq: %d REGISTER", b.cseq)
	var more []string
	for _, row := range rows {
		switch {
		case strings.HasPrefix(row, "Call-ID:"):
			id = row
		case strings.HasPrefix(row, "CSeq:"):
			cseq = row
		default:
			more = append(more, row)
		}
	}
	text := strings.Join(append([]string{
		"REGISTER sip:parley SIP/2.0", "Via: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK1;rport", "From: <sip:1001@parley>;tag=a", "To: " + to, id, cseq,
	}, more...), "\r\n") + "\r\nContent-Length: 0\r\n\r\n"
	m, err := sip.ParseMessage([]byte(text))
	if err != nil {
		b.Fatal(err)
	}
	req := m.(*sip.Request)
	req.SetTransport("UDP")
	req.SetSource(source.String())
	return req
}

// register sends a REGISTER with credentials and returns the code and the contacts of the answer, joined by spaces.
func (b *bench) register(rows ...string) string {
	b.Helper()
	return b.as("1001", "secret", rows...)
}

func (b *bench) as(user, password string, rows ...string) string {
	b.Helper()
	res := b.r.Register(b.signed(b.request(rows...), user, password, 0), source)
	out := strconv.Itoa(res.StatusCode)
	for _, h := range res.GetHeaders("contact") {
		out += " " + h.Value()
	}
	if res.StatusCode == 200 && len(res.GetHeaders("date")) != 1 {
		b.Errorf("no Date in %s", res)
	}
	return out
}

// signed answers a fresh challenge, the SHA-256 one (0) or the MD5 one (1).
func (b *bench) signed(req *sip.Request, user, password string, which int) *sip.Request {
	b.Helper()
	c, err := client.ParseChallenge(b.r.o.Authority.Challenges(time.Now(), false)[which])
	if err != nil {
		b.Fatal(err)
	}
	cred, err := client.Digest(c, client.Options{Method: string(req.Method), URI: "sip:parley", Username: user, Password: password, Count: 1})
	if err != nil {
		b.Fatal(err)
	}
	req.AppendHeader(sip.NewHeader("Authorization", cred.String()))
	return req
}

func (b *bench) want(what, got, want string) {
	b.Helper()
	if got != want {
		b.Errorf("%s: %s, want %s", what, got, want)
	}
}

func TestRegister(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.want("query of nothing", b.register(), "200")
		b.want("first", b.register("Contact: <sip:a@h:1>"), "200 <sip:a@h:1>;expires=3600")
		b.want("second", b.register("Contact: <sip:b@h;transport=tcp>;q=0.5;expires=120;+sip.instance=\"<urn:uuid:1 2>\""),
			`200 <sip:a@h:1>;expires=3600 <sip:b@h;transport=tcp>;q=0.500;expires=120;+sip.instance="<urn:uuid:1 2>"`)
		time.Sleep(60 * time.Second)
		b.want("query", b.register("Call-ID: x"), `200 <sip:a@h:1>;expires=3540 <sip:b@h;transport=tcp>;q=0.500;expires=60;+sip.instance="<urn:uuid:1 2>"`)
		time.Sleep(60 * time.Second)
		b.want("expired", b.register(), "200 <sip:a@h:1>;expires=3480")
		b.want("refreshed", b.register("Expires: 600", "Contact: <SIP:%61@H:1>"), "200 <sip:%61@H:1>;expires=600")
		b.want("two at once, one leaves", b.register("Contact: <sip:a@h:1>;expires=0, <sip:c@[::1]>"), "200 <sip:c@[::1]>;expires=3600")
		b.want("overlong", b.register("Contact: <sip:c@[::1]>;expires=99999999999999999999"), "200 <sip:c@[::1]>;expires=3600")
		b.want("malformed expiry", b.register("Contact: <sip:c@[::1]>;expires=-1", "Expires: 100"), "200 <sip:c@[::1]>;expires=3600")
		b.want("star", b.register("Contact: *", "Expires: 0"), "200")
		if len(b.r.users) != 0 {
			t.Errorf("%d users are left", len(b.r.users))
		}
	})
}

func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.want("start", b.register("Contact: <sip:a@h>"), "200 <sip:a@h>;expires=3600")
		for _, c := range []struct {
			name, want string
			rows       []string
		}{
			{"too brief", "423", []string{"Contact: <sip:b@h>;expires=59"}},
			{"too brief for the second", "423", []string{"Contact: <sip:b@h>, <sip:c@h>;expires=1"}},
			{"star with a time", "400", []string{"Contact: *", "Expires: 60"}},
			{"star without a time", "400", []string{"Contact: *"}},
			{"star and more", "400", []string{"Contact: *", "Contact: <sip:b@h>", "Expires: 0"}},
			{"no SIP URI", "400", []string{"Contact: <name:John_Smith>"}},
			{"bad q", "400", []string{"Contact: <sip:b@h>;q=1.001"}},
			{"old CSeq", "500", []string{"CSeq: 1 REGISTER", "Contact: <sip:a@h>"}},
			{"old CSeq with star", "500", []string{"CSeq: 1 REGISTER", "Contact: *", "Expires: 0"}},
			{"other extension", "403", []string{"To: <sip:1002@parley>", "Contact: <sip:b@h>"}},
			{"no extension", "403", []string{"To: <tel:1001>", "Contact: <sip:b@h>"}},
			{"long contact", "400", []string{"Contact: <sip:" + strings.Repeat("x", 1100) + "@h>"}},
			{"11 contacts", "403", []string{"Contact: <sip:b@h>" + strings.Repeat(", <sip:b@h>", 10)}},
		} {
			b.want(c.name, b.register(c.rows...), c.want)
		}
		b.want("other password", b.as("1001", "guess"), "401")
		b.want("unknown user", b.as("1003", "secret"), "401")
		b.want("what is there", b.register(), "200 <sip:a@h>;expires=3600")
		b.want("another phone with a low CSeq", b.register("Call-ID: two", "CSeq: 1 REGISTER", "Contact: <sip:a@h>;expires=60"), "200 <sip:a@h>;expires=60")
	})
}

func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		for i := range 12 {
			b.register(fmt.Sprintf("Contact: <sip:p%d@h>;expires=%d;q=0.%d", i, 3600-i, i%3))
			time.Sleep(time.Second)
		}
		var got []string
		for _, x := range b.r.Lookup("1001") {
			got = append(got, x.Contact.User)
			if x.Source != source || x.Transport != "UDP" {
				t.Errorf("flow %v %s", x.Source, x.Transport)
			}
		}
		b.want("order", strings.Join(got, " "), "p11 p8 p5 p2 p10 p7 p4 p9 p6 p3")
		time.Sleep(2 * time.Hour)
		if n := len(b.r.Lookup("1001")); n != 0 {
			t.Errorf("%d live after two hours", n)
		}
		b.as("1002", "secret", "To: <sip:1002@parley>", "Contact: <sip:x@h>")
		if len(b.r.users) != 1 {
			t.Errorf("%d users kept, want 1", len(b.r.users))
		}
		b.r.Forget("1002")
		if len(b.r.Lookup("1002")) != 0 {
			t.Error("still there")
		}
	})
}

func TestAuthenticate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		plain := b.request()
		who, res := b.r.Authenticate(plain, source)
		if who.Extension != "" || res.StatusCode != 401 || len(res.GetHeaders("www-authenticate")) != 2 {
			t.Errorf("without credentials: %v %v", who, res)
		}
		plain.AppendHeader(sip.NewHeader("Authorization", "NoOneKnowsThisScheme opaque-data=here"))
		if _, res = b.r.Authenticate(plain, source); res == nil || res.StatusCode != 401 {
			t.Errorf("unknown scheme: %v", res)
		}
		_, res = b.r.Authenticate(b.request("User-Agent: baresip v1.0.0 (x86_64/linux)"), source)
		if h := res.GetHeaders("www-authenticate"); len(h) != 1 || !strings.Contains(h[0].Value(), "algorithm=MD5") {
			t.Errorf("a phone that knows MD5 only: %v", res)
		}
		for which := range 2 {
			req := b.signed(b.request(), "1002", "secret", which)
			if who, res = b.r.Authenticate(req, source); res != nil || who.Extension != "1002" || who.CustomerID != "c-1002" {
				t.Errorf("challenge %d: %v %v", which, who, res)
			}
			if _, res = b.r.Authenticate(req, source); res == nil || res.StatusCode != 401 {
				t.Errorf("replayed %d: %v", which, res)
			}
		}
		late := b.signed(b.request(), "1001", "secret", 0)
		time.Sleep(10 * time.Minute)
		if _, res = b.r.Authenticate(late, source); res == nil || !strings.Contains(res.GetHeader("www-authenticate").Value(), "stale=true") {
			t.Errorf("late: %v", res)
		}
		b.down = errors.New("disk")
		if _, res = b.r.Authenticate(b.signed(b.request(), "1001", "secret", 0), source); res == nil || res.StatusCode != 503 {
			t.Errorf("store down: %v", res)
		}
		b.down = nil
		for range 30 {
			_, res = b.r.Authenticate(b.signed(b.request(), "1001", "guess", 0), source)
		}
		if res.StatusCode != 403 {
			t.Errorf("after 30 guesses: %v", res)
		}
	})
}
