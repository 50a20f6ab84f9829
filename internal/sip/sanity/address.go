package sanity

import "strings"

// address judges the value of From, To, or one value of Contact, Route and their like, and returns it in the form that needs no
// care: one space or none between its parts, known parameter names in lower case.
func address(s string) (clean, fault string) {
	display, rest, fault := displayName(s)
	if fault != "" {
		return s, fault
	}
	var b strings.Builder
	if strings.HasPrefix(rest, "<") {
		at, params, ok := strings.Cut(rest[1:], ">")
		if !ok {
			return s, "Missing > After URI"
		}
		if fault := party(at); fault != "" {
			return s, fault
		}
		if display != "" {
			b.WriteString(display + " ")
		}
		b.WriteString("<" + at + ">")
		rest = params
	} else {
		at, params, _ := cutAny(rest, ";")
		at = strings.TrimRight(at, " \t")
		if fault := party(at); fault != "" {
			return s, fault
		}
		if strings.ContainsAny(at, ",?") { // RFC 3261 section 20.10
			return s, "URI Needs < And >"
		}
		b.WriteString(at)
		rest = params
	}
	return parameters(&b, s, rest)
}

// displayName takes what stands before the URI off s.
func displayName(s string) (display, rest, fault string) {
	if strings.HasPrefix(s, `"`) {
		end := quoted(s)
		if end < 0 {
			return "", s, "Unbalanced Quotes"
		}
		rest = strings.TrimLeft(s[end:], " \t")
		if !strings.HasPrefix(rest, "<") {
			return "", s, "Missing < After Display Name"
		}
		display, fault = calm(s[:end])
		return display, rest, fault
	}
	i := strings.IndexByte(s, '<')
	if semi := strings.IndexByte(s, ';'); i < 0 || semi >= 0 && semi < i {
		return "", s, ""
	}
	if display = strings.TrimRight(s[:i], " \t"); strings.ContainsAny(display, ",\"") || control(display) {
		return "", s, "Display Name Needs Quotes"
	}
	return display, s[i:], ""
}

// calm puts spaces for the control characters that are escaped in a quoted string; others have no place in it.
func calm(s string) (clean, fault string) {
	if !control(s) {
		return s, ""
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && control(s[i+1:i+2]):
			b.WriteByte(' ')
			i++
		case s[i] == '\\':
			b.WriteString(s[i : i+2])
			i++
		case control(s[i : i+1]):
			return s, "Control Character In Display Name"
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), ""
}

// quoted returns where the quoted string at the start of s ends, -1 when it does not.
func quoted(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// known are the names of parameters that are looked up later, in the case that they are looked up in.
var known = map[string]bool{"tag": true, "branch": true, "received": true, "rport": true, "maddr": true, "ttl": true, "expires": true, "q": true}

// parameters appends the parameters in rest to b: each with a semicolon, without white space around its parts.
func parameters(b *strings.Builder, all, rest string) (clean, fault string) {
	seen := map[string]bool{}
	for rest = strings.Trim(rest, " \t"); rest != ""; {
		if rest[0] != ';' {
			return all, "Text After Address"
		}
		part, next, fault := cutAny(rest[1:], ";")
		if fault != "" {
			return all, fault
		}
		rest = next
		name, value, ok := strings.Cut(part, "=")
		name, value = strings.Trim(name, " \t"), strings.Trim(value, " \t")
		if lower := strings.ToLower(name); known[lower] {
			name = lower
		}
		switch {
		case !isToken(name) || ok && value == "":
			return all, "Bad Parameter"
		case strings.HasPrefix(value, `"`) && quoted(value) != len(value):
			return all, "Bad Parameter"
		case !strings.HasPrefix(value, `"`) && (strings.ContainsAny(value, " \t,<>\"") || control(value)):
			return all, "Bad Parameter"
		case name == "tag" && strings.ContainsAny(value, "=\""):
			return all, "Bad Tag"
		case known[name] && seen[name]:
			return all, "Repeated Parameter"
		}
		seen[name] = true
		b.WriteString(";" + name)
		if ok {
			b.WriteString("=" + value)
		}
	}
	return b.String(), ""
}

// cutAny cuts s before the first byte of stops that is outside quotes and angle brackets; rest begins with it.
func cutAny(s, stops string) (part, rest, fault string) {
	angle := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' && !angle:
			end := quoted(s[i:])
			if end < 0 {
				return s, "", "Unbalanced Quotes"
			}
			i += end - 1
		case c == '<':
			angle = true
		case c == '>':
			angle = false
		case !angle && strings.IndexByte(stops, c) >= 0:
			return s[:i], s[i:], ""
		}
	}
	return s, "", ""
}

// list cuts a comma-separated value into its parts.
func list(s string) (parts []string, fault string) {
	for {
		part, rest, fault := cutAny(s, ",")
		if fault != "" {
			return nil, fault
		}
		parts = append(parts, strings.Trim(part, " \t"))
		if rest == "" {
			return parts, ""
		}
		s = rest[1:]
	}
}
