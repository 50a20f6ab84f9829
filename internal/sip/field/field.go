// Package field reads the header values and small bodies that the SIP library leaves as text: session timers, reliable provisionals, keys in
// INFO, option tags, media types. Pure functions; whatever a stranger writes gives a value or a refusal, never a panic.
package field

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Media types of the bodies that this server takes.
const (
	SDP       = "application/sdp"
	DTMFRelay = "application/dtmf-relay"
	DTMF      = "application/dtmf"
)

// Values returns the comma-separated values of all headers with one of the names (long and compact form), trimmed.
func Values(m sip.Message, names ...string) []string {
	var out []string
	for _, name := range names {
		for _, h := range m.GetHeaders(name) {
			for v := range strings.SplitSeq(h.Value(), ",") {
				if v = strings.TrimSpace(v); v != "" {
					out = append(out, v)
				}
			}
		}
	}
	return out
}

// Lists tells whether one of the headers has the token as a value, whatever its case.
func Lists(m sip.Message, token string, names ...string) bool {
	for _, v := range Values(m, names...) {
		if strings.EqualFold(v, token) {
			return true
		}
	}
	return false
}

// First is the value of the first header of one of the names, "" when there is none.
func First(m sip.Message, names ...string) string {
	for _, name := range names {
		if hs := m.GetHeaders(name); len(hs) > 0 {
			return strings.TrimSpace(hs[0].Value())
		}
	}
	return ""
}

// Interval reads Session-Expires or Min-SE (RFC 4028 section 4 and 5): whole seconds, then parameters. refresher is "uac", "uas" or
// "". ok is false for anything else than 1 to 2^31-1 seconds.
func Interval(value string) (interval time.Duration, refresher string, ok bool) {
	seconds, params, _ := strings.Cut(value, ";")
	n, err := strconv.ParseUint(strings.TrimSpace(seconds), 10, 31)
	if err != nil || n == 0 {
		return 0, "", false
	}
	for p := range strings.SplitSeq(params, ";") {
		name, v, _ := strings.Cut(p, "=")
		if v = strings.ToLower(strings.TrimSpace(v)); strings.EqualFold(strings.TrimSpace(name), "refresher") && (v == "uac" || v == "uas") {
			refresher = v
		}
	}
	return time.Duration(n) * time.Second, refresher, true
}

// RAck is the value of RAck (RFC 3262 section 7.2).
type RAck struct {
	RSeq, CSeq uint32
	Method     string
}

// ParseRAck reads RAck; the method keeps its case.
func ParseRAck(value string) (r RAck, ok bool) {
	f := strings.Fields(value)
	if len(f) != 3 {
		return RAck{}, false
	}
	a, err1 := strconv.ParseUint(f[0], 10, 32)
	b, err2 := strconv.ParseUint(f[1], 10, 31)
	if err1 != nil || err2 != nil || a == 0 {
		return RAck{}, false
	}
	return RAck{uint32(a), uint32(b), f[2]}, true
}

// keyCodes are the events of application/dtmf-relay that are written as numbers (RFC 4733 section 3.2).
var keyCodes = map[string]string{"10": "*", "11": "#", "12": "A", "13": "B", "14": "C", "15": "D"}

// Digit reads the body of an INFO: "Signal=5" lines of application/dtmf-relay, or the bare key of application/dtmf. digit is one of
// 0-9 * # A-D.
func Digit(body []byte) (digit string, ok bool) {
	text := strings.TrimSpace(string(body))
	for row := range strings.Lines(text) {
		if name, v, found := strings.Cut(row, "="); found && strings.EqualFold(strings.TrimSpace(name), "signal") {
			text = strings.TrimSpace(v)
			break
		}
	}
	text = strings.ToUpper(text)
	if code, found := keyCodes[text]; found {
		return code, true
	}
	if len(text) == 1 && strings.Contains("0123456789*#ABCD", text) {
		return text, true
	}
	return "", false
}

// MediaType is the type of a body in lower case, without parameters.
func MediaType(m sip.Message) string {
	h := m.GetHeaders("content-type")
	if len(h) == 0 {
		h = m.GetHeaders("c")
	}
	if len(h) == 0 {
		return ""
	}
	t, _, _ := strings.Cut(h[0].Value(), ";")
	return strings.ToLower(strings.TrimSpace(t))
}

// AcceptsSDP tells whether an SDP answer is welcome; no Accept header means that it is (RFC 3261 section 20.1).
func AcceptsSDP(req *sip.Request) bool {
	all := Values(req, "accept")
	for _, v := range all {
		t, _, _ := strings.Cut(v, ";")
		switch strings.ToLower(strings.TrimSpace(t)) {
		case SDP, "application/*", "*/*":
			return true
		}
	}
	return len(all) == 0
}

// User is the user part of a URI with its escapes undone. "conference:<uuid>" looks like a user and a password to the parser.
func User(u *sip.Uri) string {
	user := u.User
	if u.Password != "" {
		user += ":" + u.Password
	}
	if plain, err := url.PathUnescape(user); err == nil {
		return plain
	}
	return user
}

// Source is the socket address that a request came from, the zero value when it cannot be told.
func Source(req *sip.Request) netip.AddrPort {
	at, err := netip.ParseAddrPort(req.Source())
	if err != nil {
		return netip.AddrPort{}
	}
	return Unmap(at)
}

// Quoted makes text safe for a quoted string: one line, no quotes, no more than 200 bytes.
func Quoted(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '"' || r == '\\':
			return '\''
		case r < ' ' || r == 0x7f || r == '�':
			return ' '
		}
		return r
	}, text)
	if len(text) > 200 {
		text = strings.ToValidUTF8(text[:200], "")
	}
	return `"` + text + `"`
}

// Unmap turns an IPv4 address inside IPv6 into plain IPv4.
func Unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// Tag is the tag of a From or To header, "" when there is none.
func Tag(p sip.HeaderParams) string { return p.GetOr("tag", "") }
