package sanity

import (
	"bytes"
	"strings"
	"testing"
)

// request is a request with rows in the place of those whose names they have, and added where there are none; "-Name" takes one away.
func request(rows ...string) string {
	all := []string{
		"Via: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK1;rport", "From: <sip:a@127.0.0.1>;tag=a", "To: <sip:b@127.0.0.1>",
		"Call-ID: c1", "CSeq: 1 OPTIONS", "Max-Forwards: 70", "Content-Length: 0",
	}
	start := "OPTIONS sip:b@127.0.0.1 SIP/2.0"
	for _, row := range rows {
		name, _, ok := strings.Cut(row, ":")
		if strings.HasPrefix(row, "=") {
			start = row[1:]
			continue
		}
		drop := strings.TrimPrefix(name, "-")
		for i := range all {
			if strings.HasPrefix(all[i], drop+":") {
				all[i] = ""
			}
		}
		if ok {
			all = append(all, row)
		}
	}
	text := start + "\r\n"
	for _, row := range all {
		if row != "" {
			text += row + "\r\n"
		}
	}
	return text + "\r\n"
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct{ name, raw, want string }{
		{"fine", request(), ""},
		{"two Vias in a row", request("Via: SIP/2.0/UDP a , SIP/2.0/TCP b;x=1"), ""},
		{"star", request("Contact: *"), ""},
		{"long", request("Subject: " + strings.Repeat("x", 30000)), ""},
		{"too long", request("Subject: " + strings.Repeat("x", 60000)), "513 Message Too Large"},
		{"no Via", request("-Via"), "drop"},
		{"no From", request("-From"), "400 Missing From"},
		{"no To", request("-To"), "400 Missing To"},
		{"no Call-ID", request("-Call-ID"), "400 Missing Call-ID"},
		{"no CSeq", request("-CSeq"), "400 Missing CSeq"},
		{"no Max-Forwards", request("-Max-Forwards"), ""},
		{"two Tos", request() + "", ""},
		{"two Subjects", strings.Replace(request(), "CSeq", "Subject: a\r\ns: b\r\nCSeq", 1), "400 Repeated Subject"},
		{"From twice, once compact", strings.Replace(request(), "CSeq", "f: <sip:x@y>;tag=2\r\nCSeq", 1), "400 Repeated From"},
		{"CSeq too large", request("CSeq: 2147483648 OPTIONS"), "400 Bad CSeq"},
		{"largest CSeq", request("CSeq: 2147483647 OPTIONS"), ""},
		{"signed CSeq", request("CSeq: +1 OPTIONS"), "400 Bad CSeq"},
		{"CSeq alone", request("CSeq: 1"), "400 Bad CSeq"},
		{"other method", request("CSeq: 1 INVITE"), "400 CSeq Method Differs From Request Line"},
		{"method in lower case", request("=options sip:b@127.0.0.1 SIP/2.0", "CSeq: 1 options"), "501 Not Implemented"},
		{"ACK", request("=ACK sip:b@127.0.0.1 SIP/2.0", "CSeq: 1 INVITE"), "drop"},
		{"Max-Forwards 256", request("Max-Forwards: 256"), "400 Bad Max-Forwards"},
		{"Max-Forwards word", request("Max-Forwards: many"), "400 Bad Max-Forwards"},
		{"Content-Length signed", request("Content-Length: +0"), "400 Bad Content-Length"},
		{"Content-Length hexadecimal", request("Content-Length: 0x0"), "400 Bad Content-Length"},
		{"Content-Length beyond 64 bits", request("Content-Length: 18446744073709551616"), "400 Bad Content-Length"},
		{"Content-Length too large", request("Content-Length: 1"), "400 Content-Length Larger Than Message"},
		{"version 3", request("=OPTIONS sip:b@127.0.0.1 SIP/3.0"), "505 Version Not Supported"},
		{"version in lower case", request("=OPTIONS sip:b@127.0.0.1 sip/2.0"), ""},
		{"two spaces", request("=OPTIONS  sip:b@127.0.0.1 SIP/2.0"), "400 White Space In Request Line"},
		{"tel", request("=OPTIONS tel:+1 SIP/2.0"), "416 Unsupported URI Scheme"},
		{"sips", request("=OPTIONS sips:b@127.0.0.1 SIP/2.0"), ""},
		{"no scheme", request("=OPTIONS b SIP/2.0"), "400 URI Without Scheme"},
		{"bad port", request("=OPTIONS sip:b@127.0.0.1:99999 SIP/2.0"), "400 Bad Port"},
		{"port 0", request("=OPTIONS sip:b@127.0.0.1:0 SIP/2.0"), "400 Bad Port"},
		{"bad host", request("=OPTIONS sip:b@a/b SIP/2.0"), "400 Bad Host"},
		{"half a bracket", request("=OPTIONS sip:b@[::1 SIP/2.0"), "400 Bad IPv6 Address"},
		{"bad escape", request("=OPTIONS sip:%4@127.0.0.1 SIP/2.0"), "400 Bad Escape In URI"},
		{"two at", request("=OPTIONS sip:a@b@c SIP/2.0"), "400 Bad User In URI"},
		{"no user", request("=OPTIONS sip:@c SIP/2.0"), "400 Bad User In URI"},
		{"quoted To", request(`To: "b \"x\" <y>" <sip:b@h>;tag=1`), ""},
		{"To without >", request("To: <sip:b@h"), "400 Missing > After URI In To"},
		{"words after To", request("To: <sip:b@h> x"), "400 Text After Address In To"},
		{"two tags", request("To: <sip:b@h>;tag=1;TAG=2"), "400 Repeated Parameter In To"},
		{"tag with =", request("To: <sip:b@h>;tag=1=2"), "400 Bad Tag In To"},
		{"NUL in a name", request("To: \"b\x00\" <sip:b@h>"), "400 Control Character In Display Name In To"},
		{"Contact with comma", request("Contact: b, c <sip:b@h>"), "400 URI Without Scheme In Contact"},
		{"Via with port 0", request("Via: SIP/2.0/UDP h:0;branch=z9hG4bKa"), "400 Bad Via"},
		{"Via without host", request("Via: SIP/2.0/UDP ;branch=z9hG4bKa"), "400 Bad Via"},
		{"quoted comma in Via", request(`Via: SIP/2.0/UDP h;x="a,b";branch=z9hG4bKa`), "400 Bad Via"},
		{"only the cookie", request("Via: SIP/2.0/UDP h;branch=z9hG4bK"), "400 Branch Is Only The Cookie"},
		{"bare LF", strings.Replace(request(), "70\r\n", "70\n", 1), "400 Line Without CRLF At Its End"},
		{"bare CR", request("Subject: a\rVia: b"), "400 CR Inside A Line"},
		{"header without colon", request("CSeq: 1 OPTIONS\r\nhello"), "400 Header Line Without Name"},
		{"300 headers", request("Subject: a" + strings.Repeat("\r\nx: 1", 300)), "400 Too Many Headers"},
		{"300 Vias in a row", request("Via: SIP/2.0/UDP h" + strings.Repeat(", SIP/2.0/UDP h", 300)), "400 Too Many Headers"},
		{"no empty line", strings.TrimSuffix(request(), "\r\n"), "400 Header Without Empty Line At Its End"},
		{"nothing", "", "drop"},
		{"garbage", "\x00\x01\x02\x03", "drop"},
		{"HTTP", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "drop"},
		{"code 099", "SIP/2.0 099 x" + strings.TrimPrefix(request(), "OPTIONS sip:b@127.0.0.1 SIP/2.0"), "drop"},
		{"code 200", "SIP/2.0 200 OK" + strings.TrimPrefix(request(), "OPTIONS sip:b@127.0.0.1 SIP/2.0"), ""},
		{"no reason", "SIP/2.0 200" + strings.TrimPrefix(request(), "OPTIONS sip:b@127.0.0.1 SIP/2.0"), ""},
		{"reason like a version", "SIP/2.0 200 SIP/2.0" + strings.TrimPrefix(request(), "OPTIONS sip:b@127.0.0.1 SIP/2.0"), ""},
		{"response without To", "SIP/2.0 200 OK" + strings.TrimPrefix(request("-To"), "OPTIONS sip:b@127.0.0.1 SIP/2.0"), "drop"},
	} {
		_, answer, ok := Check([]byte(c.raw), "UDP")
		outcome(t, []byte(c.raw), "UDP")
		got := "drop"
		if line, _, found := strings.Cut(string(answer), "\r\n"); found {
			got = strings.TrimPrefix(line, "SIP/2.0 ")
		} else if ok {
			got = ""
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestRepairs(t *testing.T) {
	for _, c := range []struct{ name, row, want string }{
		{"folded", "To :\r\n sip:b@h ;\r\n\t tag    = 1", "To: sip:b@h;tag=1"},
		{"white space in Via", "Via: SIP  / 2.0\r\n / UDP   h : 5070  ;\r\n branch = z9hG4bKq", "Via: SIP/2.0/UDP h:5070;branch=z9hG4bKq"},
		{"Vias in a row", "v: SIP/2.0/UDP h;branch=z9hG4bKq, SIP/2.0/TCP i", "v: SIP/2.0/UDP h;branch=z9hG4bKq\r\nv: SIP/2.0/TCP i"},
		{"received by the sender", "Via: SIP/2.0/UDP h;received=[2001:db8::1];rport=9;branch=z9hG4bKq", "Via: SIP/2.0/UDP h;rport;branch=z9hG4bKq"},
		{"case of parameters", "To: B <sip:b@h>;TAG=1", "To: B <sip:b@h>;tag=1"},
		{"no space before <", "To: B<sip:b@h>", "To: B <sip:b@h>"},
		{"CSeq", "CSeq: 0009\t\r\n OPTIONS", "CSeq: 0009 OPTIONS"},
		{"escapes in a list", `m: "a\",\"b" <sip:b@h> , sip:c@h`, "m: \"a','b\" <sip:b@h>\r\nm: sip:c@h"},
		{"escaped control", "To: \"a\\\x00b\" <sip:b@h>", `To: "a b" <sip:b@h>`},
	} {
		raw := []byte(request("-" + strings.TrimSpace(strings.Split(map[bool]string{true: "Via", false: c.row}[c.row[0] == 'v'], ":")[0])))
		raw = bytes.Replace(raw, []byte("\r\n\r\n"), []byte("\r\n"+c.row+"\r\n\r\n"), 1)
		fixed, answer, ok := Check(raw, "UDP")
		if !ok || !bytes.Contains(fixed, []byte("\r\n"+c.want+"\r\n")) {
			t.Errorf("%s: %v %q\n%s%s", c.name, ok, answer, fixed, c.want)
		}
	}
}

// TestOld is RFC 3261 section 17.2.3: repetition, ACK and CANCEL of a request in the old form belong together, another request does not.
func TestOld(t *testing.T) {
	top := func(rows ...string) string {
		t.Helper()
		raw := request(append([]string{"Via: SIP/2.0/UDP h", "From: <sip:a@h>"}, rows...)...)
		fixed, _, ok := Check([]byte(raw), "UDP")
		if !ok {
			t.Fatalf("refused %q", raw)
		}
		_, via, _ := strings.Cut(string(fixed), "Via: ")
		via, _, _ = strings.Cut(via, "\r\n")
		return via
	}
	invite := top("=INVITE sip:b@h SIP/2.0", "CSeq: 7 INVITE")
	if !strings.HasPrefix(invite, "SIP/2.0/UDP h;branch=z9hG4bK-") {
		t.Errorf("no branch in %q", invite)
	}
	for name, other := range map[string]string{
		"repetition": top("=INVITE sip:b@h SIP/2.0", "CSeq: 7 INVITE"),
		"ACK":        top("=ACK sip:b@h SIP/2.0", "CSeq: 7 ACK", "To: <sip:b@127.0.0.1>;tag=x"),
		"CANCEL":     top("=CANCEL sip:b@h SIP/2.0", "CSeq: 7 CANCEL"),
	} {
		if other != invite {
			t.Errorf("%s: %q, want %q", name, other, invite)
		}
	}
	if next := top("=INVITE sip:b@h SIP/2.0", "CSeq: 8 INVITE"); next == invite {
		t.Errorf("the next request has the same branch %q", next)
	}
}

func TestAnswer(t *testing.T) {
	raw := request("Via: SIP/2.0/UDP h;branch=z9hG4bKq, SIP/2.0/TCP i", "Max-Forwards: x", "i: c2", "-Call-ID", "To: \"Stage;\" <sip:b@h>")
	_, answer, _ := Check([]byte(raw), "UDP")
	for _, want := range []string{
		"SIP/2.0 400 Bad Max-Forwards\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKq\r\nVia: SIP/2.0/TCP i\r\n", "\r\nFrom: <sip:a@127.0.0.1>;tag=a\r\n",
		"\r\nTo: \"Stage;\" <sip:b@h>;tag=", "\r\nCall-ID: c2\r\n", "\r\nCSeq: 1 OPTIONS\r\n",
	} {
		if !bytes.Contains(answer, []byte(want)) {
			t.Errorf("%q is not in the answer:\n%s", want, answer)
		}
	}
}

func TestSound(t *testing.T) {
	raw := []byte(request())
	fixed, _, _ := Check(raw, "TCP")
	if &fixed[0] != &raw[0] {
		t.Error("a message that needs no repair was copied")
	}
}

func FuzzCheck(f *testing.F) {
	torture(f, func(_ string, raw []byte) { f.Add(raw, false) })
	f.Add([]byte(request("Via: SIP/2.0/UDP a , SIP/2.0/TCP b;x=1", `m: "a\",\"b" <sip:b@h> , sip:c@h`)), true)
	f.Add([]byte(request("=OPTIONS tel:1 SIP/2.0", "Record-Route: <sip:a;lr>, \"x\" <sip:b>;y=\"z,\"")), false)
	f.Fuzz(func(t *testing.T, raw []byte, stream bool) {
		outcome(t, raw, map[bool]string{true: "TCP", false: "UDP"}[stream])
	})
}

func BenchmarkCheck(b *testing.B) {
	raw := []byte(request())
	for b.Loop() {
		Check(raw, "UDP")
	}
}
