package book

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"parley/internal/fault"
	"parley/internal/store"
	"parley/internal/trunk/route"
	"parley/internal/wall"
	"parley/internal/wire"
)

// triesMax bounds how often a change is decided anew because somebody else was faster; trunksMax how many trunks a customer has.
const (
	triesMax  = 16
	trunksMax = 100
)

// Book keeps trunks. Its methods may be called from any goroutine.
type Book struct {
	store   store.Store
	allowed func(customer string, t *route.Trunk) error
	loading sync.Mutex
	follow  func(all []route.Trunk)                  // guarded by loading
	all     atomic.Pointer[map[string][]route.Trunk] // by customer; not deleted ones
}

// Open reads the trunks in st. allowed refuses those that may not be made.
func Open(ctx context.Context, st store.Store, allowed func(customer string, t *route.Trunk) error) (*Book, error) {
	b := &Book{store: st, allowed: allowed}
	return b, b.Load(ctx)
}

// Load reads all trunks anew.
func (b *Book) Load(ctx context.Context) error {
	b.loading.Lock() // so that an older reading never replaces a newer one
	defer b.loading.Unlock()
	all := map[string][]route.Trunk{}
	q := store.Query{Kind: store.Trunk, Limit: 1000}
	for {
		page, err := b.store.List(ctx, q)
		if err != nil {
			return fmt.Errorf("read trunks: %w", err)
		}
		for _, rec := range page {
			t, err := Read(rec)
			if err != nil {
				return err
			}
			all[t.CustomerID] = append(all[t.CustomerID], t)
			q.Before = store.Cursor{Created: rec.Created, ID: rec.ID}
		}
		if len(page) < q.Limit {
			b.all.Store(&all)
			if b.follow != nil {
				b.follow(b.All())
			}
			return nil
		}
	}
}

// Follow has f called with every trunk, now and after each change. f must not change trunks.
func (b *Book) Follow(f func(all []route.Trunk)) {
	b.loading.Lock()
	defer b.loading.Unlock()
	b.follow = f
	f(b.All())
}

// Of returns a customer's trunks, with passwords. The slice is not to be changed.
func (b *Book) Of(customer string) []route.Trunk { return (*b.all.Load())[customer] }

// All returns every trunk, with passwords.
func (b *Book) All() (list []route.Trunk) {
	for _, some := range *b.all.Load() {
		list = append(list, some...)
	}
	return list
}

// Patch changes what is not nil. A password that is route.Mask stays what it is.
type Patch struct {
	Name           *string         `json:"name"`
	Detail         *string         `json:"detail"`
	Enabled        *bool           `json:"enabled"`
	Host           *string         `json:"host"`
	Port           *int            `json:"port"`
	Transport      *string         `json:"transport"`
	SRTP           *bool           `json:"srtp"`
	Auth           *string         `json:"auth"`
	Username       *string         `json:"username"`
	Password       *string         `json:"password"`
	Sources        *[]string       `json:"sources"`
	CallerID       *string         `json:"caller_id"`
	AssertIdentity *bool           `json:"assert_identity"`
	TrustIdentity  *bool           `json:"trust_identity"`
	Prefixes       *[]Prefix       `json:"prefixes"`
	Priority       *int            `json:"priority"`
	Weight         *int            `json:"weight"`
	Codecs         *[]string       `json:"codecs"`
	Limits         json.RawMessage `json:"limits"` // an object; what is absent in it keeps its value
}

// Prefix is a rule as it is written: without add, numbers keep their +.
type Prefix struct {
	Prefix string  `json:"prefix"`
	Strip  int     `json:"strip"`
	Add    *string `json:"add"`
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// apply returns the trunk with the changes, or why not.
func (p *Patch) apply(t route.Trunk) (route.Trunk, error) {
	set(&t.Name, p.Name)
	set(&t.Detail, p.Detail)
	set(&t.Enabled, p.Enabled)
	set(&t.Host, p.Host)
	set(&t.Port, p.Port)
	set(&t.Transport, p.Transport)
	set(&t.SRTP, p.SRTP)
	set(&t.Auth, p.Auth)
	set(&t.Username, p.Username)
	if p.Password != nil && *p.Password != route.Mask {
		t.Password = *p.Password
	}
	set(&t.Sources, p.Sources)
	set(&t.CallerID, p.CallerID)
	set(&t.AssertIdentity, p.AssertIdentity)
	set(&t.TrustIdentity, p.TrustIdentity)
	set(&t.Priority, p.Priority)
	set(&t.Weight, p.Weight)
	set(&t.Codecs, p.Codecs)
	if p.Prefixes != nil {
		t.Prefixes = []route.Prefix{}
		for _, x := range *p.Prefixes {
			add := "+"
			set(&add, x.Add)
			t.Prefixes = append(t.Prefixes, route.Prefix{Prefix: x.Prefix, Strip: x.Strip, Add: add})
		}
	}
	if len(p.Limits) > 0 && string(p.Limits) != "null" {
		if err := json.Unmarshal(p.Limits, &t.Limits); err != nil {
			return t, fault.New(fault.Invalid, "INVALID_ARGUMENT", "limits: want an object with whole numbers: calls_per_second, calls_per_minute, concurrent, minutes_per_day")
		}
	}
	return t, t.Check()
}

func now() time.Time { return wall.Now().UTC().Truncate(time.Microsecond) }

// Add makes a trunk with the id. keep may make an answer to be kept with it.
func (b *Book) Add(ctx context.Context, customer, id string, p Patch, keep func(route.Trunk) (*store.Answer, error)) (route.Trunk, error) {
	t := route.Trunk{ID: id, CustomerID: customer, Enabled: true, Times: route.Times{Created: wire.Time(now())}}
	t.Sources, t.Prefixes = []string{}, []route.Prefix{{Prefix: "+", Add: "+"}}
	t, err := p.apply(t)
	if err != nil {
		return t, err
	}
	if err := b.allowed(customer, &t); err != nil {
		return t, err
	}
	known, err := b.store.List(ctx, store.Query{Kind: store.Trunk, CustomerID: customer, Limit: trunksMax})
	if err != nil {
		return t, fmt.Errorf("count trunks: %w", err)
	}
	if len(known) >= trunksMax {
		return t, fault.New(fault.Exhausted, "RESOURCE_LIMIT_EXCEEDED", "there are %d trunks; delete one first", trunksMax)
	}
	c, err := change(t, "trunk_created", now())
	if err != nil {
		return t, err
	}
	if c.Answer, err = keep(t); err != nil {
		return t, err
	}
	if err := b.store.Append(ctx, c); err != nil {
		if errors.Is(err, store.ErrFenced) { // the id is a repetition's
			err = fault.New(fault.Conflict, "ALREADY_EXISTS", "this trunk has been made already")
		}
		return t, err
	}
	return t, b.Load(ctx)
}

// Update changes a trunk if it still is as expect says; expect may be nil.
func (b *Book) Update(ctx context.Context, customer, id string, p Patch, expect func(route.Trunk) error) (route.Trunk, error) {
	return b.edit(ctx, customer, id, "trunk_updated", func(t route.Trunk) (route.Trunk, error) {
		if !time.Time(t.Deleted).IsZero() {
			return t, fault.New(fault.Conflict, "STATE_INVALID", "this trunk has been deleted and cannot be changed any more")
		}
		if expect != nil {
			if err := expect(t); err != nil {
				return t, err
			}
		}
		t, err := p.apply(t)
		if err != nil {
			return t, err
		}
		return t, b.allowed(customer, &t)
	})
}

// Delete ends a trunk: nothing goes over it any more, and its password is forgotten. Repeated, it changes nothing.
func (b *Book) Delete(ctx context.Context, customer, id string) (route.Trunk, error) {
	return b.edit(ctx, customer, id, "trunk_deleted", func(t route.Trunk) (route.Trunk, error) {
		if time.Time(t.Deleted).IsZero() {
			t.Deleted, t.Enabled, t.Password = wire.Time(now()), false, ""
		}
		return t, nil
	})
}

// edit reads a trunk, lets decide change it, and writes it with one event; all again when it has changed meanwhile. What decide leaves as it was
// is not written.
func (b *Book) edit(ctx context.Context, customer, id, event string, decide func(route.Trunk) (route.Trunk, error)) (route.Trunk, error) {
	for range triesMax {
		_, version, err := b.store.Last(ctx, keyOf(id))
		if err != nil {
			return route.Trunk{}, fmt.Errorf("read version of trunk: %w", err)
		}
		old, err := b.own(ctx, customer, id)
		if err != nil {
			return old, err
		}
		t, err := decide(old)
		if err != nil || reflect.DeepEqual(t, old) {
			return t, err
		}
		at := now()
		t.Updated = wire.Time(at)
		c, err := change(t, event, at)
		if err != nil {
			return t, err
		}
		c.Version = version
		if err = b.store.Append(ctx, c); err == nil {
			return t, b.Load(ctx)
		}
		if !errors.Is(err, store.ErrFenced) {
			return t, err
		}
	}
	return route.Trunk{}, fault.New(fault.Unavailable, "STORE_BUSY", "this trunk is being changed by many at once; try again")
}

// own returns the customer's trunk; one of somebody else is as unknown as one that does not exist.
func (b *Book) own(ctx context.Context, customer, id string) (route.Trunk, error) {
	rec, err := b.store.Get(ctx, store.Trunk, id)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return route.Trunk{}, fmt.Errorf("read trunk: %w", err)
	}
	if err != nil || rec.CustomerID != customer {
		return route.Trunk{}, fault.New(fault.NotFound, "TRUNK_NOT_FOUND", "there is no such trunk; check the id")
	}
	return Read(rec)
}

// Read returns the trunk of a record, with its password.
func Read(rec store.Record) (t route.Trunk, err error) {
	if err := json.Unmarshal(rec.Doc, &t); err != nil {
		return t, fmt.Errorf("read trunk %s: %w", rec.ID, err)
	}
	return t, nil
}

func keyOf(id string) string { return "trunk/" + id }

// change writes the trunk with one event, which shows no password.
func change(t route.Trunk, event string, at time.Time) (*store.Change, error) {
	doc, err := json.Marshal(t)
	if err != nil {
		return nil, fmt.Errorf("write trunk: %w", err)
	}
	data, err := json.Marshal(t.Masked())
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", event, err)
	}
	status := map[bool]string{true: "enabled", false: "disabled"}[t.Enabled]
	return &store.Change{
		Key: keyOf(t.ID),
		Records: []store.Record{{
			Kind: store.Trunk, ID: t.ID, CustomerID: t.CustomerID, Status: status, Created: time.Time(t.Created),
			Deleted: !time.Time(t.Deleted).IsZero(), Doc: doc,
		}},
		Events: []store.Event{{ID: uuid.NewString(), Type: event, At: at, CustomerID: t.CustomerID, Resource: t.ID, Data: data}},
	}, nil
}
