package route

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"parley/internal/call"
	"parley/internal/fault"
	"parley/internal/wire"
)

// Kinds of destinations that can be dialled: types of call.Address.
const (
	SIP        = "sip"
	Tel        = "tel"
	Extension  = "extension"
	Conference = "conference"
	Agent      = "agent"
)

// Target is a destination that has been understood.
type Target struct {
	Kind string
	// Name is the number in E.164 with its + for Tel, the name or id for Extension, the id for Conference and Agent, the URI in its canonical form for SIP.
	Name string
	Host string     // of SIP: lower case, without the dot at its end and without brackets
	Addr netip.Addr // of SIP: Host as an address, invalid when it is a name
}

// Typed fills in the type of an address that has none, as it looks: a number with + is tel, what has sip: or an @ is sip.
func Typed(a call.Address) call.Address {
	switch scheme, _, _ := strings.Cut(a.Target, ":"); {
	case a.Type != "":
	case strings.HasPrefix(a.Target, "+") && !strings.Contains(a.Target, "@"):
		a.Type = Tel
	case strings.EqualFold(scheme, "sip"), strings.EqualFold(scheme, "sips"), strings.Contains(a.Target, "@"):
		a.Type = SIP
	}
	return a
}

// Parse reads a destination; one without a type is taken as Typed says. What cannot be dialled is refused: INVALID_DESTINATION for a wrong form, DESTINATION_UNSUPPORTED for a type of
// address that nothing here can call.
func Parse(a call.Address) (Target, error) {
	switch a = Typed(a); a.Type {
	case SIP:
		return parseSIP(a.Target)
	case Tel:
		return parseTel(a.Target)
	case Extension:
		if n := len(a.Target); n == 0 || n > 64 || strings.Trim(a.Target, alphanumeric+"._+-") != "" {
			return Target{}, bad("%q is neither the name nor the id of an extension", clip(a.Target))
		}
		return Target{Kind: Extension, Name: a.Target}, nil
	case Conference:
		id, ok := wire.ParseUUID(a.Target)
		if !ok {
			return Target{}, bad("%q is not the id of a conference", clip(a.Target))
		}
		return Target{Kind: Conference, Name: id}, nil
	case Agent:
		id, ok := wire.ParseUUID(a.Target)
		if !ok {
			return Target{}, bad("%q is not the id of an agent", clip(a.Target))
		}
		return Target{Kind: Agent, Name: id}, nil
	case "":
		return Target{}, bad("%q has no type and does not look like one; use type sip, tel, extension, agent or conference", clip(a.Target))
	}
	return Target{}, unsupported("a %s cannot be called from here; use sip, tel, extension, agent or conference", clip(a.Type))
}

const (
	digits       = "0123456789"
	alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" + digits
)

// parseTel reads a number as ITU-T E.164 has it: a country code that does not begin with 0, at most 15 digits in all.
func parseTel(s string) (Target, error) {
	number, ok := strings.CutPrefix(s, "+")
	if n := len(number); !ok || n < 3 || n > 15 || number[0] == '0' || strings.Trim(number, digits) != "" {
		return Target{}, bad("%q is not a number in E.164: + and 3 to 15 digits without blanks, for example +4930123456", clip(s))
	}
	return Target{Kind: Tel, Name: s}, nil
}

// parseSIP reads [sip[s]:]user@host[:port][;params] (RFC 3261 section 19.1). Parameters that would send the request elsewhere than to its
// host, headers and passwords are refused: they are ways around what is allowed.
func parseSIP(s string) (Target, error) {
	scheme, rest := "sip", s
	for _, known := range []string{"sip", "sips"} {
		if n := len(known); len(s) > n && s[n] == ':' && strings.EqualFold(s[:n], known) {
			scheme, rest = known, s[n+1:]
		}
	}
	if len(s) > 512 {
		return Target{}, bad("it has more than 512 characters")
	}
	user, rest, ok := strings.Cut(rest, "@")
	if !ok || !userPart(user) {
		return Target{}, bad("%q is not user@host[:port][;params], with or without sip: before it", clip(s))
	}
	hostport, params, _ := strings.Cut(rest, ";")
	host, port, err := splitHost(hostport)
	if err != nil {
		return Target{}, err
	}
	t := Target{Kind: SIP, Host: host}
	t.Addr, _ = netip.ParseAddr(host)
	t.Addr = t.Addr.Unmap()
	if params, err = readParams(params); err != nil {
		return Target{}, err
	}
	t.Name = scheme + ":" + user + "@" + joinHost(host, port) + params
	return t, nil
}

// userPart tells whether s can be the user of a SIP URI (RFC 3261 section 25.1), with its escapes, without a password.
func userPart(s string) bool {
	if s == "" || strings.Trim(s, alphanumeric+"-_.!~*'()&=+$,;?/%#") != "" || strings.ContainsRune(s, '#') {
		return false
	}
	plain, err := url.PathUnescape(s)
	return err == nil && !strings.ContainsFunc(plain, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' })
}

// splitHost reads host[:port]; an address in IPv6 stands in brackets. port is 0 when there is none.
func splitHost(s string) (host string, port int, err error) {
	host, text, found := s, "", false
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 || end+1 < len(s) && s[end+1] != ':' {
			return "", 0, bad("%q is not an address in brackets, with or without a port", clip(s))
		}
		host, found = s[1:end], end+1 < len(s)
		text = strings.TrimPrefix(s[end+1:], ":")
		if a, err := netip.ParseAddr(host); err != nil || !a.Is6() || a.Zone() != "" {
			return "", 0, bad("%q is not an IPv6 address", clip(host))
		}
	} else if host, text, found = strings.Cut(s, ":"); CheckHost(host) != nil {
		return "", 0, CheckHost(host)
	}
	if found {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil || n == 0 {
			return "", 0, bad("%q is not a port", clip(text))
		}
		port = int(n)
	}
	return strings.ToLower(strings.TrimSuffix(host, ".")), port, nil
}

// CheckHost refuses what is neither an IP address nor a host name. A last label that looks like a number is no name: some resolvers read
// addresses out of such forms.
func CheckHost(s string) error {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		return nil
	}
	name := strings.TrimSuffix(s, ".")
	if name == "" || len(name) > 253 {
		return bad("%q is neither an address nor a host name", clip(s))
	}
	labels := strings.Split(name, ".")
	for _, l := range labels {
		if l == "" || len(l) > 63 || strings.Trim(l, alphanumeric+"-_") != "" || l[0] == '-' || l[len(l)-1] == '-' {
			return bad("%q is neither an address nor a host name", clip(s))
		}
	}
	if last := strings.ToLower(labels[len(labels)-1]); strings.Contains(digits, last[:1]) {
		return bad("%q is neither an address nor a host name", clip(s))
	}
	return nil
}

// joinHost is the opposite of splitHost.
func joinHost(host string, port int) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port != 0 {
		host += ":" + strconv.Itoa(port)
	}
	return host
}

// readParams keeps the parameters of a SIP URI that may stay, in their order.
func readParams(s string) (string, error) {
	if strings.ContainsRune(s, '?') {
		return "", bad("headers in a SIP address are not taken")
	}
	var out strings.Builder
	for p := range strings.SplitSeq(s, ";") {
		if p == "" {
			continue
		}
		name, value, _ := strings.Cut(p, "=")
		// An escaped name would be another one to whoever unescapes it (RFC 3261 section 19.1.4).
		if name == "" || strings.ContainsRune(name, '%') || strings.Trim(name+value, alphanumeric+"-_.!~*'()[]/:&+$%") != "" {
			return "", bad("%q is not a parameter of a SIP address", clip(p))
		}
		switch strings.ToLower(name) {
		case "transport":
			if v := strings.ToLower(value); v != UDP && v != TCP && v != TLS {
				return "", bad("transport %q: use udp, tcp or tls", clip(value))
			}
			p = "transport=" + strings.ToLower(value)
		case "maddr", "ttl", "method", "received", "rport", "lr":
			return "", bad("the parameter %s of a SIP address is not taken: it would lead elsewhere than to its host", strings.ToLower(name))
		}
		out.WriteString(";" + p)
	}
	return out.String(), nil
}

func bad(format string, args ...any) error {
	return fault.New(fault.Invalid, "INVALID_DESTINATION", format, args...)
}

func unsupported(format string, args ...any) error {
	return fault.New(fault.Invalid, "DESTINATION_UNSUPPORTED", format, args...)
}

// clip keeps foreign text that goes into a message short.
func clip(s string) string {
	if len(s) <= 64 {
		return s
	}
	return strings.ToValidUTF8(s[:64], "") + "…"
}
