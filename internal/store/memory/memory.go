// Package memory is a store that forgets: records, names and log in maps, for tests that run in virtual time, where a
// database cannot. It passes the suite of package storetest but for what survives a restart. It starts no goroutine.
package memory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"parley/internal/fault"
	"parley/internal/store"
)

// Store implements store.Store in memory.
type Store struct {
	mu       sync.Mutex // guards all fields
	records  map[recordKey]store.Record
	names    map[nameKey]store.Name
	versions map[string]int64
	events   []store.Event
	cursors  map[string]int64
	answers  map[answerKey]store.Answer
	hints    map[chan struct{}]struct{}
}

type (
	recordKey struct {
		kind store.Kind
		id   string
	}
	nameKey   struct{ space, value string }
	answerKey struct{ customer, key string }
)

var _ store.Store = (*Store)(nil)

// New makes an empty store.
func New() *Store {
	return &Store{
		records: map[recordKey]store.Record{}, names: map[nameKey]store.Name{}, versions: map[string]int64{},
		cursors: map[string]int64{}, answers: map[answerKey]store.Answer{}, hints: map[chan struct{}]struct{}{},
	}
}

// Append implements store.Store.
func (s *Store) Append(ctx context.Context, c *store.Change) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("append to %s: %w", c.Key, err)
	}
	if err := c.Check(); err != nil {
		return err
	}
	c.Attribute(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.versions[c.Key]; now != c.Version {
		return fmt.Errorf("append to %s at version %d, it is at %d: %w", c.Key, c.Version, now, store.ErrFenced)
	}
	names, err := s.tryNames(c.Names)
	if err != nil {
		return err
	}
	if err := s.tryAnswer(c.Answer); err != nil {
		return err
	}
	s.commit(c, names)
	return nil
}

// tryNames returns what the names would be after the change, or why it cannot be.
func (s *Store) tryNames(names []store.Name) (map[nameKey]store.Name, error) {
	after := map[nameKey]store.Name{}
	for _, n := range names {
		key := nameKey{n.Space, n.Value}
		has, known := after[key]
		if !known {
			has = s.names[key]
		}
		if n.ID != "" && has.ID != "" && (has.ID != n.ID || has.Kind != n.Kind) {
			return nil, fault.New(fault.Conflict, "ALREADY_EXISTS", "%s %q is taken; choose another", n.Space, n.Value)
		}
		after[key] = n
	}
	return after, nil
}

func (s *Store) commit(c *store.Change, names map[nameKey]store.Name) {
	version := c.Version
	for i := range c.Events {
		version++
		e := &c.Events[i]
		e.Seq, e.Version, e.Key = int64(len(s.events)+1), version, c.Key
		kept := *e
		kept.At, kept.Data = micro(e.At), slices.Clone(e.Data)
		s.events = append(s.events, kept)
	}
	s.versions[c.Key] = version
	for i := range c.Records {
		r := &c.Records[i]
		r.Version = version
		kept := *r
		kept.Created, kept.Deadline, kept.Doc = micro(r.Created), micro(r.Deadline), slices.Clone(r.Doc)
		s.records[recordKey{r.Kind, r.ID}] = kept
	}
	for key, n := range names {
		if n.ID == "" {
			delete(s.names, key)
		} else {
			s.names[key] = n
		}
	}
	if c.Answer != nil {
		s.keepAnswer(*c.Answer)
	}
	for hint := range s.hints {
		select {
		case hint <- struct{}{}:
		default: // one is waiting already
		}
	}
}

// micro is the precision of a database.
func micro(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(time.Microsecond)
}

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, kind store.Kind, id string) (store.Record, error) {
	if err := ctx.Err(); err != nil {
		return store.Record{}, fmt.Errorf("get %s %s: %w", kind, id, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.get(kind, id)
}

func (s *Store) get(kind store.Kind, id string) (store.Record, error) {
	r, ok := s.records[recordKey{kind, id}]
	if !ok {
		return r, fault.New(fault.NotFound, "NOT_FOUND", "there is no %s %s", kind, id)
	}
	return r, nil
}

// Resolve implements store.Store.
func (s *Store) Resolve(ctx context.Context, space, value string) (store.Record, error) {
	if err := ctx.Err(); err != nil {
		return store.Record{}, fmt.Errorf("resolve in %s: %w", space, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n, ok := s.names[nameKey{space, value}]
	if !ok {
		return store.Record{}, fault.New(fault.NotFound, "NOT_FOUND", "nothing has that name in %s", space)
	}
	return s.get(n.Kind, n.ID)
}

// List implements store.Store.
func (s *Store) List(ctx context.Context, q store.Query) ([]store.Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("list %s: %w", q.Kind, err)
	}
	if err := q.Check(); err != nil {
		return nil, err
	}
	found := s.collect(func(r *store.Record) bool { return matches(r, &q) })
	slices.SortFunc(found, func(a, b store.Record) int { return newestFirst(a.Created, a.ID, b.Created, b.ID) })
	return found[:min(len(found), q.Limit)], nil
}

func matches(r *store.Record, q *store.Query) bool {
	return r.Kind == q.Kind && (q.CustomerID == "" || r.CustomerID == q.CustomerID) &&
		(q.Conference == "" || r.Conference == q.Conference) && (q.Reference == "" || r.Reference == q.Reference) &&
		(len(q.Status) == 0 || slices.Contains(q.Status, r.Status)) && (len(q.Type) == 0 || slices.Contains(q.Type, r.Type)) &&
		(!q.Live || r.Live) && (q.Deleted || !r.Deleted) &&
		(q.Before == store.Cursor{} || newestFirst(r.Created, r.ID, micro(q.Before.Created), q.Before.ID) > 0)
}

func newestFirst(at time.Time, id string, bt time.Time, bid string) int {
	if c := bt.Compare(at); c != 0 {
		return c
	}
	return strings.Compare(bid, id)
}

func (s *Store) collect(want func(*store.Record) bool) (found []store.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.records {
		if want(&r) {
			found = append(found, r)
		}
	}
	return found
}

// Due implements store.Store.
func (s *Store) Due(ctx context.Context, kind store.Kind, at time.Time, limit int) ([]store.Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("find due %s: %w", kind, err)
	}
	if err := store.CheckLimit(limit); err != nil {
		return nil, err
	}
	found := s.collect(func(r *store.Record) bool {
		return r.Kind == kind && r.Live && !r.Deadline.IsZero() && !r.Deadline.After(at)
	})
	slices.SortFunc(found, func(a, b store.Record) int {
		if c := a.Deadline.Compare(b.Deadline); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return found[:min(len(found), limit)], nil
}
