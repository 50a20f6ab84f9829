package field

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// ReferTo reads the one Refer-To of a REFER (RFC 3515 section 2.1): the URI without its headers, and the value of the Replaces header among
// them, unescaped (RFC 3891).
func ReferTo(req *sip.Request) (to, replaces string, ok bool) {
	hs := append(req.GetHeaders("refer-to"), req.GetHeaders("r")...)
	if len(hs) != 1 {
		return "", "", false
	}
	text := strings.TrimSpace(hs[0].Value())
	if open := strings.IndexByte(text, '<'); open >= 0 {
		inside, _, closed := strings.Cut(text[open+1:], ">")
		if !closed {
			return "", "", false
		}
		text = inside
	}
	bare, headers, _ := strings.Cut(text, "?")
	if !URI(bare) {
		return "", "", false
	}
	for pair := range strings.SplitSeq(headers, "&") {
		if name, value, _ := strings.Cut(pair, "="); strings.EqualFold(name, "replaces") {
			if replaces, ok = Unescape(value); !ok {
				return "", "", false
			}
		}
	}
	return bare, replaces, true
}

// Unescape undoes the escapes of a URI; not ok when that is no single line of text.
func Unescape(value string) (string, bool) {
	plain, err := url.PathUnescape(value)
	return plain, err == nil && !strings.ContainsFunc(plain, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// URI tells whether a text can be written as a URI between angle brackets: a scheme, no space, nothing that ends it.
func URI(text string) bool {
	scheme, rest, found := strings.Cut(text, ":")
	if !found || rest == "" || len(text) > 1024 || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune("<>\"", r) }) {
		return false
	}
	switch strings.ToLower(scheme) {
	case "sip", "sips":
		var u sip.Uri
		return sip.ParseUri(text, &u) == nil && u.Host != "" && !u.Wildcard
	case "tel":
		return true
	}
	return false
}

// Asserted reads the first P-Asserted-Identity (RFC 3325 section 9.1): its URI, sip, sips or tel, and its display name.
func Asserted(req *sip.Request) (u sip.Uri, name string, ok bool) {
	text, quoted := First(req, "p-asserted-identity"), false
	end := strings.IndexFunc(text, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return r == ',' && !quoted
	})
	if end >= 0 {
		text = text[:end]
	}
	name, rest, angled := strings.Cut(text, "<")
	if !angled {
		name, rest = "", text
	}
	bare, _, _ := strings.Cut(rest, ">")
	bare = strings.TrimSpace(bare)
	if !URI(bare) || sip.ParseUri(bare, &u) != nil {
		return sip.Uri{}, "", false
	}
	return u, strings.Trim(strings.TrimSpace(name), `"`), true
}

// Token tells whether a text is fit to be a header's value: not empty, one line of printable characters.
func Token(text string) bool {
	return text != "" && len(text) <= 256 && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r >= 0x7f })
}

// Is tells whether the first header of the name has the token before its parameters.
func Is(m sip.Message, name, token string) bool {
	names := []string{name}
	if name == "event" {
		names = append(names, "o")
	}
	value, _, _ := strings.Cut(First(m, names...), ";")
	return strings.EqualFold(strings.TrimSpace(value), token)
}

// Fragment reads the status of a message/sipfrag body (RFC 3420): "SIP/2.0 200 OK".
func Fragment(body []byte) (status int, ok bool) {
	row, _, _ := strings.Cut(strings.TrimSpace(string(body)), "\n")
	f := strings.Fields(row)
	if len(f) < 2 || !strings.EqualFold(f[0], "SIP/2.0") {
		return 0, false
	}
	status, err := strconv.Atoi(f[1])
	return status, err == nil && status >= 100 && status < 700
}
