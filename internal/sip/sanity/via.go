package sanity

import "strings"

const cookie = "z9hG4bK" // RFC 3261 section 8.1.1.7

// via judges one Via value and returns it without superfluous white space. Of the top one of a request it takes away what only this side may
// write: received, and a value of rport (RFC 3261 section 18.2.1, RFC 3581 section 4).
func via(s string, top bool) (clean, fault string) {
	var p [3]string
	name, rest, ok1 := strings.Cut(s, "/")
	version, rest, ok2 := strings.Cut(rest, "/")
	rest = strings.TrimLeft(rest, " \t")
	end := strings.IndexAny(rest, " \t")
	if !ok1 || !ok2 || end < 0 {
		return s, "Bad Via"
	}
	p[0], p[1], p[2] = strings.Trim(name, " \t"), strings.Trim(version, " \t"), rest[:end]
	at, params, _ := cutAny(rest[end:], ";")
	at = closed(at)
	if !isToken(p[0]) || !isToken(p[1]) || !isToken(p[2]) || hostport(at) != "" {
		return s, "Bad Via"
	}
	var b strings.Builder
	b.WriteString(p[0] + "/" + p[1] + "/" + p[2] + " " + at)
	head := b.Len()
	clean, fault = parameters(&b, s, params)
	switch {
	case fault != "":
		return s, fault + " In Via"
	case strings.ContainsAny(clean, "\"<>"): // a later reader takes each comma for the end of a value
		return s, "Bad Via"
	case !top:
		return clean, ""
	}
	return clean[:head] + own(clean[head:]), ""
}

// closed takes the white space around a sent-by and its colon away, and no other.
func closed(at string) string {
	var out string
	for i, f := range strings.Fields(at) {
		if i > 0 && !strings.HasSuffix(out, ":") && f[0] != ':' {
			return at
		}
		out += f
	}
	return out
}

// own leaves out of parameters what the receiver writes.
func own(params string) string {
	var b strings.Builder
	for p := range strings.SplitSeq(params, ";") {
		name, _, _ := strings.Cut(p, "=")
		switch name {
		case "", "received":
		case "rport":
			b.WriteString(";rport")
		default:
			b.WriteString(";" + p)
		}
	}
	return b.String()
}

// branch is the branch of a clean Via value, "" when it has none.
func branch(via string) string {
	_, b, _ := strings.Cut(via, ";branch=")
	b, _, _ = strings.Cut(b, ";")
	return b
}
