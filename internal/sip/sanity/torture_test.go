package sanity

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/emiago/sipgo/sip"
)

// outcomes are what RFC 4475 and RFC 5118 want of each message where it comes in a datagram: 0 to go on with it, -1 to drop it, or
// the code of the answer. What only the door can judge (extensions, bodies, methods) goes on.
var outcomes = map[string]int{
	"wsinv": 0, "intmeth": 501, "esc01": 0, "escnull": 0, "esc02": 0, "lwsdisp": 0, "longreq": 0, "dblreq": 0, "semiuri": 0, "transports": 0,
	"mpart01": 0, "unreason": 0, "noreason": 0,
	"badinv01": 400, "clerr": 400, "ncl": 400, "scalar02": 400, "scalarlg": -1, "quotbal": 400, "ltgtruri": 400, "lwsruri": 400, "lwsstart": 400,
	"trws": 400, "escruri": 400, "baddate": 0, "regbadct": 400, "badaspec": 400, "baddn": 400, "badvers": 505, "mismatch01": 400,
	"mismatch02": 400, "bigcode": -1,
	"badbranch": 400, "insuf": 400, "unkscm": 416, "novelsc": 416, "unksm2": 0, "bext01": 0, "invut": 0, "regaut01": 0, "multi01": 400,
	"mcl01": 400, "bcast": 0, "zeromf": 0, "cparam01": 0, "cparam02": 0, "regescrt": 0, "sdp01": 0, "inv2543": 0, "test": -1,
	"ipv6-good": 0, "ipv6-bad": 400, "port-ambiguous": 0, "port-unambiguous": 0, "via-received-param-with-delim": 0,
	"via-received-param-no-delim": 0, "ipv6-in-sdp": 0, "mult-ip-in-header": 0, "mult-ip-in-sdp": 0, "ipv4-mapped-ipv6": 0,
	"ipv6-bug-abnf-3-colons": 0, "ipv6-correct-abnf-2-colons": 0,
}

// torture calls f for each message that is to be had: those in the SIP library's module, and all of them where a folder beside the
// repository has them.
func torture(t testing.TB, f func(name string, raw []byte)) {
	t.Helper()
	var files []string
	if out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/emiago/sipgo").Output(); err == nil {
		files, _ = filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "sip/testdata/torture/*/*.dat"))
	}
	if len(files) < 49 {
		t.Fatalf("%d messages in the library's module, want 49 or more", len(files))
	}
	shared := os.Getenv("PARLEY_SHARED")
	if shared == "" {
		shared = "../../../../shared"
	}
	more, _ := filepath.Glob(filepath.Join(shared, "testdata/sip-torture/*/*.dat"))
	if len(more) == 0 {
		t.Logf("no messages of RFC 5118: %s has none (set PARLEY_SHARED)", shared)
	}
	for _, file := range append(files, more...) {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(file, "rfc5118") {
			raw = wire(raw)
		}
		f(strings.TrimSuffix(filepath.Base(file), ".dat"), raw)
	}
}

// wire makes a message of RFC 5118's archive, which has no wire form, what its text means.
func wire(raw []byte) []byte {
	text := strings.ReplaceAll(strings.ReplaceAll(string(raw), "\r\n", "\n"), "\n", "\r\n")
	head, body, ok := strings.Cut(text, "\r\n\r\n")
	if !ok {
		return []byte(strings.TrimRight(text, "\r\n") + "\r\n\r\n")
	}
	rows := strings.Split(head, "\r\n")
	for i := range rows {
		if strings.HasPrefix(rows[i], "Content-Length:") {
			rows[i] = "Content-Length: " + strconv.Itoa(len(body))
		}
	}
	return []byte(strings.Join(rows, "\r\n") + "\r\n\r\n" + body)
}

func TestTorture(t *testing.T) {
	torture(t, func(name string, raw []byte) {
		want, listed := outcomes[name]
		if !listed {
			t.Errorf("%s is in no list", name)
		}
		for _, transport := range []string{"UDP", "TCP"} {
			if transport == "TCP" && name == "inv2543" {
				want = 400 // no Content-Length
			}
			if got := outcome(t, raw, transport); got != want {
				t.Errorf("%s over %s: %d, want %d", name, transport, got, want)
			}
		}
	})
}

// outcome runs Check and whatever holds for every message.
func outcome(t testing.TB, raw []byte, transport string) int {
	t.Helper()
	before := bytes.Clone(raw)
	fixed, answer, ok := Check(raw, transport)
	if !bytes.Equal(raw, before) {
		t.Fatalf("Check changed its argument %q", before)
	}
	if _, again, _ := Check(raw, transport); !bytes.Equal(answer, again) {
		t.Fatalf("two answers to %q:\n%s\n%s", raw, answer, again)
	}
	switch {
	case ok:
		clean(t, raw, fixed, transport)
		return 0
	case fixed != nil:
		t.Fatalf("a message and a refusal for %q", raw)
	case answer == nil:
		return -1
	}
	head, _, _ := strings.Cut(string(answer), "\r\n\r\n")
	for row := range strings.SplitSeq(strings.ReplaceAll(head, "\r\n", "\x00"), "\x00") {
		if strings.ContainsAny(row, "\r\n") || row == "" {
			t.Fatalf("answer %q to %q has a broken line", answer, raw)
		}
	}
	code, err := strconv.Atoi(string(answer[8:11]))
	if err != nil || !bytes.HasSuffix(answer, []byte("\r\nContent-Length: 0\r\n\r\n")) {
		t.Fatalf("answer %q to %q", answer, raw)
	}
	return code
}

// clean wants of a message that goes on that the library reads it and finds in it what everything else is built on, and that a second Check
// has nothing to do.
func clean(t testing.TB, raw, fixed []byte, transport string) {
	t.Helper()
	if again, _, ok := Check(fixed, transport); !ok || !bytes.Equal(again, fixed) {
		t.Fatalf("not steady: %q, then %q, then %q (%v)", raw, fixed, again, ok)
	}
	m, err := sip.ParseMessage(fixed)
	if err != nil {
		t.Fatalf("the library does not read %q (from %q): %v", fixed, raw, err)
	}
	if m.Via() == nil || m.From() == nil || m.To() == nil || m.CallID() == nil || m.CSeq() == nil {
		t.Fatalf("a header is missing in %q (from %q)", fixed, raw)
	}
	read := read(fixed)
	for kind, n := range map[string]int{"via": 0, "contact": 0, "record-route": 0} {
		for _, h := range read.headers {
			if h.kind == kind {
				n++
			}
		}
		short := map[string]string{"via": "v", "contact": "m", "record-route": "record-route"}[kind]
		got := len(m.GetHeaders(kind))
		if short != kind {
			got += len(m.GetHeaders(short))
		}
		if n != got && kind != "record-route" {
			t.Fatalf("%d headers %s for the library, %d for Check in %q (from %q)", got, kind, n, fixed, raw)
		}
	}
	if req, ok := m.(*sip.Request); ok {
		if _, err := sip.ServerTxKeyMake(req); err != nil {
			t.Fatalf("no transaction for %q (from %q): %v", fixed, raw, err)
		}
		if string(req.CSeq().MethodName) != string(req.Method) {
			t.Fatalf("methods differ in %q (from %q)", fixed, raw)
		}
	}
}
