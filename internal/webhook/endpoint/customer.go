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
	"parley/internal/wire"
)

// customerSpace is the name space of the ids of customers' endpoints.
var customerSpace = uuid.MustParse("0d2a45a1-2f4b-5d61-8f47-0a5b7f2f9f1e")

// customer is what an endpoint is made of.
type customer struct {
	ID     string `json:"id"`
	URI    string `json:"webhook_uri"`
	Method string `json:"webhook_method"`
	Secret string `json:"webhook_secret"`
}

// Follow makes the customer's webhook_uri an endpoint, or changes the one that is; at is the place of the log where the customer was changed.
// Setting the URI or the method anew enables a disabled one; an empty URI disables it.
func (b *Book) Follow(ctx context.Context, customerID string, at int64) error {
	rec, err := b.store.Get(ctx, store.Customer, customerID)
	if err != nil {
		return fmt.Errorf("read customer: %w", err)
	}
	var c customer
	if err := json.Unmarshal(rec.Doc, &c); err != nil {
		return fmt.Errorf("read customer %s: %w", customerID, err)
	}
	if rec.Deleted {
		c.URI = ""
	}
	if err := b.followSecret(ctx, &c); err != nil {
		return err
	}
	id := uuid.NewSHA1(customerSpace, []byte(customerID)).String()
	_, err = b.edit(ctx, customerID, id, "webhook_updated", func(s *Kept) error { c.into(s); return nil })
	if fault.ReasonOf(err) != "WEBHOOK_NOT_FOUND" || c.URI == "" {
		return ignoreUnknown(err)
	}
	s := Kept{
		Endpoint: Endpoint{
			ID: id, CustomerID: customerID, Type: OfCustomer, Name: "webhook_uri of the customer", Events: []string{}, ConferenceID: wire.NilUUID,
			Order: Strict, Format: Plain, Created: wire.Time(now()),
		},
		After: max(0, at-1), // it is told of its own beginning
	}
	c.into(&s)
	return b.make(ctx, &s)
}

// make writes a new endpoint; one that somebody else has made meanwhile is as good.
func (b *Book) make(ctx context.Context, s *Kept) error {
	made, err := s.Change("webhook_created", time.Time(s.Created))
	if err != nil {
		return err
	}
	if err := b.store.Append(ctx, made); !errors.Is(err, store.ErrFenced) {
		return err
	}
	return nil
}

func ignoreUnknown(err error) error {
	if fault.ReasonOf(err) == "WEBHOOK_NOT_FOUND" {
		return nil
	}
	return err
}

// into puts the customer's wishes into its endpoint.
func (c *customer) into(s *Kept) {
	method := c.Method
	if method == "" {
		method = "POST"
	}
	if s.URI != c.URI || s.Method != method {
		s.Status, s.Reason = Enabled, ""
	}
	if s.URI, s.Method = c.URI, method; c.URI == "" {
		s.Status, s.Reason = Disabled, ReasonAsked
	}
	s.replaceSecret(c.Secret, now())
}

func flowsID(customerID string) string {
	return uuid.NewSHA1(customerSpace, []byte("activeflows of "+customerID)).String()
}

// FollowActiveflow makes the endpoint that brings the events of the customer's activeflows to the address that each of them has, unless there is
// one; at is the place of the log where the first of them began. It signs with the customer's secret.
func (b *Book) FollowActiveflow(ctx context.Context, customerID string, at int64) error {
	id := flowsID(customerID)
	if _, err := b.Own(ctx, customerID, id); fault.ReasonOf(err) != "WEBHOOK_NOT_FOUND" {
		return err
	}
	rec, err := b.store.Get(ctx, store.Customer, customerID)
	if err != nil {
		return fmt.Errorf("read customer: %w", err)
	}
	var c customer
	if err := json.Unmarshal(rec.Doc, &c); err != nil {
		return fmt.Errorf("read customer %s: %w", customerID, err)
	}
	s := Kept{
		Endpoint: Endpoint{
			ID: id, CustomerID: customerID, Type: OfActiveflows, Name: "webhook_uri of activeflows", Method: "POST", Events: []string{},
			ConferenceID: wire.NilUUID, Order: Strict, Format: Plain, Status: Enabled, Created: wire.Time(now()),
		},
		After: max(0, at-1),
	}
	s.replaceSecret(c.Secret, now())
	return b.make(ctx, &s)
}

// followSecret makes the endpoint of activeflows, when there is one, sign with the customer's secret.
func (b *Book) followSecret(ctx context.Context, c *customer) error {
	_, err := b.edit(ctx, c.ID, flowsID(c.ID), "webhook_updated", func(s *Kept) error {
		s.replaceSecret(c.Secret, now())
		return nil
	})
	return ignoreUnknown(err)
}
