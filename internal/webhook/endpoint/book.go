package endpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"parley/internal/fault"
	"parley/internal/store"
	"parley/internal/wall"
	"parley/internal/wire"
)

// triesMax bounds how often a change is decided anew because somebody else was faster; endpointsMax how many endpoints a customer has.
const (
	triesMax     = 16
	endpointsMax = 100
)

// Book keeps the records of endpoints. Its methods may be called from any goroutine.
type Book struct {
	store   store.Store
	allowed func(uri string) error
}

// NewBook returns the endpoints in st. allowed refuses URIs that are never called.
func NewBook(st store.Store, allowed func(uri string) error) *Book { return &Book{st, allowed} }

func now() time.Time { return wall.Now().UTC().Truncate(time.Microsecond) }

// Key returns the key of an endpoint in the log.
func Key(id string) string { return "webhook/" + id }

// Add makes an endpoint with the id, which gets what is logged from now on. keep may make an answer to be kept with it; the Endpoint that it
// gets, like the one that is returned, has the secret.
func (b *Book) Add(ctx context.Context, customer, id string, p Patch, keep func(Endpoint) (*store.Answer, error)) (Endpoint, error) {
	e := Endpoint{
		ID: id, CustomerID: customer, Method: "POST", Events: []string{}, ConferenceID: wire.NilUUID,
		Order: Strict, Format: Plain, Status: Enabled, Created: wire.Time(now()),
	}
	e, err := p.apply(e, b.allowed)
	if err != nil {
		return Endpoint{}, err
	}
	e.Secret = NewSecret()
	if p.Secret != nil && *p.Secret != "" {
		if e.Secret = *p.Secret; checkSecret(e.Secret) != nil {
			return Endpoint{}, checkSecret(e.Secret)
		}
	}
	known, err := b.store.List(ctx, store.Query{Kind: store.Webhook, CustomerID: customer, Limit: endpointsMax})
	if err != nil {
		return Endpoint{}, fmt.Errorf("count webhooks: %w", err)
	}
	if len(known) >= endpointsMax {
		return Endpoint{}, fault.New(fault.Exhausted, "RESOURCE_LIMIT_EXCEEDED", "there are %d webhooks; delete one first", endpointsMax)
	}
	s := Kept{Endpoint: e, Secrets: []secret{{Text: e.Secret}}}
	if s.After, _, err = b.store.Last(ctx, ""); err != nil {
		return Endpoint{}, fmt.Errorf("read the end of the log: %w", err)
	}
	c, err := s.Change("webhook_created", now())
	if err != nil {
		return Endpoint{}, err
	}
	if c.Answer, err = keep(e); err != nil {
		return Endpoint{}, err
	}
	if err := b.store.Append(ctx, c); err != nil {
		if errors.Is(err, store.ErrFenced) { // the id is a repetition's
			err = fault.New(fault.Conflict, "ALREADY_EXISTS", "this webhook has been made already")
		}
		return Endpoint{}, err
	}
	return e, nil
}

// Update changes an endpoint if it still is as expect says; expect may be nil.
func (b *Book) Update(ctx context.Context, customer, id string, p Patch, expect func(Endpoint) error) (Endpoint, error) {
	s, err := b.edit(ctx, customer, id, "webhook_updated", func(s *Kept) error {
		if !time.Time(s.Deleted).IsZero() {
			return fault.New(fault.Conflict, "STATE_INVALID", "this webhook has been deleted and cannot be changed any more")
		}
		if expect != nil {
			if err := expect(s.Endpoint); err != nil {
				return err
			}
		}
		if p.Secret != nil {
			return invalid("secret", "it is replaced by POST /webhooks/{id}/rotate")
		}
		var err error
		s.Endpoint, err = p.apply(s.Endpoint, b.allowed)
		return err
	})
	return s.Endpoint, err
}

// Rotate gives an endpoint a new secret, which the answer has; the old one signs too for a day.
func (b *Book) Rotate(ctx context.Context, customer, id string) (Endpoint, error) {
	text := NewSecret()
	s, err := b.edit(ctx, customer, id, "webhook_updated", func(s *Kept) error {
		if s.Type != "" || !time.Time(s.Deleted).IsZero() {
			return fault.New(fault.Conflict, "STATE_INVALID", "only a webhook of its own that is not deleted gets a new secret")
		}
		s.replaceSecret(text, now())
		return nil
	})
	s.Secret = text
	return s.Endpoint, err
}

// Delete ends an endpoint; what it has not got yet it will not get. Repeated, it changes nothing.
func (b *Book) Delete(ctx context.Context, customer, id string) (Endpoint, error) {
	s, err := b.edit(ctx, customer, id, "webhook_deleted", func(s *Kept) error {
		if s.Type != "" {
			return fault.New(fault.Conflict, "STATE_INVALID", "this webhook is %s; it can be disabled", origin[s.Type])
		}
		if time.Time(s.Deleted).IsZero() {
			s.Deleted = wire.Time(now())
		}
		return nil
	})
	return s.Endpoint, err
}

// Disable ends deliveries to an endpoint until somebody enables it.
func (b *Book) Disable(ctx context.Context, customer, id, reason string) error {
	_, err := b.edit(ctx, customer, id, "webhook_disabled", func(s *Kept) error {
		if s.Status == Enabled {
			s.Status, s.Reason = Disabled, reason
		}
		return nil
	})
	return err
}

// edit reads an endpoint, lets decide change it, and writes it with one event; all again when it has changed meanwhile. What decide leaves as it
// was is not written.
func (b *Book) edit(ctx context.Context, customer, id, event string, decide func(*Kept) error) (Kept, error) {
	for range triesMax {
		_, version, err := b.store.Last(ctx, Key(id))
		if err != nil {
			return Kept{}, fmt.Errorf("read version of webhook: %w", err)
		}
		s, err := b.Own(ctx, customer, id)
		if err != nil {
			return s, err
		}
		before, _ := json.Marshal(s)
		if err := decide(&s); err != nil {
			return s, err
		}
		if after, _ := json.Marshal(s); string(before) == string(after) {
			return s, nil
		}
		at := now()
		s.Updated = wire.Time(at)
		c, err := s.Change(event, at)
		if err != nil {
			return s, err
		}
		c.Version = version
		if err = b.store.Append(ctx, c); !errors.Is(err, store.ErrFenced) {
			return s, err
		}
	}
	return Kept{}, fault.New(fault.Unavailable, "STORE_BUSY", "this webhook is being changed by many at once; try again")
}

// Own returns the customer's endpoint; one of somebody else is as unknown as one that does not exist.
func (b *Book) Own(ctx context.Context, customer, id string) (Kept, error) {
	rec, err := b.store.Get(ctx, store.Webhook, id)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return Kept{}, fmt.Errorf("read webhook: %w", err)
	}
	if err != nil || rec.CustomerID != customer {
		return Kept{}, fault.New(fault.NotFound, "WEBHOOK_NOT_FOUND", "there is no such webhook; check the id")
	}
	return ReadKept(rec)
}

// Change writes the endpoint with one event, which shows no secret.
func (s *Kept) Change(event string, at time.Time) (*store.Change, error) {
	rec, err := s.record()
	if err != nil {
		return nil, err
	}
	shown := s.Endpoint
	shown.Secret, shown.Failing = "", wire.Time{}
	data, err := json.Marshal(shown)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", event, err)
	}
	e := store.Event{ID: uuid.NewString(), Type: event, At: at, CustomerID: s.CustomerID, Resource: s.ID, Data: data}
	return &store.Change{Key: Key(s.ID), Records: []store.Record{rec}, Events: []store.Event{e}}, nil
}
