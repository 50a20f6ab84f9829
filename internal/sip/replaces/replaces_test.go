package replaces_test

import (
	"strings"
	"testing"

	"github.com/emiago/sipgo/sip"

	"parley/internal/sip/field"
	"parley/internal/sip/replaces"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		text string
		want replaces.Header
		bad  bool
	}{
		// RFC 3891 section 6.1
		{text: "98732@sip.example.com ;from-tag=r33th4x0r ;to-tag=ff87ff", want: replaces.Header{CallID: "98732@sip.example.com", ToTag: "ff87ff", FromTag: "r33th4x0r"}},
		{text: "12adf2f34456gs5;to-tag=12345;from-tag=54321;early-only", want: replaces.Header{CallID: "12adf2f34456gs5", ToTag: "12345", FromTag: "54321", EarlyOnly: true}},
		{text: "87134@171.161.34.23;TO-TAG=24796;from-tag=0;x=y", want: replaces.Header{CallID: "87134@171.161.34.23", ToTag: "24796", FromTag: "0"}},
		{text: "", bad: true},
		{text: "abc", bad: true},
		{text: "abc;to-tag=1", bad: true},
		{text: "abc;from-tag=1", bad: true},
		{text: ";to-tag=1;from-tag=2", bad: true},
		{text: "abc;to-tag=1;from-tag=2;to-tag=3", bad: true},
		{text: "abc;to-tag=;from-tag=2", bad: true},
		{text: "a b;to-tag=1;from-tag=2", bad: true},
		{text: "abc;to-tag=1\r\nX: y;from-tag=2", bad: true},
		{text: strings.Repeat("a", 1100) + ";to-tag=1;from-tag=2", bad: true},
	} {
		got, ok := replaces.Parse(tt.text)
		if ok == tt.bad || ok && got != tt.want {
			t.Errorf("%.60q: %+v, %v", tt.text, got, ok)
		}
	}
}

func TestOf(t *testing.T) {
	const good = "Replaces: abc;to-tag=1;from-tag=2\r\n"
	for _, tt := range []struct {
		headers   string
		there, ok bool
	}{
		{"", false, true},
		{good, true, true},
		{good + good, true, false},
		{"Replaces: abc;to-tag=1;from-tag=2, abd;to-tag=1;from-tag=2\r\n", true, false},
		{good + "Join: abc;to-tag=1;from-tag=2\r\n", true, false},
		{"Replaces: abc\r\n", true, false},
	} {
		m, err := sip.ParseMessage([]byte("INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP c;branch=z9hG4bK1\r\n" + tt.headers + "\r\n"))
		if err != nil {
			t.Fatal(err)
		}
		if _, there, ok := replaces.Of(m.(*sip.Request)); there != tt.there || ok != tt.ok {
			t.Errorf("%q: there %v, ok %v", tt.headers, there, ok)
		}
	}
}

// FuzzParse: what can be read is written as the same, in a header as in a URI.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"98732@sip.example.com ;from-tag=r33th4x0r ;to-tag=ff87ff", "a;to-tag=1;from-tag=2;early-only", "a+b%c@[::1];to-tag=&;from-tag=?", "<>;to-tag=\";from-tag=\\", ";;;",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, ok := replaces.Parse(text)
		if !ok {
			return
		}
		if again, ok := replaces.Parse(h.String()); !ok || again != h {
			t.Errorf("%q became %q", text, h)
		}
		req := sip.NewRequest(sip.REFER, sip.Uri{})
		req.AppendHeader(sip.NewHeader("Refer-To", "<"+h.In("sip:a@b;x=y")+">"))
		to, value, ok := field.ReferTo(req)
		if again, fine := replaces.Parse(value); !ok || to != "sip:a@b;x=y" || !fine || again != h {
			t.Errorf("%q became %q %q", text, to, value)
		}
	})
}
