package callee

import (
	"strings"
	"unicode"

	"parley/internal/call"
)

// nameMax is how many characters of a display name a participant takes.
const nameMax = 255

// NameOf is how whoever has the address is called: as it calls itself, else its address.
func NameOf(a call.Address) string {
	name := a.TargetName
	if name == "" {
		name = a.Target
	}
	clean := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(name, "\uFFFD"))
	if r := []rune(clean); len(r) > nameMax {
		clean = string(r[:nameMax])
	}
	return clean
}

// AddressOf is the destination that a URI names: an extension of ours, by its name or as extension:NAME, an agent as agent:ID, a number, or a SIP address. local reports whether a host is this server; nil: none is.
func AddressOf(uri string, local func(host string) bool) call.Address {
	scheme, rest, found := strings.Cut(uri, ":")
	if !found {
		scheme, rest = "sip", uri
	}
	user, host, _ := strings.Cut(rest, "@")
	host, _, _ = strings.Cut(host, ";")
	kind, id := kindOf(user)
	switch {
	case strings.EqualFold(scheme, "tel"):
		return call.Address{Type: "tel", Target: rest}
	case local != nil && local(host) && strings.HasPrefix(user, "+"):
		return call.Address{Type: "tel", Target: user}
	case local != nil && local(host) && id != "":
		return call.Address{Type: kind, Target: id}
	case local != nil && local(host):
		return call.Address{Type: "extension", Target: user}
	}
	return call.Address{Type: "sip", Target: rest}
}

// kindOf splits a user that says what it is, as agent:ID or extension:NAME, with or without an escape.
func kindOf(user string) (kind, id string) {
	for _, kind := range []string{"agent", "extension"} {
		for _, colon := range []string{":", "%3a"} {
			if n := len(kind) + len(colon); len(user) > n && strings.EqualFold(user[:n], kind+colon) {
				return kind, user[n:]
			}
		}
	}
	return "", ""
}
