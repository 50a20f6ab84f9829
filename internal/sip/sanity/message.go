package sanity

import (
	"bytes"
	"strings"
)

// mostHeaders is above what any proxy chain makes and far below what makes a parser slow.
const mostHeaders = 256

// header is one header with its value unfolded and trimmed.
type header struct {
	name  string // as written
	kind  string // lower case, long form where a compact one was used
	value string
}

// message is a SIP message in its parts.
type message struct {
	start   string
	headers []header
	body    []byte
	dirty   bool   // it differs from the bytes it was read from
	fault   string // what is wrong with its lines, "" for nothing
}

// compact maps the compact header names that matter here (RFC 3261 section 7.3.3).
var compact = map[string]string{
	"c": "content-type", "f": "from", "i": "call-id", "l": "content-length", "m": "contact", "t": "to", "v": "via",
	"r": "refer-to", "b": "referred-by", "x": "session-expires", "s": "subject", "k": "supported", "e": "content-encoding",
}

// lists are the headers that are written one value a line, because later readers do not find every comma.
var lists = map[string]bool{"via": true, "contact": true, "route": true, "record-route": true}

// read cuts raw into its parts. It reads as much as it can and notes the first fault.
func read(raw []byte) *message {
	m := &message{}
	rest := bytes.TrimLeft(raw, "\r\n")
	m.dirty = len(rest) != len(raw)
	m.start, rest = m.line(rest)
	var lines []string
	for ended := false; !ended; {
		if len(rest) == 0 {
			m.note("Header Without Empty Line At Its End")
			break
		}
		var row string
		row, rest = m.line(rest)
		switch {
		case row == "":
			ended = true
		case row[0] == ' ' || row[0] == '\t':
			m.dirty = true
			if len(lines) == 0 {
				m.note("Folded Line Without Header")
				continue
			}
			lines[len(lines)-1] += " " + strings.Trim(row, " \t")
		default:
			lines = append(lines, row)
		}
	}
	m.body = rest
	for _, row := range lines {
		m.split(row)
	}
	return m
}

// line takes the next line off b. Anything but CRLF as its end is a fault: what comes after does not take a lone CR or LF for an end.
func (m *message) line(b []byte) (row string, rest []byte) {
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		m.note("Line Without CRLF At Its End")
		return string(b), nil
	}
	row, rest = string(b[:end]), b[end+1:]
	if !strings.HasSuffix(row, "\r") {
		m.note("Line Without CRLF At Its End")
		return row, rest
	}
	row = row[:len(row)-1]
	if strings.Contains(row, "\r") {
		m.note("CR Inside A Line")
	}
	return row, rest
}

func (m *message) split(row string) {
	name, value, ok := strings.Cut(row, ":")
	bare := strings.TrimRight(name, " \t")
	if !ok || !isToken(bare) {
		m.note("Header Line Without Name")
		return
	}
	h := header{name: bare, kind: strings.ToLower(bare), value: strings.Trim(value, " \t")}
	if long, ok := compact[h.kind]; ok {
		h.kind = long
	}
	m.dirty = m.dirty || bare != name
	if !lists[h.kind] {
		m.add(h)
		return
	}
	parts, fault := list(h.value)
	if fault != "" {
		m.note(fault)
		m.add(h)
		return
	}
	m.dirty = m.dirty || len(parts) > 1
	for _, h.value = range parts {
		m.add(h)
	}
}

func (m *message) add(h header) {
	if len(m.headers) == mostHeaders {
		m.note("Too Many Headers")
		return
	}
	m.headers = append(m.headers, h)
}

func (m *message) note(fault string) {
	if m.fault == "" {
		m.fault = fault
	}
}

// get returns the value of the first header of the kind.
func (m *message) get(kind string) (value string, ok bool) {
	for i := range m.headers {
		if m.headers[i].kind == kind {
			return m.headers[i].value, true
		}
	}
	return "", false
}

// set changes the value of a header.
func (m *message) set(h *header, value string) {
	if h.value != value {
		h.value, m.dirty = value, true
	}
}

// bytes writes the message; it is raw where nothing was changed.
func (m *message) bytes(raw []byte) []byte {
	if !m.dirty {
		return raw
	}
	out := make([]byte, 0, len(raw)+64)
	out = append(append(out, m.start...), "\r\n"...)
	for _, h := range m.headers {
		out = append(append(append(append(out, h.name...), ": "...), h.value...), "\r\n"...)
	}
	return append(append(out, "\r\n"...), m.body...)
}

// isToken tells whether s is a token (RFC 3261 section 25.1).
func isToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; !alphanumeric(c) && !strings.ContainsRune("-.!%*_+`'~", rune(c)) {
			return false
		}
	}
	return s != ""
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// has tells whether every byte of s is a letter, a digit or one of more.
func has(s, more string) bool {
	for i := range len(s) {
		if !alphanumeric(s[i]) && strings.IndexByte(more, s[i]) < 0 {
			return false
		}
	}
	return true
}

// control tells whether s has a control character other than a tab.
func control(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}

// digits reads a number of digits only that is not above most.
func digits(s string, most uint64) (n uint64, ok bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		if n = n*10 + uint64(s[i]-'0'); n > most {
			return 0, false
		}
	}
	return n, s != ""
}
