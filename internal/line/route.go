package line

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/flow"
	"parley/internal/store"
	"parley/internal/wire"
)

// way is where a call goes.
type way struct {
	plan
	customer string // whose that is
}

// route finds what the invite may enter: a conference, or a flow. Who may not learn anything gets the same answer for every target.
func (x *Exchange) route(ctx context.Context, in Invite) (w way, err error) {
	hash, direct := directHash(in.Target)
	if !direct && in.CustomerID == "" && !x.o.AllowAnonymous {
		return w, fault.New(fault.Unauthenticated, "AUTHENTICATION_REQUIRED", "calls to this address need the credentials of an extension")
	}
	var record store.Record
	if direct {
		record, err = x.resolveDirect(ctx, hash, in.Peer)
	} else {
		record, err = x.resolve(ctx, in.Target)
	}
	if err != nil {
		if fault.KindOf(err) == fault.NotFound {
			return w, notFound()
		}
		return w, fmt.Errorf("route a call: %w", err)
	}
	if !direct && in.CustomerID != "" && in.CustomerID != record.CustomerID {
		return w, notFound()
	}
	if record.Kind == store.Flow {
		return x.toFlow(record)
	}
	c, err := progressing(record)
	if err != nil {
		return w, err
	}
	return way{plan{conference: c.ID, show: x.showFor(c.ID, c.CustomerID, c.PreFlowID, c.PostFlowID)}, c.CustomerID}, nil
}

// toFlow is the way of a call that dials a flow.
func (x *Exchange) toFlow(record store.Record) (w way, err error) {
	var f flow.Flow
	if err := json.Unmarshal(record.Doc, &f); err != nil {
		return w, fmt.Errorf("read flow %s: %w", record.ID, err)
	}
	s := showOf(f.CustomerID, f.ID, f.Actions)
	s.plan.Env.OnCompleteFlowID = f.OnCompleteFlowID
	return way{plan{show: s}, f.CustomerID}, nil
}

// progressing reads a conference that can be entered.
func progressing(record store.Record) (c conference.Conference, err error) {
	if err := json.Unmarshal(record.Doc, &c); err != nil {
		return c, fmt.Errorf("read conference %s: %w", record.ID, err)
	}
	if c.Status != conference.Progressing {
		return c, fault.New(fault.Conflict, "CONFERENCE_NOT_PROGRESSING", "the conference is %s; only a progressing one can be entered", c.Status)
	}
	return c, nil
}

// conference reads a conference of the customer that can be entered.
func (x *Exchange) conference(ctx context.Context, id conference.ID, customer string) (c conference.Conference, err error) {
	record, err := x.o.Store.Get(ctx, store.Conference, string(id))
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

// resolve finds a conference by <uuid>, conference:<uuid>, or its dial-in alias or number.
func (x *Exchange) resolve(ctx context.Context, target string) (store.Record, error) {
	const prefix = "conference:"
	text := target
	if len(target) > len(prefix) && strings.EqualFold(target[:len(prefix)], prefix) {
		text = target[len(prefix):]
	}
	if id, ok := wire.ParseUUID(text); ok {
		return x.o.Store.Get(ctx, store.Conference, id)
	}
	if target == "" || len(target) > 255 {
		return store.Record{}, notFound()
	}
	return x.o.Store.Resolve(ctx, "dial_in", target)
}

// resolveDirect finds a conference by its hash. Whoever guesses hashes runs out of tries, and cannot tell then whether one was right.
func (x *Exchange) resolveDirect(ctx context.Context, hash string, peer netip.AddrPort) (store.Record, error) {
	if !x.guesses.allowed(peer) {
		return store.Record{}, fault.New(fault.Exhausted, "RATE_LIMIT_EXCEEDED",
			"too many unknown direct addresses were called from your network; try again in a minute")
	}
	record, err := x.o.Store.Resolve(ctx, "direct", hash)
	if err != nil && fault.KindOf(err) == fault.NotFound {
		x.guesses.missed(peer)
	}
	return record, err
}

const (
	guessBurst  = 10              // unknown hashes that one network may call at once
	guessEvery  = 6 * time.Second // after that, one more each
	guessersMax = 4096            // networks that are remembered
)

// guesses counts calls to unknown direct hashes by the network they come from.
type guesses struct {
	mu      sync.Mutex // guards buckets
	buckets map[netip.Prefix]*rate.Limiter
}

func (g *guesses) allowed(peer netip.AddrPort) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := g.buckets[network(peer)]
	return b == nil || b.Tokens() >= 1
}

func (g *guesses) missed(peer netip.AddrPort) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.buckets == nil {
		g.buckets = map[netip.Prefix]*rate.Limiter{}
	}
	who := network(peer)
	if g.buckets[who] == nil {
		g.forget()
		g.buckets[who] = rate.NewLimiter(rate.Every(guessEvery), guessBurst)
	}
	g.buckets[who].Allow()
}

// forget makes room for one more network: those that have been quiet for long go first.
func (g *guesses) forget() {
	if len(g.buckets) < guessersMax {
		return
	}
	for who, b := range g.buckets {
		if b.Tokens() >= guessBurst {
			delete(g.buckets, who)
		}
	}
	for who := range g.buckets {
		if len(g.buckets) < guessersMax {
			return
		}
		delete(g.buckets, who)
	}
}

// network is what one guesser can be expected to have: an IPv4 address, or an IPv6 /64.
func network(peer netip.AddrPort) netip.Prefix {
	ip := peer.Addr().Unmap().WithZone("")
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	p, _ := ip.Prefix(bits)
	return p
}
