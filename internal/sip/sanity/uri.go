package sanity

import "strings"

// uri judges a URI and returns what is wrong with it, "" for nothing. Of SIP URIs it checks what routing depends on; user parts and
// parameters may hold what their senders like, as phones do.
func uri(s string) string {
	scheme, rest, ok := strings.Cut(s, ":")
	switch {
	case strings.ContainsAny(s, " \t<>\"") || control(s):
		return "Character Not Allowed In URI"
	case !ok || scheme == "" || !has(scheme, "+-.") || !letters(scheme[:1]):
		return "URI Without Scheme"
	case rest == "":
		return "Empty URI"
	case !sipScheme(scheme):
		return ""
	}
	user, host, ok := strings.Cut(rest, "@")
	if !ok {
		user, host = "", rest
	}
	if ok && user == "" || strings.ContainsAny(user, "[]") || strings.Contains(host, "@") {
		return "Bad User In URI"
	}
	if !escapes(user) {
		return "Bad Escape In URI"
	}
	if i := strings.IndexAny(host, ";?"); i >= 0 {
		host = host[:i]
	}
	return hostport(host)
}

// party judges the URI of a header: later readers know no digits in a scheme.
func party(s string) string {
	if fault := uri(s); fault != "" {
		return fault
	}
	if scheme, _, _ := strings.Cut(s, ":"); !letters(scheme) || len(s) < 3 {
		return "Unsupported URI"
	}
	return ""
}

func letters(s string) bool {
	return strings.Trim(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz") == ""
}

func sipScheme(s string) bool { return strings.EqualFold(s, "sip") || strings.EqualFold(s, "sips") }

// headersOf returns what follows the ? of a SIP URI.
func headersOf(s string) string {
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		s = s[i+1:]
	}
	_, headers, _ := strings.Cut(s, "?")
	return headers
}

// escapes tells whether each % starts an escape.
func escapes(s string) bool {
	for i := strings.IndexByte(s, '%'); i >= 0; i = strings.IndexByte(s, '%') {
		if len(s) < i+3 || !hex(s[i+1:i+3], "") {
			return false
		}
		s = s[i+3:]
	}
	return true
}

func hex(s, more string) bool {
	return strings.Trim(strings.ToLower(s), "0123456789abcdef"+more) == ""
}

// hostport judges host [":" port] (RFC 3261 section 25.1). An IPv6 reference is checked for its characters only: RFC 5118 wants
// a third colon before an embedded IPv4 address to be tolerated.
func hostport(s string) string {
	host, port, ok := strings.Cut(s, ":")
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 2 || end > 40 || !hex(s[1:end], ":.") || !strings.Contains(s[1:end], ":") {
			return "Bad IPv6 Address"
		}
		host, ok = "v6", end+1 < len(s)
		if port = s[end+1:]; ok && port[0] != ':' {
			return "Bad Host"
		}
		port = strings.TrimPrefix(port, ":")
	}
	if host == "" || !has(host, "-._") {
		return "Bad Host"
	}
	if n, fits := digits(port, 65535); ok && (!fits || n == 0) {
		return "Bad Port"
	}
	return ""
}
