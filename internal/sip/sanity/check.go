// Package sanity looks at raw SIP messages before any parser: it repairs what is valid but rarely understood (folded headers, odd white
// space, requests in the form of RFC 2543), and answers or drops what is not SIP, as RFC 4475 and RFC 5118 show it. Pure functions of
// bytes: no goroutine, no clock, no socket, nothing kept. Counting and sending is left to the door, and so are unknown methods,
// extensions and bodies, for which a parsed message is better.
package sanity

import (
	"hash/fnv"
	"strconv"
	"strings"
)

// refusal is an answer that a message gets.
type refusal struct {
	code   int
	reason string // phrase of the status line; it says what to mend
}

func bad(reason string) *refusal { return &refusal{400, reason} }

// maxDatagram is the most bytes of a request over UDP; whoever has more to say takes TCP (RFC 3261 section 18.1.1).
const maxDatagram = 32000

// once are the headers that may stand in a message once only.
var once = map[string]string{
	"from": "From", "to": "To", "call-id": "Call-ID", "cseq": "CSeq", "max-forwards": "Max-Forwards", "content-length": "Content-Length",
	"content-type": "Content-Type", "expires": "Expires", "session-expires": "Session-Expires", "min-se": "Min-SE", "rack": "RAck",
	"rseq": "RSeq", "refer-to": "Refer-To", "referred-by": "Referred-By", "subject": "Subject", "content-encoding": "Content-Encoding",
}

// Check judges one datagram (transport "UDP") or one message cut out of a stream ("TCP"; without a usable Content-Length only its
// header). With ok, fixed is the message to parse: raw itself when nothing had to be repaired, and a message that Check leaves as it
// is. Otherwise answer is what to send back, nil when the message is to be dropped: responses, ACKs and what has no Via are never
// answered. The answer to a repeated request is the same again. Check keeps neither argument and may be called from any goroutine.
func Check(raw []byte, transport string) (fixed, answer []byte, ok bool) {
	m := read(raw)
	if !m.isRequest() {
		if m.fault != "" || !m.status() || m.inspect("") != nil || m.measure(transport) != nil {
			return nil, nil, false
		}
		return m.bytes(raw), nil, true
	}
	method, _, _ := strings.Cut(m.start, " ")
	r := m.request(transport)
	if r == nil && transport == "UDP" && len(raw) > maxDatagram {
		r = &refusal{513, "Message Too Large"}
	}
	switch {
	case r == nil:
		return m.bytes(raw), nil, true
	case method == "ACK":
		return nil, nil, false
	}
	return nil, m.refuse(r), false
}

// request judges and repairs a request, in the order of RFC 3261 section 8.2: version, syntax, method, URI.
func (m *message) request(transport string) *refusal {
	method, target, version, r := m.requestLine()
	if r != nil {
		return r
	}
	if m.fault != "" {
		return bad(m.fault)
	}
	if r := m.inspect(method); r != nil {
		return r
	}
	if r := m.measure(transport); r != nil {
		return r
	}
	if r := m.old(target); r != nil {
		return r
	}
	scheme, _, _ := strings.Cut(target, ":")
	switch {
	case method != strings.ToUpper(method): // methods have a case, but later readers do not look at it
		return &refusal{501, "Not Implemented"}
	case !sipScheme(scheme):
		return &refusal{416, "Unsupported URI Scheme"}
	}
	if line := method + " " + target + " " + version; line != m.start {
		m.start, m.dirty = line, true
	}
	return nil
}

// requestLine judges the first line.
func (m *message) requestLine() (method, target, version string, r *refusal) {
	if i := strings.LastIndexByte(strings.TrimRight(m.start, " "), ' '); i >= 0 {
		version = strings.TrimRight(m.start[i+1:], " ")
	}
	if name, number, ok := strings.Cut(version, "/"); ok && strings.EqualFold(name, "SIP") && number != "2.0" {
		return "", "", "", &refusal{505, "Version Not Supported"}
	}
	parts := strings.Split(m.start, " ")
	switch {
	case len(parts) < 3 || !strings.EqualFold(version, "SIP/2.0"):
		r = bad("Request Line Without SIP/2.0")
	case len(parts) > 3 || strings.Contains(m.start, "\t"):
		r = bad("White Space In Request Line")
	case !isToken(parts[0]):
		r = bad("Bad Method")
	case strings.HasPrefix(parts[1], "<"):
		r = bad("Request URI In < And >")
	}
	if r != nil {
		return "", "", "", r
	}
	if fault := uri(parts[1]); fault != "" {
		return "", "", "", bad(fault)
	}
	if scheme, _, _ := strings.Cut(parts[1], ":"); sipScheme(scheme) && headersOf(parts[1]) != "" { // RFC 3261 section 19.1.1
		return "", "", "", bad("Headers In Request URI")
	}
	return parts[0], parts[1], "SIP/2.0", nil
}

// inspect judges and repairs the headers that every message has, and those that say where things go.
func (m *message) inspect(method string) *refusal {
	seen := map[string]bool{}
	for i := range m.headers {
		h := &m.headers[i]
		if name := once[h.kind]; name != "" && seen[h.kind] {
			return bad("Repeated " + name)
		}
		if r := m.value(h, method, !seen[h.kind]); r != nil {
			return r
		}
		seen[h.kind] = true
	}
	for _, kind := range []string{"from", "to", "call-id", "cseq"} {
		if !seen[kind] {
			return bad("Missing " + once[kind])
		}
	}
	if !seen["via"] {
		return bad("Missing Via")
	}
	return nil
}

// value judges and repairs one header.
func (m *message) value(h *header, method string, first bool) *refusal {
	switch h.kind {
	case "via":
		return m.repair(h, "", func(s string) (string, string) { return via(s, first && m.isRequest()) })
	case "from", "to", "refer-to", "referred-by":
		return m.repair(h, once[h.kind], address)
	case "contact":
		if h.value == "*" {
			return nil
		}
		return m.repair(h, "Contact", plain)
	case "route", "record-route":
		return m.repair(h, "Route", plain)
	case "call-id":
		if h.value == "" || strings.ContainsAny(h.value, " \t") || control(h.value) {
			return bad("Bad Call-ID")
		}
	case "cseq":
		return m.cseq(h, method)
	case "max-forwards":
		if _, ok := digits(h.value, 255); !ok {
			return bad("Bad Max-Forwards")
		}
	case "content-type":
		if h.value == "" || control(h.value) {
			return bad("Bad Content-Type")
		}
	default:
		if control(h.value) {
			return bad("Control Character In Header")
		}
	}
	return nil
}

// plain is address without the escapes in the display name, which later readers of lists take for its end.
func plain(s string) (clean, fault string) {
	if clean, fault = address(s); fault != "" {
		return s, fault
	}
	if display, rest, _ := displayName(clean); strings.HasPrefix(display, `"`) && strings.Contains(display, `\`) {
		clean = strings.NewReplacer(`\\`, "/", `\"`, "'", `\`, "").Replace(display) + " " + rest
	}
	return clean, ""
}

// repair puts the clean form of a value in its place.
func (m *message) repair(h *header, where string, judge func(string) (clean, fault string)) *refusal {
	clean, fault := judge(h.value)
	if fault != "" {
		return bad(strings.TrimSuffix(fault+" In "+where, " In "))
	}
	m.set(h, clean)
	return nil
}

func (m *message) cseq(h *header, method string) *refusal {
	f := strings.Fields(h.value)
	if len(f) != 2 {
		return bad("Bad CSeq")
	}
	if _, ok := digits(f[0], 1<<31-1); !ok || !isToken(f[1]) {
		return bad("Bad CSeq")
	}
	if method != "" && f[1] != method {
		return bad("CSeq Method Differs From Request Line")
	}
	m.set(h, f[0]+" "+f[1])
	return nil
}

// measure compares Content-Length with what is there (RFC 3261 section 18.3).
func (m *message) measure(transport string) *refusal {
	value, ok := m.get("content-length")
	if !ok {
		if transport == "UDP" {
			return nil
		}
		return bad("Missing Content-Length")
	}
	n, ok := digits(value, 1<<31-1)
	switch {
	case !ok:
		return bad("Bad Content-Length")
	case n > uint64(len(m.body)):
		return bad("Content-Length Larger Than Message")
	case n < uint64(len(m.body)):
		m.body, m.dirty = m.body[:n], true
	}
	return nil
}

// old lets requests of RFC 2543 through: without a branch and a tag of From the transaction layer has nothing to match by, so they
// get a branch made of what their repetitions, ACK and CANCEL have too (RFC 3261 section 17.2.3).
func (m *message) old(target string) *refusal {
	from, _ := m.get("from")
	for i := range m.headers {
		h := &m.headers[i]
		if h.kind != "via" {
			continue
		}
		b := branch(h.value)
		if b == cookie {
			return bad("Branch Is Only The Cookie")
		}
		if strings.HasPrefix(b, cookie) || strings.Contains(from, ";tag=") {
			return nil
		}
		id, _ := m.get("call-id")
		cseq, _ := m.get("cseq")
		cseq, _, _ = strings.Cut(cseq, " ")
		made := cookie + "-2543-" + short(target, h.value, from, id, cseq)
		m.set(h, strings.Replace(h.value, ";branch="+b, "", 1)+";branch="+made)
		return nil
	}
	return nil
}

// short is a short name of its arguments.
func short(parts ...string) string {
	h := fnv.New64a()
	for _, p := range parts {
		_, _ = h.Write([]byte(p + "\x00"))
	}
	return strconv.FormatUint(h.Sum64(), 36)
}
