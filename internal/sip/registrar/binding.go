package registrar

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Binding is one place where an extension can be reached.
type Binding struct {
	Contact   sip.Uri          // as the phone wrote it; Headers must not be acted upon
	Params    sip.HeaderParams // of the Contact header, without expires and q
	Q         int              // preference in thousandths, 0 to 1000
	Expires   time.Time
	Transport string         // "UDP" or "TCP" of the REGISTER
	Source    netip.AddrPort // where it came from: requests go there when the contact is behind a translator
	UserAgent string

	updated time.Time
	callID  string
	cseq    uint32
}

// value is the binding as a Contact header says it.
func (b *Binding) value(now time.Time) string {
	v := "<" + b.Contact.String() + ">"
	if b.Q < 1000 {
		v += ";q=0." + strconv.Itoa(1000 + b.Q)[1:]
	}
	left := int((b.Expires.Sub(now) + time.Second - 1) / time.Second)
	v += ";expires=" + strconv.Itoa(left)
	for _, p := range b.Params {
		if v += ";" + p.K; p.V != "" {
			v += "=" + p.V
		}
	}
	return v
}

// live are the bindings that have not expired.
func live(all []Binding, now time.Time) []Binding {
	return slices.DeleteFunc(slices.Clone(all), func(b Binding) bool { return !b.Expires.After(now) })
}

// same compares contacts (RFC 3261 section 19.1.4), with two differences: all parameters count, and a port that is the default is not
// an absent one, as the RFC says too. Both make two bindings of what might be one, never one of two.
func same(a, b *sip.Uri) bool {
	return a.Scheme == b.Scheme && plain(a.User) == plain(b.User) && plain(a.Password) == plain(b.Password) &&
		strings.EqualFold(a.Host, b.Host) && a.Port == b.Port && equal(a.UriParams, b.UriParams) && equal(a.Headers, b.Headers)
}

func equal(a, b sip.HeaderParams) bool { return slices.Equal(sorted(a), sorted(b)) }

func sorted(p sip.HeaderParams) []string {
	out := make([]string, 0, len(p))
	for _, kv := range p {
		out = append(out, strings.ToLower(plain(kv.K))+"="+strings.ToLower(plain(kv.V)))
	}
	slices.Sort(out)
	return out
}

func plain(s string) string {
	if p, err := url.PathUnescape(s); err == nil {
		return p
	}
	return s
}

// quality reads a q value (RFC 3261 section 25.1) in thousandths; without one it is 1.
func quality(p sip.HeaderParams) (q int, ok bool) {
	v, found := p.Get("q")
	if !found {
		return 1000, true
	}
	whole, part, _ := strings.Cut(v, ".")
	if whole != "0" && whole != "1" || len(part) > 3 || strings.Trim(part, "0123456789") != "" {
		return 0, false
	}
	q, _ = strconv.Atoi((whole + part + "000")[:4])
	return q, q <= 1000
}

// seconds reads an expiry. What is no number means the default, what is too large the largest (RFC 3261 sections 10.2.1.1 and 20.19).
func seconds(v string, def time.Duration) time.Duration {
	v = strings.TrimSpace(v)
	if v == "" || strings.Trim(v, "0123456789") != "" {
		return def
	}
	n, err := strconv.ParseUint(v, 10, 32)
	if err != nil {
		n = 1<<32 - 1
	}
	return time.Duration(n) * time.Second
}
