package route_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/internal/call"
	"parley/internal/fault"
	. "parley/internal/trunk/route"
	"parley/internal/wire"
)

func TestParse(t *testing.T) {
	const id = "c0000000-0000-4000-8000-000000000000"
	for _, tt := range []struct{ kind, in, want string }{
		{"tel", "+4930123456", "tel +4930123456"},
		{"tel", "+123", "tel +123"},
		{"tel", "4930123456", "INVALID_DESTINATION"},
		{"tel", "+49 30", "INVALID_DESTINATION"},
		{"tel", "+0123", "INVALID_DESTINATION"},
		{"tel", "+1234567890123456", "INVALID_DESTINATION"},
		{"tel", "+12", "INVALID_DESTINATION"},
		{"tel", "+49;phone-context=x", "INVALID_DESTINATION"},
		{"tel", "", "INVALID_DESTINATION"},
		{"sip", "alice@Example.COM", "sip sip:alice@example.com"},
		{"sip", "sip:alice@example.com:5070;transport=TCP", "sip sip:alice@example.com:5070;transport=tcp"},
		{"sip", "SIPS:alice@example.com.;user=phone", "sip sips:alice@example.com;user=phone"},
		{"sip", "a%20b@192.0.2.7", "sip sip:a%20b@192.0.2.7"},
		{"sip", "+49/7@[2001:DB8::1]:5061", "sip sip:+49/7@[2001:db8::1]:5061"},
		{"sip", "alice", "INVALID_DESTINATION"},
		{"sip", "sip:example.com", "INVALID_DESTINATION"},
		{"sip", "@example.com", "INVALID_DESTINATION"},
		{"sip", "alice:secret@example.com", "INVALID_DESTINATION"},
		{"sip", "alice@", "INVALID_DESTINATION"},
		{"sip", "alice@a..b", "INVALID_DESTINATION"},
		{"sip", "alice@-a", "INVALID_DESTINATION"},
		{"sip", "alice@2130706433", "INVALID_DESTINATION"},
		{"sip", "alice@0x7f.1", "INVALID_DESTINATION"},
		{"sip", "alice@127.1", "INVALID_DESTINATION"},
		{"sip", "alice@127.0.0.1.", "INVALID_DESTINATION"},
		{"sip", "alice@[fe80::1%25eth0]", "INVALID_DESTINATION"},
		{"sip", "alice@[::1", "INVALID_DESTINATION"},
		{"sip", "alice@[::1]x", "INVALID_DESTINATION"},
		{"sip", "alice@example.com:0", "INVALID_DESTINATION"},
		{"sip", "alice@example.com:99999", "INVALID_DESTINATION"},
		{"sip", "alice@example.com@evil", "INVALID_DESTINATION"},
		{"sip", "alice@example.com;maddr=10.0.0.1", "INVALID_DESTINATION"},
		{"sip", "alice@example.com;%6daddr=10.0.0.1", "INVALID_DESTINATION"},
		{"sip", "alice@example.com;MADDR=10.0.0.1", "INVALID_DESTINATION"},
		{"sip", "alice@example.com;transport=ws", "INVALID_DESTINATION"},
		{"sip", "alice@example.com?Route=evil", "INVALID_DESTINATION"},
		{"sip", "alice@example.com;a?Route=evil", "INVALID_DESTINATION"},
		{"sip", "al\r\nVia: x@example.com", "INVALID_DESTINATION"},
		{"sip", "al%0d%0a@example.com", "INVALID_DESTINATION"},
		{"sip", "al%zz@example.com", "INVALID_DESTINATION"},
		{"sip", "al<>@example.com", "INVALID_DESTINATION"},
		{"sip", strings.Repeat("a", 600) + "@example.com", "INVALID_DESTINATION"},
		{"extension", "alice.7", "extension alice.7"},
		{"extension", "alice@evil", "INVALID_DESTINATION"},
		{"extension", "", "INVALID_DESTINATION"},
		{"conference", strings.ToUpper(id), "conference " + id},
		{"conference", "lobby", "INVALID_DESTINATION"},
		{"agent", strings.ToUpper(id), "agent " + id},
		{"agent", "ann", "INVALID_DESTINATION"},
		{"whatsapp", "+123", "DESTINATION_UNSUPPORTED"},
		{"", "+123", "tel +123"},
		{"", "sip:a@b.example", "sip sip:a@b.example"},
		{"", "+1@b.example", "sip sip:+1@b.example"},
		{"", "alice", "INVALID_DESTINATION"},
		{"", "", "INVALID_DESTINATION"},
	} {
		got, err := Parse(call.Address{Type: tt.kind, Target: tt.in})
		said := got.Kind + " " + got.Name
		if err != nil {
			said = fault.ReasonOf(err)
		}
		if said != tt.want {
			t.Errorf("%s %q: %s (%v), want %s", tt.kind, tt.in, said, err, tt.want)
		}
	}
}

// FuzzParse: what is taken can stand in a request line, is taken again as it is, and names the host it leads to.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"alice@example.com", "sip:a@[::1]:5060;transport=tcp", "a%41@1.2.3.4;x=y;z", "a@b?c", "@", "a:b@c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := Parse(call.Address{Type: SIP, Target: s})
		if err != nil {
			return
		}
		if strings.ContainsFunc(got.Name, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`<>"\`, r) }) || strings.Count(got.Name, "@") != 1 {
			t.Fatalf("%q became %q", s, got.Name)
		}
		again, err := Parse(call.Address{Type: SIP, Target: got.Name})
		if err != nil || again != got {
			t.Fatalf("%q became %+v, that %+v, %v", s, got, again, err)
		}
	})
}

const (
	ann = "a0000000-0000-4000-8000-000000000000"
	bob = "b0000000-0000-4000-8000-000000000000"
)

func TestPolicy(t *testing.T) {
	p, err := NewPolicy(
		[]string{"49", "!+49900", "+4990055", "+1", "!+1", ann + "/+33", bob + "/!+4930"},
		[]string{"pbx.example.com", "*.provider.example", "10.1.0.0/16", "2001:db8::/32", ann + "/only.example", "192.0.2.1", ann + "/203.0.113.0/24"}, false,
	)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		customer, kind, to string
		rule               string
	}{
		{ann, "tel", "+4930123", ""},
		{bob, "tel", "+4930123", RuleNumbers},
		{ann, "tel", "+49900123", RuleNumbers},
		{ann, "tel", "+4990055123", ""},
		{ann, "tel", "+1555123", RuleNumbers}, // both: denied
		{ann, "tel", "+33123", ""},
		{bob, "tel", "+33123", RuleNumbers},
		{ann, "tel", "+882123", RuleNumbers},
		{ann, "sip", "a@pbx.example.com", ""},
		{ann, "sip", "a@PBX.example.com.", ""},
		{ann, "sip", "a@xpbx.example.com", RuleSIP},
		{ann, "sip", "a@pbx.example.com.evil", RuleSIP},
		{ann, "sip", "a@eu.provider.example", ""},
		{ann, "sip", "a@provider.example", RuleSIP},
		{ann, "sip", "a@10.1.2.3", ""},
		{ann, "sip", "a@10.2.2.3", RuleSIP},
		{ann, "sip", "a@[::ffff:10.1.2.3]", ""},
		{ann, "sip", "a@[2001:db8::7]", ""},
		{ann, "sip", "a@192.0.2.1", ""},
		{ann, "sip", "a@192.0.2.2", RuleSIP},
		{ann, "sip", "a@only.example", ""},
		{bob, "sip", "a@only.example", RuleSIP},
		{ann, "sip", "a@203.0.113.9", ""},
		{bob, "sip", "a@203.0.113.9", RuleSIP},
		{ann, "sip", "a@127.0.0.1", RuleSIP},
		{ann, "sip", "a@localhost", RuleSIP},
		{ann, "extension", "alice", ""},
		{ann, "conference", ann, ""},
	} {
		to, err := Parse(call.Address{Type: tt.kind, Target: tt.to})
		if err != nil {
			t.Fatal(err)
		}
		rule, err := p.Check(tt.customer, to)
		if rule != tt.rule || (err == nil) != (rule == "") || err != nil && fault.ReasonOf(err) != "DESTINATION_NOT_ALLOWED" {
			t.Errorf("%s to %s: %q, %v", tt.customer[:1], tt.to, rule, err)
		}
	}
	for _, wrong := range [][2]string{{"+49x", "a"}, {"", "a"}, {"!", "a"}, {"x/+49", "a"}, {"+1234567890123456", "a"}, {"+", "a b"}, {"+", ""}, {"+", "10.0.0.0/99"}, {"+", "*.*"}} {
		if _, err := NewPolicy([]string{wrong[0]}, []string{wrong[1]}, false); err == nil {
			t.Errorf("%q was taken", wrong)
		}
	}
}

// TestNothingIsAllowed: without rules nothing outside may be called; loopback adds this machine and nothing else.
func TestNothingIsAllowed(t *testing.T) {
	for _, loopback := range []bool{false, true} {
		p, err := NewPolicy(nil, nil, loopback)
		if err != nil {
			t.Fatal(err)
		}
		for to, own := range map[string]bool{
			"a@127.0.0.1": true, "a@127.9.9.9:5070": true, "a@[::1]": true, "a@[::ffff:127.0.0.1]": true, "a@localhost": true,
			"a@localhost.evil": false, "a@10.0.0.1": false, "a@0.0.0.0": false, "a@169.254.169.254": false, "a@example.com": false,
		} {
			target, err := Parse(call.Address{Type: SIP, Target: to})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.Check(ann, target); (err == nil) != (own && loopback) {
				t.Errorf("loopback %v, %s: %v", loopback, to, err)
			}
		}
		if _, err := p.Check(ann, Target{Kind: Tel, Name: "+4930"}); err == nil {
			t.Error("a number was allowed")
		}
		for host, open := range map[string]bool{"127.0.0.1": loopback, "localhost": loopback, "169.254.169.254": false, "0.0.0.0": false, "224.0.0.1": false, "sip.example.com": true, "10.0.0.5": true} {
			if err := p.CheckTrunk(ann, &Trunk{Peer: Peer{Host: host}}); (err == nil) != open {
				t.Errorf("loopback %v, trunk to %s: %v", loopback, host, err)
			}
		}
	}
}

func trunk(id string, change func(*Trunk)) Trunk {
	t := Trunk{
		ID: id, CustomerID: ann, Enabled: true, Peer: Peer{Host: id + ".example", Transport: UDP}, Login: Login{Auth: Digest, Username: "u" + id, Password: "secret"},
		Routing: Routing{Prefixes: []Prefix{{Prefix: "+", Add: "+"}}},
	}
	if change != nil {
		change(&t)
	}
	return t
}

func names(hops []Hop) string {
	var out []string
	for _, h := range hops {
		out = append(out, h.TrunkID)
	}
	return strings.Join(out, " ")
}

func TestPlanOfNumbers(t *testing.T) {
	with := func(prefixes ...string) func(*Trunk) {
		return func(t *Trunk) {
			t.Prefixes = nil
			for _, p := range prefixes {
				t.Prefixes = append(t.Prefixes, Prefix{Prefix: p, Add: "+"})
			}
		}
	}
	priority := func(n int) func(*Trunk) { return func(t *Trunk) { t.Priority = n } }
	off := func(t *Trunk) { t.Enabled = false }
	gone := func(t *Trunk) { t.Deleted = wire.Time(time.Now()) }
	for _, tt := range []struct {
		name   string
		trunks []Trunk
		want   string
	}{
		{"longest prefix first, then the others", []Trunk{trunk("a", nil), trunk("b", with("+49")), trunk("c", with("+4930", "+1"))}, "c b a"},
		{"longest prefix before priority", []Trunk{trunk("a", priority(0)), trunk("b", func(t *Trunk) { with("+49")(t); t.Priority = 9 })}, "b a"},
		{"priority", []Trunk{trunk("a", priority(2)), trunk("b", priority(1)), trunk("c", priority(3))}, "b a c"},
		{"equal ones by id", []Trunk{trunk("b", nil), trunk("a", nil)}, "a b"},
		{"another prefix", []Trunk{trunk("a", with("+1")), trunk("b", nil)}, "b"},
		{"disabled, deleted, for incoming calls only", []Trunk{trunk("a", off), trunk("b", gone), trunk("c", with()), trunk("d", nil)}, "d"},
		{"none", []Trunk{trunk("a", with("+1"))}, ""},
	} {
		hops, err := Plan(tt.trunks, Target{Kind: Tel, Name: "+4930123"}, call.Address{}, func(int) int { t.Error("no lot is needed"); return 0 })
		if names(hops) != tt.want || (err != nil) != (tt.want == "") || err != nil && fault.ReasonOf(err) != "NO_TRUNK_FOR_DESTINATION" {
			t.Errorf("%s: %s, %v", tt.name, names(hops), err)
		}
	}
	var many []Trunk
	for i := range 20 {
		many = append(many, trunk(fmt.Sprint("t", i), nil))
	}
	if hops, _ := Plan(many, Target{Kind: Tel, Name: "+4930123"}, call.Address{}, nil); len(hops) != 8 {
		t.Errorf("%d hops", len(hops))
	}
}

// TestWeights: of two trunks with weights 3 and 1 the first comes first in three of four lots; one without weight comes last.
func TestWeights(t *testing.T) {
	weight := func(n int) func(*Trunk) { return func(t *Trunk) { t.Weight = n } }
	trunks := []Trunk{trunk("a", weight(3)), trunk("b", weight(1)), trunk("c", weight(0))}
	got := map[string]int{}
	for lot := range 4 {
		hops, err := Plan(trunks, Target{Kind: Tel, Name: "+4930"}, call.Address{}, func(n int) int { return lot % n })
		if err != nil {
			t.Fatal(err)
		}
		got[names(hops)]++
	}
	if got["a b c"] != 3 || got["b a c"] != 1 {
		t.Error(got)
	}
}

func TestHops(t *testing.T) {
	tel := call.Address{Type: "tel", Target: "+4940777"}
	for _, tt := range []struct {
		name   string
		change func(*Trunk)
		from   call.Address
		want   Hop
	}{
		{"as it is", nil, tel, Hop{To: "sip:+4930123@a.example;user=phone", Via: "sip:a.example", From: "sip:+4940777@a.example"}},
		{"national form over TCP", func(t *Trunk) {
			t.Prefixes, t.Port, t.Transport = []Prefix{{"+49", 2, "0"}}, 5070, TCP
		}, tel, Hop{To: "sip:030123@a.example:5070;transport=tcp;user=phone", Via: "sip:a.example:5070;transport=tcp", From: "sip:+4940777@a.example"}},
		{"an address over TLS, with identity", func(t *Trunk) {
			t.Host, t.Transport, t.CallerID, t.AssertIdentity = "2001:db8::1", TLS, "+49301", true
		}, tel, Hop{
			To: "sip:+4930123@[2001:db8::1];transport=tls;user=phone", Via: "sip:[2001:db8::1];transport=tls", From: "sip:+49301@[2001:db8::1]", Identity: "sip:+49301@[2001:db8::1]",
		}},
		{"no number calls", nil, call.Address{Type: "sip", Target: "eve@evil"}, Hop{To: "sip:+4930123@a.example;user=phone", Via: "sip:a.example", From: "sip:ua@a.example"}},
		{"nobody calls", func(t *Trunk) { t.Username = "" }, call.Address{}, Hop{To: "sip:+4930123@a.example;user=phone", Via: "sip:a.example"}},
		{"more digits stripped than there are", func(t *Trunk) { t.Prefixes = []Prefix{{"+", 15, "7"}} }, tel, Hop{To: "sip:7@a.example;user=phone", Via: "sip:a.example", From: "sip:+4940777@a.example"}},
	} {
		hops, err := Plan([]Trunk{trunk("a", tt.change)}, Target{Kind: Tel, Name: "+4930123"}, tt.from, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := hops[0]
		if got.To != tt.want.To || got.Via != tt.want.Via || got.From != tt.want.From || got.Identity != tt.want.Identity || got.Password != "secret" || got.Kind != Tel {
			t.Errorf("%s: %+v", tt.name, got)
		}
		if _, err := Parse(call.Address{Type: SIP, Target: got.To}); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestPlanOfOthers(t *testing.T) {
	for _, to := range []Target{{Kind: SIP, Name: "sip:a@b"}, {Kind: Extension, Name: "alice"}, {Kind: Conference, Name: ann}} {
		hops, err := Plan(nil, to, call.Address{}, nil)
		if err != nil || len(hops) != 1 || hops[0].Kind != to.Kind || hops[0].Name+hops[0].To != to.Name {
			t.Errorf("%+v: %+v, %v", to, hops, err)
		}
	}
}

func TestFailover(t *testing.T) {
	next := []int{401, 402, 407, 408, 429, 430, 500, 502, 503, 504}
	for status := 100; status < 700; status++ {
		if got := Failover(status, false); got != slices.Contains(next, status) || Failover(status, true) {
			t.Errorf("%d: %v", status, got)
		}
	}
}

func TestFrom(t *testing.T) {
	at := func(id, customer string, made int, sources ...string) Trunk {
		return trunk(id, func(t *Trunk) {
			t.CustomerID, t.Sources, t.Created = customer, sources, wire.Time(time.Unix(int64(made), 0))
			t.TrustIdentity = id == "b"
		})
	}
	off := at("e", bob, 0, "10.1.2.3/32")
	off.Enabled = false
	trunks := []Trunk{at("a", ann, 5, "10.0.0.0/8", "2001:db8::/32"), at("b", bob, 6, "10.1.0.0/16"), at("c", ann, 3, "10.0.0.0/8"), at("d", bob, 9, "192.0.2.1/32"), off}
	for from, want := range map[string]string{
		"10.9.9.9": "c", "10.1.2.3": "b", "::ffff:10.1.2.3": "b", "2001:db8::5": "a", "192.0.2.1": "d", "192.0.2.2": "", "::1": "",
	} {
		o, ok := From(trunks, netip.MustParseAddr(from))
		if o.TrunkID != want || ok != (want != "") || o.TrustIdentity != (want == "b") {
			t.Errorf("%s: %+v, want %s", from, o, want)
		}
	}
}

func TestCheck(t *testing.T) {
	fine := trunk("a", func(t *Trunk) {
		t.Sources, t.Codecs, t.Host, t.Transport = []string{"192.0.2.7", "10.1.2.3/16", "::ffff:10.0.0.0/104"}, []string{"pcma", "OPUS", "PCMA"}, "SIP.Example.", ""
	})
	if err := fine.Check(); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprintln(fine.Sources, fine.Codecs, fine.Host, fine.Transport) != "[192.0.2.7/32 10.1.0.0/16 10.0.0.0/8] [PCMA opus] sip.example udp\n" {
		t.Error(fine.Sources, fine.Codecs, fine.Host, fine.Transport)
	}
	if m := fine.Masked(); m.Password != Mask || fine.Password != "secret" {
		t.Error(m.Password)
	}
	for want, change := range map[string]func(*Trunk){
		"name":                    func(t *Trunk) { t.Name = "\xff" },
		"detail":                  func(t *Trunk) { t.Detail = strings.Repeat("x", 5000) },
		"host":                    func(t *Trunk) { t.Host = "" },
		"host: ":                  func(t *Trunk) { t.Host = "a.example;maddr=b" },
		"port":                    func(t *Trunk) { t.Port = 70000 },
		"transport":               func(t *Trunk) { t.Transport = "sctp" },
		"auth":                    func(t *Trunk) { t.Auth = "smile" },
		"username":                func(t *Trunk) { t.Password = "" },
		"password":                func(t *Trunk) { t.Password = "a\nb" },
		"sources[0]":              func(t *Trunk) { t.Sources = []string{"here"} },
		"sources[1]":              func(t *Trunk) { t.Sources = []string{"10.0.0.1", "0.0.0.0/0"} },
		"sources[0]: ::/0":        func(t *Trunk) { t.Sources = []string{"::/0"} },
		"caller_id":               func(t *Trunk) { t.CallerID = "a b" },
		"prefixes[0]":             func(t *Trunk) { t.Prefixes = []Prefix{{"49", 0, ""}} },
		"prefixes[1]":             func(t *Trunk) { t.Prefixes = []Prefix{{"+1", 0, ""}, {"+1", 0, "+"}} },
		"prefixes[0]: strip":      func(t *Trunk) { t.Prefixes = []Prefix{{"+1", 16, ""}} },
		"prefixes[0]: add":        func(t *Trunk) { t.Prefixes = []Prefix{{"+1", 0, "0;x"}} },
		"codecs":                  func(t *Trunk) { t.Codecs = []string{"G729"} },
		"limits.concurrent":       func(t *Trunk) { t.Limits.Concurrent = -1 },
		"limits.calls_per_minute": func(t *Trunk) { t.Limits.CallsPerMinute = 1 << 40 },
		"weight":                  func(t *Trunk) { t.Weight = -1 },
	} {
		wrong := trunk("a", change)
		if err := wrong.Check(); err == nil || !strings.HasPrefix(err.Error(), want) || fault.ReasonOf(err) != "INVALID_ARGUMENT" {
			t.Errorf("%s: %v", want, err)
		}
	}
}
