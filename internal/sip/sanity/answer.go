package sanity

import (
	"strconv"
	"strings"
)

// allow is what a 501 names: the methods of the server whatever its settings.
const allow = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, PRACK, UPDATE, REFER, NOTIFY, MESSAGE, REGISTER"

// isRequest tells which of the two the first line begins.
func (m *message) isRequest() bool {
	return len(m.start) < 4 || !strings.EqualFold(m.start[:4], "SIP/")
}

// status judges and repairs a status line.
func (m *message) status() bool {
	version, rest, _ := strings.Cut(m.start, " ")
	code, reason, _ := strings.Cut(rest, " ")
	n, ok := digits(code, 699)
	if !strings.EqualFold(version, "SIP/2.0") || !ok || len(code) != 3 || n < 100 {
		return false
	}
	if len(reason) >= 3 && strings.EqualFold(reason[:3], "sip") { // a later reader would take the line for a request
		reason = "- " + reason
	}
	if line := "SIP/2.0 " + code + " " + reason; line != m.start {
		m.start, m.dirty = line, true
	}
	return true
}

// refuse writes the response to a request (RFC 3261 section 8.2.6), as far as the request has what it needs; nil without a Via. What is
// copied stays as it is, short of control characters, which could end a line.
func (m *message) refuse(r *refusal) []byte {
	if _, ok := m.get("via"); !ok {
		return nil
	}
	var b strings.Builder
	b.WriteString("SIP/2.0 " + strconv.Itoa(r.code) + " " + r.reason + "\r\n")
	m.copy(&b, "via", "Via")
	m.copy(&b, "from", "From")
	if to, ok := m.get("to"); ok {
		if !strings.Contains(strings.ToLower(strings.Join(strings.Fields(to), "")), ";tag=") {
			via, _ := m.get("via")
			id, _ := m.get("call-id")
			to += ";tag=" + short(via, id, to)
		}
		b.WriteString("To: " + printable(to) + "\r\n")
	}
	m.copy(&b, "call-id", "Call-ID")
	m.copy(&b, "cseq", "CSeq")
	if r.code == 501 {
		b.WriteString("Allow: " + allow + "\r\n")
	}
	b.WriteString("Content-Length: 0\r\n\r\n")
	return []byte(b.String())
}

// copy writes all headers of a kind that may repeat, the first of another.
func (m *message) copy(b *strings.Builder, kind, name string) {
	for _, h := range m.headers {
		if h.kind == kind {
			b.WriteString(name + ": " + printable(h.value) + "\r\n")
			if kind != "via" {
				return
			}
		}
	}
}

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\r' || r == '\n' || r == 0 {
			return ' '
		}
		return r
	}, s)
}
