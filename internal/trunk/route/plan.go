package route

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"parley/internal/call"
	"parley/internal/fault"
)

// hopsMax bounds the attempts at one call.
const hopsMax = 8

// Hop is one way to a destination. For SIP it is an INVITE to To; for an extension whoever dials asks for its contacts, for an agent for
// its addresses; a conference is entered.
type Hop struct {
	Kind      string // SIP, Tel, Extension, Agent or Conference
	Name      string // the extension's name, or the id of the agent or conference; "" for SIP and Tel
	To        string // SIP URI of the callee
	Via       string // SIP URI of where the INVITE goes, "" for To
	From      string // SIP URI of the caller, "" for whoever dials to make one
	Identity  string // for P-Asserted-Identity, "" for none
	User      string // digest credentials
	Password  string
	SRTP      bool   // offer SRTP and nothing else
	TrunkID   string // "" for none
	TrunkName string
	Codecs    []string // names in SDP in the order of preference; empty: all that there are
	Limits    Limits   // of the trunk
}

// Plan returns the ways to a target, the best first: never none without an error. trunks are the customer's; rnd returns a random number in
// [0, n) and shares calls out among trunks of one priority by their weights.
func Plan(trunks []Trunk, to Target, from call.Address, rnd func(n int) int) ([]Hop, error) {
	switch to.Kind {
	case SIP:
		return []Hop{{Kind: SIP, To: to.Name}}, nil
	case Extension, Conference, Agent:
		return []Hop{{Kind: to.Kind, Name: to.Name}}, nil
	}
	var hops []Hop
	for _, o := range order(trunks, to.Name, rnd) {
		if len(hops) < hopsMax {
			hops = append(hops, o.hop(to.Name, from))
		}
	}
	if len(hops) == 0 {
		return nil, fault.New(fault.Conflict, "NO_TRUNK_FOR_DESTINATION", "no enabled trunk has a prefix of %s; make one with POST /trunks", to.Name)
	}
	return hops, nil
}

// option is a trunk with the rule of it that fits a number best.
type option struct {
	trunk *Trunk
	rule  Prefix
	drawn int // place among those of one priority
}

// order returns the trunks for a number: longest prefix first, then lowest priority, then drawn by weight (as RFC 2782 does for DNS).
func order(trunks []Trunk, number string, rnd func(n int) int) []option {
	var all []option
	for i := range trunks {
		t := &trunks[i]
		if rule, ok := t.rule(number); ok && t.Enabled && t.Deleted.String() == "" {
			all = append(all, option{trunk: t, rule: rule})
		}
	}
	same := func(a, b option) int {
		return cmp.Or(cmp.Compare(len(b.rule.Prefix), len(a.rule.Prefix)), cmp.Compare(a.trunk.Priority, b.trunk.Priority))
	}
	slices.SortStableFunc(all, func(a, b option) int { return cmp.Or(same(a, b), cmp.Compare(a.trunk.ID, b.trunk.ID)) })
	for begin := 0; begin < len(all); {
		end := begin + 1
		for end < len(all) && same(all[begin], all[end]) == 0 {
			end++
		}
		draw(all[begin:end], rnd)
		begin = end
	}
	slices.SortStableFunc(all, func(a, b option) int { return cmp.Or(same(a, b), cmp.Compare(a.drawn, b.drawn)) })
	return all
}

// draw gives each option its place, by lot with weights.
func draw(group []option, rnd func(n int) int) {
	sum := 0
	for _, o := range group {
		sum += o.trunk.Weight
	}
	left := make([]int, len(group))
	for i := range left {
		left[i] = i
	}
	for place := range group {
		at := 0
		if sum > 0 {
			lot := rnd(sum)
			for at = range left {
				if lot -= group[left[at]].trunk.Weight; lot < 0 {
					break
				}
			}
		}
		o := &group[left[at]]
		o.drawn, sum = place, sum-o.trunk.Weight
		left = slices.Delete(left, at, at+1)
	}
}

// rule returns the longest of the trunk's prefixes that the number has.
func (t *Trunk) rule(number string) (best Prefix, ok bool) {
	for _, p := range t.Prefixes {
		if strings.HasPrefix(number, p.Prefix) && len(p.Prefix) > len(best.Prefix) {
			best, ok = p, true
		}
	}
	return best, ok
}

func (o *option) hop(number string, from call.Address) Hop {
	t := o.trunk
	plain := strings.TrimPrefix(number, "+")
	user := o.rule.Add + plain[min(o.rule.Strip, len(plain)):]
	h := Hop{
		Kind: Tel, To: "sip:" + user + "@" + t.hostport() + ";user=phone", Via: t.URI(), SRTP: t.SRTP, TrunkID: t.ID, TrunkName: t.Name,
		User: t.Username, Password: t.Password, Codecs: t.Codecs, Limits: t.Limits,
	}
	caller := cmp.Or(t.CallerID, callerNumber(from), t.Username)
	if userPart(caller) {
		h.From = "sip:" + caller + "@" + joinHost(t.Host, 0)
	}
	if t.AssertIdentity {
		h.Identity = h.From
	}
	return h
}

// callerNumber is the source of a call as the user part of a SIP URI, "" when it is no number.
func callerNumber(a call.Address) string {
	if t, err := parseTel(a.Target); err == nil && (a.Type == Tel || a.Type == "") {
		return t.Name
	}
	return ""
}

// Failover tells whether a call that ended unanswered with this SIP status goes on to the next hop: the way is at fault, not the callee. 408 is
// also what nothing coming means, 503 that the request could not be sent. A callee who is busy, declines or is unknown would be so over every
// trunk, and one whose phone has rung has been reached.
func Failover(status int, rang bool) bool {
	switch status {
	case 401, 402, 407, 429: // the trunk does not take our word, our money or our pace
		return !rang
	case 408, 430, 500, 502, 503, 504: // RFC 3261 section 21, RFC 5626 section 6
		return !rang
	}
	return false
}

// Origin says whose trunk a call came over.
type Origin struct {
	CustomerID    string
	TrunkID       string
	TrustIdentity bool // its P-Asserted-Identity may be believed
}

// From returns whose trunk an address belongs to: the one with the narrowest of the networks that have it; of equal ones the oldest trunk, so
// that nobody can take over an address that somebody else has.
func From(trunks []Trunk, from netip.Addr) (o Origin, ok bool) {
	best, since := -1, time.Time{}
	from = from.Unmap().WithZone("")
	for i := range trunks {
		t := &trunks[i]
		if !t.Enabled || t.Deleted.String() != "" {
			continue
		}
		for _, text := range t.Sources {
			p, err := network(text)
			made := time.Time(t.Created)
			if err != nil || !p.Contains(from) || p.Bits() < best || p.Bits() == best && !made.Before(since) {
				continue
			}
			best, since, ok = p.Bits(), made, true
			o = Origin{CustomerID: t.CustomerID, TrunkID: t.ID, TrustIdentity: t.TrustIdentity}
		}
	}
	return o, ok
}
