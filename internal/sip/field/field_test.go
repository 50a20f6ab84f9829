package field

import (
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
