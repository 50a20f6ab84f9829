package account

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"parley/internal/fault"
	"parley/internal/store"
	"parley/internal/wire"
)

// Customer is a tenant, as the API writes it and as the store keeps it.
type Customer struct {
	ID                   string          `json:"id"`
	Name                 string          `json:"name"`
	Detail               string          `json:"detail"`
	Email                string          `json:"email"`
	PhoneNumber          string          `json:"phone_number"`
	Address              string          `json:"address"`
	WebhookMethod        string          `json:"webhook_method"`
	WebhookURI           string          `json:"webhook_uri"`
	BillingAccountID     string          `json:"billing_account_id"`
	Metadata             json.RawMessage `json:"metadata"`
	EmailVerified        bool            `json:"email_verified"`
	Status               string          `json:"status"`
	IdentityVerification string          `json:"identity_verification_status"`
	DeletionScheduled    wire.Time       `json:"tm_deletion_scheduled"`
	Times
	WebhookSecret string `json:"webhook_secret,omitempty"` // never in events
}

// CustomerPatch changes what is not nil.
type CustomerPatch struct {
	Name          *string         `json:"name"`
	Detail        *string         `json:"detail"`
	Email         *string         `json:"email"`
	PhoneNumber   *string         `json:"phone_number"`
	Address       *string         `json:"address"`
	WebhookMethod *string         `json:"webhook_method"`
	WebhookURI    *string         `json:"webhook_uri"`
	Metadata      json.RawMessage `json:"-"` // has a route of its own
}

const metadataMax = 64 << 10

func (c *Customer) record() (store.Record, error) {
	doc, err := json.Marshal(c)
	if err != nil {
		return store.Record{}, fmt.Errorf("write customer: %w", err)
	}
	return store.Record{
		Kind: store.Customer, ID: c.ID, CustomerID: c.ID, Status: c.Status, Created: c.created(), Doc: doc,
	}, nil
}

func (c *Customer) public() any {
	shown := *c
	shown.WebhookSecret = ""
	return shown
}

func (p *CustomerPatch) apply(c Customer) (Customer, error) {
	set(&c.Name, p.Name)
	set(&c.Detail, p.Detail)
	set(&c.Email, p.Email)
	set(&c.PhoneNumber, p.PhoneNumber)
	set(&c.Address, p.Address)
	set(&c.WebhookMethod, p.WebhookMethod)
	set(&c.WebhookURI, p.WebhookURI)
	if p.Metadata != nil {
		var compact bytes.Buffer
		if err := json.Compact(&compact, p.Metadata); err != nil || compact.Len() > metadataMax || compact.Bytes()[0] != '{' {
			return c, invalid("metadata", "it must be a JSON object of at most %d bytes", metadataMax)
		}
		c.Metadata = compact.Bytes()
	}
	if err := checkTexts(c.Name, c.Detail); err != nil {
		return c, err
	}
	for field, value := range map[string]string{"email": c.Email, "phone_number": c.PhoneNumber, "address": c.Address} {
		if err := checkText(field, value, 1024); err != nil {
			return c, err
		}
	}
	if !slices.Contains([]string{"", "POST", "GET", "PUT", "DELETE"}, c.WebhookMethod) {
		return c, fault.New(fault.Invalid, "INVALID_WEBHOOK_METHOD", "webhook_method: %q is unknown; use POST, GET, PUT or DELETE", c.WebhookMethod)
	}
	return c, checkURI("webhook_uri", c.WebhookURI)
}

// Customer returns the customer.
func (a *Accounts) Customer(ctx context.Context, id string) (c Customer, err error) {
	rec, err := a.own(ctx, store.Customer, id, id)
	if err != nil {
		return c, err
	}
	return c, decode(rec, &c)
}

// UpdateCustomer changes the customer if it still is as expect says; expect may be nil.
func (a *Accounts) UpdateCustomer(ctx context.Context, id string, p CustomerPatch, expect func(Customer) error) (c Customer, err error) {
	err = a.edit(ctx, store.Customer, id, id, func(rec store.Record) (*store.Change, error) {
		var old Customer
		if err := decode(rec, &old); err != nil {
			return nil, err
		}
		if expect != nil {
			if err := expect(old); err != nil {
				return nil, err
			}
		}
		if c, err = p.apply(old); err != nil || same(c, old) {
			return nil, err
		}
		at := now()
		c.Updated = wire.Time(at)
		return change(&c, "customer_updated", at)
	})
	return c, err
}

// same reports whether two values have the same JSON.
func same(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// Bootstrap makes the first customer with its first access key when the store has none: key, which must have 16 characters or more, or, for
// "", one that is made. It returns the key that it made, "" when there was nothing to do or the key was given.
func Bootstrap(ctx context.Context, st store.Store, key string) (made string, err error) {
	if key != "" && len(key) < 16 {
		return "", fault.New(fault.Invalid, "INVALID_ARGUMENT", "the first access key has %d characters; 16 or more are needed", len(key))
	}
	known, err := st.List(ctx, store.Query{Kind: store.Customer, Deleted: true, Limit: 1})
	if err != nil {
		return "", fmt.Errorf("look for customers: %w", err)
	}
	if len(known) > 0 {
		return "", nil
	}
	if key == "" {
		key = newToken()
		made = key
	}
	if _, err := New(st, "").AddCustomer(ctx, "Main", key); err != nil {
		return "", fmt.Errorf("make first customer: %w", err)
	}
	return made, nil
}

// AddCustomer makes a customer with one access key, in one transaction, and returns its id.
func (a *Accounts) AddCustomer(ctx context.Context, name, key string) (id string, err error) {
	at := now()
	c := Customer{
		ID: uuid.NewString(), Name: name, BillingAccountID: wire.NilUUID, Metadata: json.RawMessage("{}"), Status: "active",
		IdentityVerification: "none", Times: Times{Created: wire.Time(at)}, WebhookSecret: "whsec_" + randomHex(24),
	}
	made, err := change(&c, "customer_created", at)
	if err != nil {
		return "", err
	}
	k := newAccesskey(c.ID, uuid.NewString(), key, at)
	k.Name = "first key"
	withKey, err := change(&k, "accesskey_created", at, k.name(true))
	if err != nil {
		return "", err
	}
	withKey.Events[0].Key = made.Key
	made.Events = append(made.Events, withKey.Events...)
	made.Records = append(made.Records, withKey.Records...)
	made.Names = withKey.Names
	return c.ID, a.store.Append(ctx, made)
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
