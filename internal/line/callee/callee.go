// Package callee finds the phones that an address stands for, and the ways to each: through trunks, or to where an extension is registered. It dials none and
// starts no goroutine.
package callee

import (
	"cmp"
	"context"
	"strings"
	"time"

	"parley/internal/agent"
	"parley/internal/call"
	"parley/internal/fault"
	"parley/internal/trunk"
	"parley/internal/trunk/guard"
	"parley/internal/trunk/route"
)

// Outgoing says whom to call, and how.
type Outgoing struct {
	To             string // SIP or SIPS URI of the callee
	Via            string // URI of where the INVITE goes if not to To: a trunk's host, with ;transport=udp, tcp or tls
	From           string // SIP URI of the caller; "": of this server
	FromUser       string // user part of the caller's address, when From is ""; "": parley
	FromName       string // display name
	Anonymous      bool   // RFC 3323: hide From, and say so with Privacy
	Identity       string // P-Asserted-Identity (RFC 3325) for a trusted trunk, "" for none
	User, Password string // digest credentials for 401 and 407, "" for none
	Offer          []byte
	SIPCallID      string
	Conference     string        // id of a conference of this server to be called instead of To, "" for none
	Secure         bool          // offer SRTP (a=crypto) and nothing else
	Plain          bool          // when that is refused, offer plain RTP
	Codecs         []string      // names of those to be offered, in that order; empty: all
	Timeout        time.Duration // until somebody answers; CANCEL is sent then
}

// Trunks finds ways to callees, and guards them; *trunk.Trunks is one.
type Trunks interface {
	Plan(ctx context.Context, customerID string, to, from call.Address) ([]route.Hop, error)
	Admit(r trunk.Request) (*guard.Pass, error)
}

// Callee is one phone to be called, with the ways to it, the best one first.
type Callee struct {
	To    call.Address
	Hops  []Hop
	Agent string // whose phone it is, "" for nobody's
}

// Caller is who calls.
type Caller struct {
	CustomerID string
	Source     call.Address
	Anonymous  string        // "", "auto": as the source says; yes, no
	Timeout    time.Duration // until somebody answers; 0: 60 s, or as the way says
}

// dialTimeout is how long a callee may take to answer, unless the caller says something else.
const dialTimeout = 60 * time.Second

// Finder finds callees.
type Finder struct {
	Trunks   Trunks // nil: there are extensions only
	Contacts func(ctx context.Context, customerID, extension string) ([]Outgoing, error)
	Agents   func(ctx context.Context, customerID, id string) (agent.Agent, error) // one that has addresses; nil: there are none
}

// Find finds the phones of a destination, at least one. Refusals are those of the trunks and the agents, and EXTENSION_NOT_REGISTERED.
func (f Finder) Find(ctx context.Context, from Caller, to call.Address) (out []Callee, err error) {
	ways, err := f.ways(ctx, from, to)
	if err != nil {
		return nil, err
	}
	switch first := ways[0]; first.Kind {
	case route.Agent:
		return f.phonesOf(ctx, from, first.Name)
	case route.Extension:
		if out, err = f.phones(ctx, from, to, first); err != nil {
			return nil, err
		}
	case route.Conference:
		out = []Callee{{To: to, Hops: []Hop{{Outgoing: Outgoing{Conference: first.Name}}}}}
	default:
		out = []Callee{outside(from, to, ways)}
	}
	for _, c := range out {
		for i := range c.Hops {
			from.present(&c.Hops[i].Outgoing)
		}
	}
	return out, nil
}

func (f Finder) ways(ctx context.Context, from Caller, to call.Address) ([]route.Hop, error) {
	if f.Trunks != nil {
		return f.Trunks.Plan(ctx, from.CustomerID, to, from.Source)
	}
	if target, err := route.Parse(to); err == nil && (target.Kind == route.Agent || target.Kind == route.Conference) {
		return []route.Hop{{Kind: target.Kind, Name: target.Name}}, nil
	}
	if to.Type != route.Extension {
		return nil, fault.New(fault.Denied, "DESTINATION_NOT_ALLOWED", "this server calls extensions only")
	}
	return []route.Hop{{Kind: route.Extension, Name: extensionOf(to.Target)}}, nil
}

// outside is a phone that is reached by trunks.
func outside(from Caller, to call.Address, ways []route.Hop) Callee {
	out := Callee{To: to}
	for _, w := range ways {
		out.Hops = append(out.Hops, Hop{
			Outgoing: Outgoing{To: w.To, Via: w.Via, From: w.From, Identity: w.Identity, User: w.User, Password: w.Password, Codecs: w.Codecs, Secure: w.SRTP},
			guarded:  &trunk.Request{CustomerID: from.CustomerID, Source: from.Source, Destination: to, Hop: w},
		})
	}
	return out
}

// phones finds where an extension is registered.
func (f Finder) phones(ctx context.Context, from Caller, to call.Address, w route.Hop) (out []Callee, err error) {
	contacts, err := f.Contacts(ctx, from.CustomerID, w.Name)
	if err != nil {
		return nil, err
	}
	if len(contacts) == 0 {
		return nil, fault.New(fault.Conflict, "EXTENSION_NOT_REGISTERED", "extension %s has no phone registered; register one first", w.Name)
	}
	for _, c := range contacts {
		hops := []Hop{{Outgoing: c}}
		if c.Secure && c.Plain {
			c.Secure = false
			hops = append(hops, Hop{Outgoing: c})
		}
		out = append(out, Callee{To: to, Hops: hops})
	}
	return out, nil
}

func extensionOf(target string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(target, "sip:"), "@")
	return name
}

// userOf is what a callee may call back to, or at least recognise: a number or the name of a user or extension. What cannot stand in a URI as it is is left out.
func userOf(a call.Address) string {
	user, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(a.Target, "sips:"), "sip:"), "@")
	if strings.Trim(user, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-_.") != "" || len(user) > 64 {
		return ""
	}
	return user
}

// present says who is calling, and for how long.
func (from Caller) present(o *Outgoing) {
	o.FromUser, o.FromName = userOf(from.Source), from.Source.TargetName
	o.Anonymous = from.Anonymous == "yes" || from.Anonymous != "no" && strings.EqualFold(from.Source.Target, "anonymous")
	o.Timeout = cmp.Or(max(from.Timeout, 0), o.Timeout, dialTimeout)
}
