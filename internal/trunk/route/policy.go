package route

import (
	"fmt"
	"net/netip"
	"strings"

	"parley/internal/fault"
	"parley/internal/wire"
)

// Rule is the name of a rule that refuses a destination.
const (
	RuleNumbers = "allow_numbers"
	RuleSIP     = "allow_sip"
)

// Policy says which destinations outside this server may be called: none unless a rule allows it.
type Policy struct {
	numbers  []numberRule
	hosts    []hostRule
	loopback bool
}

// numberRule allows or denies the numbers that begin with a prefix.
type numberRule struct {
	customer, prefix string // customer "": all
	deny             bool
}

// hostRule allows a host, the hosts below one, or a network.
type hostRule struct {
	customer string
	host     string // "*": every host; ".example.com": those below it
	network  netip.Prefix
}

// NewPolicy reads rules. Of numbers: "+49" allows what begins with it, "!+49900" denies; the longest one that fits counts; a + that a file of
// settings has eaten (YAML takes +49 for a number) is put back. Of SIP hosts: a
// name, "*.example.com" for all below it, an address, a network as ADDRESS/BITS, or "*". "CUSTOMER-ID/" before a rule makes it that customer's
// alone. loopback allows this machine's own addresses, and localhost.
func NewPolicy(numbers, hosts []string, loopback bool) (*Policy, error) {
	p := &Policy{loopback: loopback}
	for _, text := range numbers {
		customer, rule := owner(text)
		prefix, deny := strings.CutPrefix(rule, "!")
		plain, ok := strings.CutPrefix(prefix, "+")
		if prefix = "+" + plain; !ok && plain == "" || len(plain) > 15 || strings.Trim(plain, digits) != "" {
			return nil, fmt.Errorf("%q: want the beginning of numbers in E.164 as +49, ! before it to deny, + for all", text)
		}
		p.numbers = append(p.numbers, numberRule{customer, prefix, deny})
	}
	for _, text := range hosts {
		customer, rule := owner(text)
		r := hostRule{customer: customer, host: strings.ToLower(strings.TrimSuffix(rule, "."))}
		if n, err := network(rule); err == nil {
			r.host, r.network = "", n
		} else if name := strings.TrimPrefix(r.host, "*."); r.host != "*" && CheckHost(name) != nil {
			return nil, fmt.Errorf("%q: want a host name, *.example.com, an address, a network as ADDRESS/BITS, or *", text)
		}
		r.host = strings.TrimPrefix(r.host, "*.")
		if strings.HasPrefix(rule, "*.") {
			r.host = "." + r.host
		}
		p.hosts = append(p.hosts, r)
	}
	return p, nil
}

// owner splits a rule into the customer whose it is and the rest.
func owner(text string) (customer, rule string) {
	if first, rest, ok := strings.Cut(text, "/"); ok {
		if id, ok := wire.ParseUUID(first); ok {
			return id, rest
		}
	}
	return "", text
}

// Check refuses a target that no rule allows, with reason DESTINATION_NOT_ALLOWED; rule names the list that has to allow it. Destinations on
// this server are allowed.
func (p *Policy) Check(customer string, to Target) (rule string, err error) {
	switch to.Kind {
	case Tel:
		if !p.allowsNumber(customer, to.Name) {
			return RuleNumbers, denied("numbers like %s may not be called from here: calls_out.allow_numbers does not allow it", to.Name)
		}
	case SIP:
		if !p.allowsHost(customer, to) {
			return RuleSIP, denied("SIP addresses at %s may not be called from here: calls_out.allow_sip does not allow it", clip(to.Host))
		}
	}
	return "", nil
}

func (p *Policy) allowsNumber(customer, number string) bool {
	longest, allowed := 0, false
	for _, r := range p.numbers {
		if (r.customer == "" || r.customer == customer) && strings.HasPrefix(number, r.prefix) && len(r.prefix) >= longest {
			// Of two rules for one prefix the one that denies counts.
			allowed = !r.deny && (allowed || len(r.prefix) > longest)
			longest = len(r.prefix)
		}
	}
	return allowed
}

func (p *Policy) allowsHost(customer string, to Target) bool {
	if p.loopback && (to.Addr.IsLoopback() || to.Host == "localhost") {
		return true
	}
	for _, r := range p.hosts {
		switch {
		case r.customer != "" && r.customer != customer:
		case r.network.IsValid():
			if r.network.Contains(to.Addr) {
				return true
			}
		case r.host == "*", r.host == to.Host, r.host[0] == '.' && strings.HasSuffix(to.Host, r.host):
			return true
		}
	}
	return false
}

// CheckTrunk refuses a trunk whose far end is an address that no network hands on: this machine's own, link-local, multicast or none. A rule
// for SIP hosts allows it all the same.
func (p *Policy) CheckTrunk(customer string, t *Trunk) error {
	a, err := netip.ParseAddr(t.Host)
	a = a.Unmap()
	named := err != nil && (t.Host == "localhost" || strings.HasSuffix(t.Host, ".localhost"))
	local := err == nil && (a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}))
	if (named || local) && !p.allowsHost(customer, Target{Kind: SIP, Host: t.Host, Addr: a}) {
		return denied("host: trunks to %s may not be made here: calls_out.allow_sip does not allow it", t.Host)
	}
	return nil
}

func denied(format string, args ...any) error {
	return fault.New(fault.Denied, "DESTINATION_NOT_ALLOWED", format, args...)
}
