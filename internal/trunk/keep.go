package trunk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"parley/internal/call"
	"parley/internal/store"
	"parley/internal/trunk/guard"
	"parley/internal/wall"
	"parley/internal/wire"
)

// EventRefused is the type of the event that tells of refused calls out.
const EventRefused = "call_refused"

const (
	keepEvery = 30 * time.Second // while calls talk
	ahead     = keepEvery + 5*time.Second
	pace      = time.Second // between two writings
	lastWords = 2 * time.Second
)

// refused says which refusals are told as one.
type refused struct{ customer, rule, trunk string }

// refusal is the data of EventRefused: the first one since the last event, and how many there were.
type refusal struct {
	ID          string       `json:"id"`
	CustomerID  string       `json:"customer_id"`
	Rule        string       `json:"rule"`
	Limit       int          `json:"limit"`
	Reason      string       `json:"reason"`
	Message     string       `json:"message"`
	TrunkID     string       `json:"trunk_id"`
	Source      call.Address `json:"source"`
	Destination call.Address `json:"destination"`
	Count       int          `json:"count"`
	At          wire.Time    `json:"tm_refused"`
}

// Run keeps what has to be kept until ctx ends, then writes what is left.
func (t *Trunks) Run(ctx context.Context) error {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		select {
		case <-t.refusing:
			t.tell(ctx)
		case <-t.guard.Changed():
			t.keep(ctx, ahead)
		case <-tick.C:
			t.keep(ctx, ahead)
			t.tell(ctx)
		case <-ctx.Done():
			final, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
			defer cancel()
			t.keep(final, 0)
			t.tell(final)
			return nil
		}
		select { // many calls make one writing
		case <-time.After(pace):
		case <-ctx.Done():
		}
	}
}

// tell writes the refusals to the log of events. What cannot be written is told later.
func (t *Trunks) tell(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	t.mu.Lock()
	pending := t.refusals
	t.refusals = map[refused]*refusal{}
	t.mu.Unlock()
	for key, r := range pending {
		t.o.Log.Warn("calls out refused", "customer", r.CustomerID, "rule", r.Rule, "limit", r.Limit, "trunk", key.trunk, "destination", r.Destination.Target, "count", r.Count)
		if err := t.append(ctx, r); err != nil {
			t.o.Log.Warn("refused calls not told; trying again", "customer", r.CustomerID, "error", err)
			t.again(key, r)
		}
	}
}

func (t *Trunks) again(key refused, r *refusal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if newer := t.refusals[key]; newer != nil {
		r.Count += newer.Count
	}
	t.refusals[key] = r
}

func (t *Trunks) append(ctx context.Context, r *refusal) error {
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write %s: %w", EventRefused, err)
	}
	key := "calls_out/" + r.CustomerID
	for {
		_, version, err := t.o.Store.Last(ctx, key)
		if err != nil {
			return fmt.Errorf("write %s: %w", EventRefused, err)
		}
		err = t.o.Store.Append(ctx, &store.Change{Key: key, Version: version, Events: []store.Event{{
			ID: uuid.NewString(), Type: EventRefused, At: time.Time(r.At), CustomerID: r.CustomerID, Resource: r.ID, Data: data,
		}}})
		if !errors.Is(err, store.ErrFenced) {
			return err
		}
	}
}

// usageSpace is the name space of the ids of usage records: one for each account.
var usageSpace = uuid.MustParse("5b6f2f0e-8a2c-5f6b-9b61-6a4c9d3e7f10")

// keep notes how long was talked today.
func (t *Trunks) keep(ctx context.Context, ahead time.Duration) {
	if ctx.Err() != nil {
		return // the last words say it
	}
	var records []store.Record
	for _, u := range t.guard.Usage(ahead) {
		doc, err := json.Marshal(u)
		if err != nil {
			t.o.Log.Error("minutes of calls out not kept", "error", err)
			continue
		}
		records = append(records, store.Record{
			Kind: store.CallUsage, ID: uuid.NewSHA1(usageSpace, []byte(u.Kind+"/"+u.ID)).String(), Status: u.Kind, Reference: u.ID, Created: u.Day, Doc: doc,
		})
	}
	if len(records) == 0 {
		return
	}
	if err := t.o.Store.Note(ctx, "", 0, records); err != nil {
		t.guard.Untake()
		if ctx.Err() != nil {
			return
		}
		t.o.Log.Warn("minutes of calls out not kept; trying again", "error", err)
	}
}

// restore reads how long was talked today, and throws away what was kept of other days.
func (t *Trunks) restore(ctx context.Context) error {
	today := wall.Now().UTC().Truncate(24 * time.Hour)
	for {
		n, err := t.o.Store.Forget(ctx, store.CallUsage, today, 1000)
		if err != nil {
			return fmt.Errorf("forget minutes of other days: %w", err)
		}
		if n < 1000 {
			break
		}
	}
	q := store.Query{Kind: store.CallUsage, Limit: 1000}
	for {
		page, err := t.o.Store.List(ctx, q)
		if err != nil {
			return fmt.Errorf("read minutes of calls out: %w", err)
		}
		list := make([]guard.Usage, len(page))
		for i, rec := range page {
			if err := json.Unmarshal(rec.Doc, &list[i]); err != nil {
				return fmt.Errorf("read minutes of calls out: %w", err)
			}
			q.Before = store.Cursor{Created: rec.Created, ID: rec.ID}
		}
		t.guard.Restore(list)
		if len(page) < q.Limit {
			return nil
		}
	}
}

// nameOf reads the name that a phone registers with.
func nameOf(rec store.Record) (string, error) {
	var doc struct {
		Username string `json:"username"`
	}
	if err := json.Unmarshal(rec.Doc, &doc); err != nil {
		return "", fmt.Errorf("read extension %s: %w", rec.ID, err)
	}
	return doc.Username, nil
}
