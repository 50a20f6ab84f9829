package trunk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"parley/internal/call"
	"parley/internal/fault"
	"parley/internal/store"
	"parley/internal/trunk/book"
	"parley/internal/trunk/guard"
	"parley/internal/trunk/route"
	"parley/internal/wall"
	"parley/internal/wire"
)

// Options of Trunks. Store is needed.
type Options struct {
	Store       store.Store
	Log         *slog.Logger  // nil: the default one
	Policy      *route.Policy // nil: nothing outside this server may be called
	PerCustomer route.Limits
	Down        func(trunkID string) bool // the trunk is known not to answer: it is tried last; nil: none is
}

// Trunks is the way out. Its methods may be called from any goroutine.
type Trunks struct {
	o     Options
	book  *book.Book
	guard *guard.Guard

	mu       sync.Mutex           // guards what follows
	refusals map[refused]*refusal // not told yet
	refusing chan struct{}        // capacity one: there is something to tell
	counts   map[string]int64     // refusals so far, by rule
}

// Open reads the trunks and what was talked today.
func Open(ctx context.Context, o Options) (*Trunks, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Policy == nil {
		o.Policy = &route.Policy{}
	}
	t := &Trunks{
		o: o, guard: guard.New(o.PerCustomer), refusals: map[refused]*refusal{}, refusing: make(chan struct{}, 1), counts: map[string]int64{},
	}
	var err error
	if t.book, err = book.Open(ctx, o.Store, o.Policy.CheckTrunk); err != nil {
		return nil, err
	}
	return t, t.restore(ctx)
}

// Book returns the records.
func (t *Trunks) Book() *book.Book { return t.book }

// Failover tells whether a call that ended unanswered with this SIP status goes on to the next way; rang: a phone has rung.
func Failover(status int, rang bool) bool { return route.Failover(status, rang) }

// Refusal is a call out that a rule of the guard refuses.
type Refusal struct {
	Rule    string // allow_numbers, allow_sip, or customer_ or trunk_ and the name of the limit
	Limit   int    // of the rule, 0 for none
	TrunkID string // "" when it is not about a trunk
	err     error
}

// Error says it to people.
func (r *Refusal) Error() string { return r.err.Error() }

// Unwrap returns the fault.
func (r *Refusal) Unwrap() error { return r.err }

// NextHop tells whether a refusal of Admit is about the trunk alone, so that the next way may be open.
func NextHop(err error) bool {
	var r *Refusal
	return errors.As(err, &r) && strings.HasPrefix(r.Rule, "trunk_")
}

// Plan returns the ways to a destination, the best first, never none without an error. Errors are INVALID_DESTINATION, DESTINATION_UNSUPPORTED,
// DESTINATION_NOT_ALLOWED and CALLS_OUT_LIMIT_REACHED (a *Refusal), EXTENSION_NOT_FOUND, CONFERENCE_NOT_FOUND and NO_TRUNK_FOR_DESTINATION.
func (t *Trunks) Plan(ctx context.Context, customerID string, to, from call.Address) ([]route.Hop, error) {
	target, err := route.Parse(to)
	if err != nil {
		return nil, err
	}
	if rule, err := t.o.Policy.Check(customerID, target); err != nil {
		return nil, t.refuse(customerID, to, from, &Refusal{Rule: rule, err: err})
	}
	switch target.Kind {
	case route.SIP, route.Tel: // whoever asks hears it now, not when the call has been made
		if err := t.told(t.guard.Open(guard.Claim{CustomerID: customerID}), customerID, to, from); err != nil {
			return nil, err
		}
	case route.Extension:
		if target.Name, err = t.extension(ctx, customerID, target.Name); err != nil {
			return nil, err
		}
	case route.Conference, route.Agent:
		kind := store.Kind(target.Kind)
		rec, err := t.o.Store.Get(ctx, kind, target.Name)
		if err := owned(rec, err, customerID, kind); err != nil {
			return nil, err
		}
	}
	hops, err := route.Plan(t.book.Of(customerID), target, from, rand.IntN)
	if err != nil {
		return nil, err
	}
	if t.o.Down != nil {
		slices.SortStableFunc(hops, func(a, b route.Hop) int { return cmp.Compare(t.down(a), t.down(b)) })
	}
	return hops, t.open(hops, customerID, to, from)
}

// down is 1 for a way over a trunk that does not answer.
func (t *Trunks) down(h route.Hop) int {
	if h.TrunkID != "" && t.o.Down(h.TrunkID) {
		return 1
	}
	return 0
}

// extension returns the name of an extension of the customer's, by name or id.
func (t *Trunks) extension(ctx context.Context, customerID, name string) (string, error) {
	id, isID := wire.ParseUUID(name)
	if !isID {
		rec, err := t.o.Store.Resolve(ctx, "extension", name)
		return name, owned(rec, err, customerID, store.Extension)
	}
	rec, err := t.o.Store.Get(ctx, store.Extension, id)
	if err := owned(rec, err, customerID, store.Extension); err != nil {
		return "", err
	}
	return nameOf(rec)
}

// owned refuses a record that is somebody else's like one that does not exist.
func owned(rec store.Record, err error, customerID string, kind store.Kind) error {
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return fmt.Errorf("read %s: %w", kind, err)
	}
	if err != nil || rec.CustomerID != customerID || rec.Deleted {
		return fault.New(fault.NotFound, strings.ToUpper(string(kind))+"_NOT_FOUND", "there is no such %s; check the destination", kind)
	}
	return nil
}

// Request asks for one attempt at a call.
type Request struct {
	CustomerID  string
	Source      call.Address
	Destination call.Address
	Hop         route.Hop
}

// Admit counts one attempt, or refuses it with a *Refusal (CALLS_OUT_LIMIT_REACHED). Ways that stay on this server are free.
func (t *Trunks) Admit(r Request) (*guard.Pass, error) {
	if r.Hop.Kind != route.SIP && r.Hop.Kind != route.Tel {
		return t.guard.Free(), nil
	}
	p, err := t.guard.Admit(guard.Claim{CustomerID: r.CustomerID, TrunkID: r.Hop.TrunkID, Trunk: r.Hop.Limits})
	return p, t.told(err, r.CustomerID, r.Destination, r.Source)
}

// open refuses a call for which no way has room just now, as the best way does. One that has none now may have some when its turn comes.
func (t *Trunks) open(hops []route.Hop, customerID string, to, from call.Address) error {
	var refusal error
	for _, h := range hops {
		if h.TrunkID == "" {
			return nil // its customer's limits have been asked
		}
		err := t.guard.Open(guard.Claim{CustomerID: customerID, TrunkID: h.TrunkID, Trunk: h.Limits})
		if err == nil {
			return nil
		}
		refusal = cmp.Or(refusal, err)
	}
	return t.told(refusal, customerID, to, from)
}

// told returns the guard's refusal as one of ours, which the log hears of.
func (t *Trunks) told(err error, customerID string, to, from call.Address) error {
	var no *guard.Refusal
	if errors.As(err, &no) {
		return t.refuse(customerID, to, from, &Refusal{no.Rule, no.Limit, no.TrunkID, no})
	}
	return err
}

// From returns whose trunk an address belongs to.
func (t *Trunks) From(addr netip.Addr) (route.Origin, bool) { return route.From(t.book.All(), addr) }

// refuse remembers a refusal for the log and returns it.
func (t *Trunks) refuse(customerID string, to, from call.Address, r *Refusal) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[r.Rule]++
	key := refused{customerID, r.Rule, r.TrunkID}
	if known := t.refusals[key]; known != nil {
		known.Count++
		return r
	}
	t.refusals[key] = &refusal{
		ID: uuid.NewString(), CustomerID: customerID, Rule: r.Rule, Limit: r.Limit, Reason: fault.ReasonOf(r), Message: r.Error(), TrunkID: wire.UUID(r.TrunkID),
		Source: from, Destination: to, Count: 1, At: wire.Time(wall.Now().UTC().Truncate(time.Microsecond)),
	}
	select {
	case t.refusing <- struct{}{}:
	default:
	}
	return r
}

// Refused returns the refusals so far by rule.
func (t *Trunks) Refused() map[string]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make(map[string]int64, len(t.counts))
	for rule, n := range t.counts {
		out[rule] = n
	}
	return out
}
