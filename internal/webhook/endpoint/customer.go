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
	made, err := s.Change("webhook_created", time.Time(s.Created))
	if err != nil {
		return err
	}
	if err := b.store.Append(ctx, made); !errors.Is(err, store.ErrFenced) {
		return err
	}
	return nil // somebody else has made it from the same customer
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
