package target

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"parley/internal/fault"
)

const urlMax = 2048

// URL returns a fault.Invalid, reason INVALID_WEBHOOK_URI, for a URL that will never be called: another scheme than http and https, no
// host, credentials in it, or an address in any notation that the guard refuses. Names are judged when they are called.
func (g *Guard) URL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || len(text) > urlMax || u.Opaque != "" || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "":
		return refuse("it must be an http or https URL with a host, of at most %d characters", urlMax)
	case u.User != nil:
		return refuse("it must not have a user or password in it; use the signature to know the sender")
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if !plain(host) {
		return refuse("the host has characters that names do not have; write international names in their xn-- form")
	}
	if ip, ok := literal(host); ok {
		if g.Addr(ip) != nil {
			return refuse("%s", ErrRefused)
		}
	}
	return nil
}

func refuse(format string, args ...any) error {
	return fault.New(fault.Invalid, "INVALID_WEBHOOK_URI", "uri: "+format, args...)
}

func plain(host string) bool {
	for i := range len(host) {
		c := host[i]
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("-._:%", c) >= 0) {
			return false
		}
	}
	return host != ""
}

// literal returns the address that a host stands for without asking anybody: in the notations of RFC 4291 and of inet_aton, which resolvers
// take too (one to four numbers, decimal, octal or hexadecimal), and the names of loopback (RFC 6761 section 6.3).
func literal(host string) (netip.Addr, bool) {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1}), true
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip, true
	}
	parts := strings.Split(host, ".")
	if len(parts) > 4 {
		return netip.Addr{}, false
	}
	var sum uint64
	for i, part := range parts {
		n, err := strconv.ParseUint(octal(part), 0, 32)
		last := i == len(parts)-1
		if err != nil || !last && n > 255 || last && n >= 1<<(8*(5-len(parts))) {
			return netip.Addr{}, false
		}
		if last {
			sum |= n
		} else {
			sum |= n << (24 - 8*i)
		}
	}
	return netip.AddrFrom4([4]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}), true
}

// octal writes what C takes for octal the way that Go does, and spoils what only Go takes for a number.
func octal(part string) string {
	switch {
	case strings.ContainsAny(part, "_+-ob"):
		return "x"
	case len(part) > 1 && part[0] == '0' && part[1] != 'x':
		return "0o" + part[1:]
	}
	return part
}
