package route

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"parley/internal/fault"
	"parley/internal/wire"
)

// Most of what a trunk may have.
const (
	prefixesMax = 200
	sourcesMax  = 50
	figureMax   = 1_000_000
)

// widest are the shortest prefixes of networks that may be trusted: whoever writes a shorter one has made a mistake.
var widest = map[bool]int{true: 8, false: 16} // by Is4

// codecs are the names that offers can be built of.
var codecs = []string{"opus", "G722", "PCMU", "PCMA"}

// Check refuses a trunk that cannot work, and brings what has several forms into one.
func (t *Trunk) Check() error {
	for _, text := range []struct{ field, value string }{{"name", t.Name}, {"detail", t.Detail}} {
		if err := wire.Text(text.value, 4096); err != nil {
			return invalid(text.field, "%v", err)
		}
	}
	for _, check := range []func() error{t.checkPeer, t.checkLogin, t.checkIdentity, t.checkRouting, t.checkCodecs} {
		if err := check(); err != nil {
			return err
		}
	}
	for field, n := range map[string]int{
		"limits.calls_per_second": t.Limits.CallsPerSecond, "limits.calls_per_minute": t.Limits.CallsPerMinute,
		"limits.concurrent": t.Limits.Concurrent, "limits.minutes_per_day": t.Limits.MinutesPerDay,
		"priority": t.Priority, "weight": t.Weight,
	} {
		if n < 0 || n > figureMax {
			return invalid(field, "%d is not 0 to %d", n, figureMax)
		}
	}
	return nil
}

func (t *Trunk) checkPeer() error {
	if err := CheckHost(t.Host); err != nil {
		return invalid("host", "%v", err)
	}
	t.Host = strings.ToLower(strings.TrimSuffix(t.Host, "."))
	if t.Port < 0 || t.Port > 65535 {
		return invalid("port", "%d is not 0 (as DNS says) to 65535", t.Port)
	}
	var err error
	if t.Transport, err = wire.OneOf(t.Transport, UDP, TCP, TLS); err != nil {
		return invalid("transport", "%v", err)
	}
	return nil
}

func (t *Trunk) checkLogin() (err error) {
	if t.Auth, err = wire.OneOf(t.Auth, Address, Digest, Register); err != nil {
		return invalid("auth", "%v", err)
	}
	if t.Auth != Address && (t.Username == "" || t.Password == "") {
		return invalid("username", "auth %s needs username and password", t.Auth)
	}
	for field, s := range map[string]string{"username": t.Username, "password": t.Password} {
		if err := wire.Text(s, 256); err != nil || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return invalid(field, "it must be text of at most 256 characters without control characters")
		}
	}
	if len(t.Sources) > sourcesMax {
		return invalid("sources", "there are %d; at most %d are taken", len(t.Sources), sourcesMax)
	}
	out := make([]string, len(t.Sources))
	for i, text := range t.Sources {
		p, err := network(text)
		if err != nil {
			return invalid(fmt.Sprintf("sources[%d]", i), "%q is not a network as ADDRESS/BITS or an address", clip(text))
		}
		if p.Bits() < widest[p.Addr().Is4()] {
			return invalid(fmt.Sprintf("sources[%d]", i), "%s is wider than a provider's network; name the networks that its calls come from", p)
		}
		out[i] = p.String()
	}
	t.Sources = out
	return nil
}

// network reads a CIDR or a single address, in its one form.
func network(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, fmt.Errorf("read network: %w", err)
	}
	if p.Addr().Is4In6() {
		if p.Bits() < 96 {
			return p, fmt.Errorf("read network: %s is a part of IPv4 and of other networks", p)
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked(), nil
}

func (t *Trunk) checkIdentity() error {
	if t.CallerID != "" && !userPart(t.CallerID) || len(t.CallerID) > 64 {
		return invalid("caller_id", "%q cannot be the user part of a SIP address", clip(t.CallerID))
	}
	return nil
}

func (t *Trunk) checkRouting() error {
	if len(t.Prefixes) > prefixesMax {
		return invalid("prefixes", "there are %d; at most %d are taken", len(t.Prefixes), prefixesMax)
	}
	if t.Prefixes == nil {
		t.Prefixes = []Prefix{}
	}
	seen := map[string]bool{}
	for i, p := range t.Prefixes {
		field := fmt.Sprintf("prefixes[%d]", i)
		number, ok := strings.CutPrefix(p.Prefix, "+")
		switch {
		case !ok || len(number) > 15 || strings.Trim(number, digits) != "":
			return invalid(field, "%q is not the beginning of a number in E.164, for example +49, or + for all numbers", clip(p.Prefix))
		case seen[p.Prefix]:
			return invalid(field, "%s is there twice", p.Prefix)
		case p.Strip < 0 || p.Strip > 15:
			return invalid(field, "strip is %d; it is the number of digits, 0 to 15", p.Strip)
		case len(p.Add) > 32 || strings.Trim(p.Add, alphanumeric+"+*._-") != "":
			return invalid(field, "add %q has something else in it than letters, digits and + * . _ -", clip(p.Add))
		}
		seen[p.Prefix] = true
	}
	return nil
}

func (t *Trunk) checkCodecs() error {
	out := []string{}
	for _, name := range t.Codecs {
		i := slices.IndexFunc(codecs, func(c string) bool { return strings.EqualFold(c, name) })
		if i < 0 {
			return invalid("codecs", "%q is unknown; there are %s", clip(name), strings.Join(codecs, ", "))
		}
		if !slices.Contains(out, codecs[i]) {
			out = append(out, codecs[i])
		}
	}
	t.Codecs = out
	return nil
}

func invalid(field, format string, args ...any) error {
	return fault.New(fault.Invalid, "INVALID_ARGUMENT", "%s: %s", field, fmt.Sprintf(format, args...))
}
