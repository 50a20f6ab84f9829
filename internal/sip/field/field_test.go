package field

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/emiago/sipgo/sip"
)

func TestInterval(t *testing.T) {
	cases := []struct {
		in        string
		seconds   int
		refresher string
		ok        bool
	}{
		{"1800", 1800, "", true},
		{" 90 ; refresher=UAC", 90, "uac", true},
		{"90;x=y;Refresher = uas;z", 90, "uas", true},
		{"90;refresher=me", 90, "", true},
		{"2147483647", 2147483647, "", true},
		{"2147483648", 0, "", false},
		{"0", 0, "", false},
		{"-1", 0, "", false},
		{"soon", 0, "", false},
		{"", 0, "", false},
	}
	for _, c := range cases {
		got, refresher, ok := Interval(c.in)
		if got != time.Duration(c.seconds)*time.Second || refresher != c.refresher || ok != c.ok {
			t.Errorf("%q: %v %q %v", c.in, got, refresher, ok)
		}
	}
}

func TestParseRAck(t *testing.T) {
	if r, ok := ParseRAck(" 776656  1 INVITE"); !ok || r != (RAck{776656, 1, "INVITE"}) {
		t.Errorf("got %+v %v", r, ok)
	}
	for _, in := range []string{"", "1 INVITE", "0 1 INVITE", "1 2147483648 INVITE", "4294967296 1 INVITE", "1 1 INVITE x", "a 1 INVITE"} {
		if r, ok := ParseRAck(in); ok {
			t.Errorf("%q: %+v", in, r)
		}
	}
}

func TestDigit(t *testing.T) {
	cases := map[string]string{
		"Signal=5\r\nDuration=160\r\n": "5", "Duration=160\nsignal = * ": "*", "Signal=10": "*", "Signal=11\r\n": "#", "Signal=12": "A",
		"5": "5", " #\r\n": "#", "d": "D", "Signal=d": "D", "0\n": "0",
		"": "", "Signal=": "", "Signal=16": "", "55": "", "Duration=160": "", "E": "", "Signal=5 6": "",
	}
	for in, want := range cases {
		if got, ok := Digit([]byte(in)); got != want || ok != (want != "") {
			t.Errorf("%q: %q %v", in, got, ok)
		}
	}
}

func TestUser(t *testing.T) {
	cases := map[string]string{
		"sip:conference:6f@host":                 "conference:6f",
		"sip:direct.0123456789ab@host:5060":      "direct.0123456789ab",
		"sips:a%20b%40c@host":                    "a b@c",
		"sip:sips%3Auser%40example.com@host.net": "sips:user@example.com",
		"sip:null-%00-null@host":                 "null-\x00-null",
		"sip:bad%zz@host":                        "bad%zz",
		"sip:user;par=u%40x@host":                "user;par=u@x",
		"sip:host":                               "",
	}
	for in, want := range cases {
		var u sip.Uri
		if err := sip.ParseUri(in, &u); err != nil {
			t.Fatal(err)
		}
		if got := User(&u); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}

func TestAcceptsSDP(t *testing.T) {
	cases := map[string]bool{
		"": true, "Accept: application/sdp\r\n": true, "Accept: text/plain, Application/SDP;level=1\r\n": true, "Accept: */*\r\n": true,
		"Accept: application/*;q=0.1\r\n": true, "Accept: text/plain\r\n": false, "Accept: application/json\r\nAccept: text/*\r\n": false,
	}
	for rows, want := range cases {
		m, err := sip.ParseMessage([]byte("INVITE sip:a@b SIP/2.0\r\n" + rows + "Content-Length: 0\r\n\r\n"))
		if err != nil {
			t.Fatal(err)
		}
		if got := AcceptsSDP(m.(*sip.Request)); got != want {
			t.Errorf("%q: %v", rows, got)
		}
	}
}

func FuzzValues(f *testing.F) {
	for _, s := range []string{"1800;refresher=uac", "776656 1 INVITE", "Signal=5\r\nDuration=160", "#", "\x00", "90;;;=;refresher", strings.Repeat("9", 400), "a\"b\\c\r\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, r, ok := Interval(s); ok && (d < time.Second || d%time.Second != 0 || r != "" && r != "uac" && r != "uas") {
			t.Errorf("interval %v %q of %q", d, r, s)
		}
		if r, ok := ParseRAck(s); ok && (r.RSeq == 0 || r.Method == "" || strings.ContainsAny(r.Method, " \r\n")) {
			t.Errorf("rack %+v of %q", r, s)
		}
		if d, ok := Digit([]byte(s)); ok != (len(d) == 1 && strings.Contains("0123456789*#ABCD", d)) {
			t.Errorf("digit %q %v of %q", d, ok, s)
		}
		q := Quoted(s)
		if inner := q[1 : len(q)-1]; len(inner) > 200 || strings.ContainsAny(inner, "\"\\\r\n\x00\x7f") || !utf8.ValidString(q) {
			t.Errorf("quoted %q of %q", q, s)
		}
	})
}

func refer(t testing.TB, value string) *sip.Request {
	t.Helper()
	req := sip.NewRequest(sip.REFER, sip.Uri{Host: "a"})
	req.AppendHeader(sip.NewHeader("Refer-To", value))
	return req
}

func TestReferTo(t *testing.T) {
	for value, want := range map[string]string{
		"<sip:carol@example.com>":                        "sip:carol@example.com||true",
		"sip:carol@example.com":                          "sip:carol@example.com||true",
		`"C" <sips:carol@example.com;transport=tcp>;x=y`: "sips:carol@example.com;transport=tcp||true",
		"<tel:+15551234>":                                "tel:+15551234||true",
		"<sip:c@e?Replaces=abc%40h%3Bto-tag%3D1%3Bfrom-tag%3D2&Subject=x>": "sip:c@e|abc@h;to-tag=1;from-tag=2|true",
		"<sip:c@e?replaces=%0d%0aX>":                                       "||false",
		"<sip:c@e?Replaces=%zz>":                                           "||false",
		"<sip:c@e":                                                         "||false",
		"<http://example.com>":                                             "||false",
		"":                                                                 "||false",
	} {
		to, replaces, ok := ReferTo(refer(t, value))
		if got := fmt.Sprintf("%s|%s|%t", to, replaces, ok); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
	two := refer(t, "<sip:a@b>")
	two.AppendHeader(sip.NewHeader("Refer-To", "<sip:c@d>"))
	if _, _, ok := ReferTo(two); ok {
		t.Error("two Refer-To are taken")
	}
}

func FuzzReferTo(f *testing.F) {
	for _, s := range []string{"<sip:c@e?Replaces=abc%3Bx>", "sip:a@b", "<tel:1>", "<sip:%00@b>", "<sip:[::1]?Replaces=%ff>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		to, replaces, ok := ReferTo(refer(t, value))
		if ok && (!URI(to) || strings.ContainsAny(replaces, "\r\n\x00")) {
			t.Errorf("%q gives %q and %q", value, to, replaces)
		}
	})
}

func FuzzURI(f *testing.F) {
	for _, s := range []string{"sip:a@b", "sips:a@[::1]:5061;transport=tls", "tel:+1", "sip:*", "sip:", "sip:a@b?x=y"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !URI(text) {
			return
		}
		m, err := sip.ParseMessage([]byte("OPTIONS sip:a@b SIP/2.0\r\nContact: <" + text + ">\r\nX: y\r\nContent-Length: 0\r\n\r\n"))
		if err != nil || len(m.GetHeaders("X")) != 1 {
			t.Errorf("%q breaks a message: %v", text, err)
		}
	})
}

func FuzzFragment(f *testing.F) {
	for _, s := range []string{"SIP/2.0 200 OK", "SIP/2.0 100 Trying\r\nX: y", "SIP/2.0", "sip/2.0 999 x", ""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if status, ok := Fragment(body); ok && (status < 100 || status > 699) {
			t.Errorf("%q gives %d", body, status)
		}
	})
}

func FuzzAsserted(f *testing.F) {
	for _, s := range []string{`"a, b" <sip:a@b>`, "tel:+1", "<sip:a@b>, <tel:1>", `"`, "<"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		req := sip.NewRequest(sip.INVITE, sip.Uri{Host: "a"})
		req.AppendHeader(sip.NewHeader("P-Asserted-Identity", value))
		if u, _, ok := Asserted(req); ok && u.Scheme == "" {
			t.Errorf("%q gives a URI without a scheme", value)
		}
	})
}
