package way

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"

	"parley/internal/call"
	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/flow"
	"parley/internal/store"
	"parley/internal/wire"
)

// Router finds where calls go. Its methods may be called from any goroutine.
type Router struct {
	store     store.Store
	anonymous bool
	seen      Seen
	guesses   guesses
}

// Seen returns a conference as it was committed last, when that is known without the store.
type Seen func(id conference.ID) (conference.Conference, bool)

// New makes a Router. anonymous: calls without authentication enter any conference by its id or alias, not just by a direct hash.
func New(s store.Store, anonymous bool, seen Seen) *Router {
	return &Router{store: s, anonymous: anonymous, seen: seen}
}

// Call is what a Router has to know of one that comes in.
type Call struct {
	Target     string // user part of the request URI, unescaped
	CustomerID string // of the authenticated extension or trunk, "" for anonymous
	Extension  string // the authenticated extension, "" for none
	Peer       netip.AddrPort
}

// Place is where a call goes: one of the three is set.
type Place struct {
	CustomerID string // whose it is
	Conference *conference.Conference
	Flow       *flow.Flow
	Dial       *call.Address // somebody to be called
}

// Find finds where the call goes: into a conference that is progressing, through a flow, or on to somebody. Numbers and addresses outside are dialled
// for authenticated extensions only: a trunk or a stranger gets nobody's call paid. Who may not learn anything gets the same answer
// for every target: AUTHENTICATION_REQUIRED, or CONFERENCE_NOT_FOUND.
func (x *Router) Find(ctx context.Context, in Call) (Place, error) {
	hash, direct := directHash(in.Target)
	if !direct && in.CustomerID == "" && !x.anonymous {
		return Place{}, fault.New(fault.Unauthenticated, "AUTHENTICATION_REQUIRED", "calls to this address need the credentials of an extension")
	}
	if c, ok := x.live(in.Target); ok && (in.CustomerID == "" || in.CustomerID == c.CustomerID) {
		c, err := entered(c)
		return Place{CustomerID: c.CustomerID, Conference: &c}, err
	}
	var record store.Record
	var err error
	if direct {
		record, err = x.resolveDirect(ctx, hash, in.Peer)
	} else {
		record, err = x.resolve(ctx, in.Target)
	}
	switch {
	case err != nil && fault.KindOf(err) != fault.NotFound:
		return Place{}, fmt.Errorf("route a call: %w", err)
	case !direct && in.Extension != "" && (err != nil || record.CustomerID != in.CustomerID):
		if to, ok := dialled(in.Target); ok {
			return Place{CustomerID: in.CustomerID, Dial: &to}, nil
		}
		return Place{}, notFound()
	case err != nil && !direct && in.CustomerID == "" && x.callable(ctx, in.Target):
		return Place{}, fault.New(fault.Unauthenticated, "AUTHENTICATION_REQUIRED", "only an extension with its credentials can call this address")
	case err != nil || !direct && in.CustomerID != "" && in.CustomerID != record.CustomerID:
		return Place{}, notFound()
	}
	return read(record)
}

// callable reports whether an extension could call the target.
func (x *Router) callable(ctx context.Context, target string) bool {
	to, ok := dialled(target)
	if !ok || to.Type != "extension" {
		return ok
	}
	_, err := x.store.Resolve(ctx, "extension", to.Target)
	return err == nil
}

// read finds out where a record leads to.
func read(record store.Record) (p Place, err error) {
	p.CustomerID = record.CustomerID
	switch record.Kind {
	case store.Flow:
		p.Flow = new(flow.Flow)
		err = json.Unmarshal(record.Doc, p.Flow)
	case store.Extension:
		p.Dial = &call.Address{Type: "extension", Target: record.ID}
	case store.Agent:
		p.Dial = &call.Address{Type: "agent", Target: record.ID}
	default:
		var c conference.Conference
		c, err = progressing(record)
		p.Conference = &c
	}
	if _, refused := fault.Of(err); err != nil && !refused {
		err = fmt.Errorf("read %s %s: %w", record.Kind, record.ID, err)
	}
	return p, err
}

// dialled is whom a phone of ours calls by the user part of an address: extension:<name>, agent:<id>, tel:<number>, sip:<address>, a number that
// begins with +, or else the name of an extension.
func dialled(target string) (call.Address, bool) {
	if kind, rest, found := strings.Cut(target, ":"); found {
		switch kind = strings.ToLower(kind); kind {
		case "extension", "agent", "tel":
			return call.Address{Type: kind, Target: rest}, rest != ""
		case "sip", "sips":
			return call.Address{Type: "sip", Target: target}, rest != ""
		}
		return call.Address{}, false
	}
	if strings.HasPrefix(target, "+") {
		return call.Address{Type: "tel", Target: target}, true
	}
	return call.Address{Type: "extension", Target: target}, target != ""
}

// progressing reads a conference that can be entered.
func progressing(record store.Record) (c conference.Conference, err error) {
	if err := json.Unmarshal(record.Doc, &c); err != nil {
		return c, fmt.Errorf("read conference %s: %w", record.ID, err)
	}
	return entered(c)
}

// entered refuses a conference that cannot be.
func entered(c conference.Conference) (conference.Conference, error) {
	if c.Status != conference.Progressing {
		return c, fault.New(fault.Conflict, "CONFERENCE_NOT_PROGRESSING", "the conference is %s; only a progressing one can be entered", c.Status)
	}
	return c, nil
}

// Conference reads a conference of the customer that can be entered.
func (x *Router) Conference(ctx context.Context, id conference.ID, customer string) (c conference.Conference, err error) {
	if c, ok := x.seen(id); ok && c.CustomerID == customer {
		return entered(c)
	}
	record, err := x.store.Get(ctx, store.Conference, string(id))
	if err != nil || record.CustomerID != customer {
		if err == nil || fault.KindOf(err) == fault.NotFound {
			return c, notFound()
		}
		return c, fmt.Errorf("read conference %s: %w", id, err)
	}
	return progressing(record)
}

func notFound() error {
	return fault.New(fault.NotFound, "CONFERENCE_NOT_FOUND", "no conference has this address")
}

// directHash returns the hash of direct.<12 hex digits>.
func directHash(target string) (hash string, ok bool) {
	const prefix = "direct."
	if len(target) < len(prefix) || !strings.EqualFold(target[:len(prefix)], prefix) {
		return "", false
	}
	return strings.ToLower(target[len(prefix):]), true
}

// conferenceID returns the id of <uuid> and conference:<uuid>.
func conferenceID(target string) (id string, ok bool) {
	const prefix = "conference:"
	if len(target) > len(prefix) && strings.EqualFold(target[:len(prefix)], prefix) {
		target = target[len(prefix):]
	}
	return wire.ParseUUID(target)
}

// live returns the conference of such an address when it is live here.
func (x *Router) live(target string) (c conference.Conference, ok bool) {
	id, ok := conferenceID(target)
	if !ok {
		return c, false
	}
	return x.seen(conference.ID(id))
}

// resolve finds a conference by <uuid>, conference:<uuid>, or its dial-in alias or number.
func (x *Router) resolve(ctx context.Context, target string) (store.Record, error) {
	if id, ok := conferenceID(target); ok {
		return x.store.Get(ctx, store.Conference, id)
	}
	if target == "" || len(target) > 255 {
		return store.Record{}, notFound()
	}
	return x.store.Resolve(ctx, "dial_in", target)
}

// resolveDirect finds a conference by its hash. Whoever guesses hashes runs out of tries, and cannot tell then whether one was right.
func (x *Router) resolveDirect(ctx context.Context, hash string, peer netip.AddrPort) (store.Record, error) {
	if !x.guesses.allowed(peer) {
		return store.Record{}, fault.New(fault.Exhausted, "RATE_LIMIT_EXCEEDED",
			"too many unknown direct addresses were called from your network; try again in a minute")
	}
	record, err := x.store.Resolve(ctx, "direct", hash)
	if err != nil && fault.KindOf(err) == fault.NotFound {
		x.guesses.missed(peer)
	}
	return record, err
}
