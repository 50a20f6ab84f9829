package endpoint

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"parley/internal/fault"
	"parley/internal/store"
	"parley/internal/wire"
)

// Values of an endpoint.
const (
	Strict     = "strict"      // one after the other in each conference
	BestEffort = "best_effort" // each for itself
	Plain      = "parley"      // the body is the log's entry
	CloudEvent = "cloudevents" // the body is a CloudEvent 1.0, structured
	Enabled    = "enabled"
	Disabled   = "disabled"
	OfCustomer = "customer" // Type of the endpoint that is the customer's webhook_uri

	// OfActiveflows is the Type of the endpoint that brings the events of activeflows to their webhook_uri.
	OfActiveflows = "activeflow"
)

// Why an endpoint is disabled.
const (
	ReasonGone    = "gone"    // it answered 410
	ReasonFailing = "failing" // it took nothing for days
	ReasonAsked   = "asked"   // somebody disabled it
)

// oldSecretKept is how long a secret signs after it was replaced.
const oldSecretKept = 24 * time.Hour

// Endpoint is where events go, as the API writes it.
type Endpoint struct {
	ID           string    `json:"id"`
	CustomerID   string    `json:"customer_id"`
	Type         string    `json:"type"` // "", OfCustomer or OfActiveflows
	Name         string    `json:"name"`
	Detail       string    `json:"detail"`
	URI          string    `json:"uri"`
	Method       string    `json:"method"`
	Events       []string  `json:"events"` // exact types, or prefixes that end in *; empty: all
	ConferenceID string    `json:"conference_id"`
	Order        string    `json:"order"`
	Format       string    `json:"format"`
	Status       string    `json:"status"`
	Reason       string    `json:"disabled_reason"`
	Secret       string    `json:"secret,omitempty"` // only in answers that made it
	Failing      wire.Time `json:"tm_failing_since"` // filled in for answers
	Created      wire.Time `json:"tm_create"`
	Updated      wire.Time `json:"tm_update"`
	Deleted      wire.Time `json:"tm_delete"`
}

// Kept is what the store keeps of an endpoint.
type Kept struct {
	Endpoint
	Secrets []secret `json:"secrets"` // newest first
	After   int64    `json:"after"`   // the log's end when it was made: what is older is not for it
}

type secret struct {
	Text  string    `json:"text"`
	Until wire.Time `json:"until"` // null: for ever
}

// Patch changes what is not nil.
type Patch struct {
	Name         *string   `json:"name"`
	Detail       *string   `json:"detail"`
	URI          *string   `json:"uri"`
	Method       *string   `json:"method"`
	Events       *[]string `json:"events"`
	ConferenceID *string   `json:"conference_id"`
	Order        *string   `json:"order"`
	Format       *string   `json:"format"`
	Status       *string   `json:"status"`
	Secret       *string   `json:"secret"` // when it is made; afterwards there is rotation
}

// origin says where the address of an endpoint that is not one of its own comes from.
var origin = map[string]string{
	OfCustomer:    "the customer's webhook_uri; change it with PUT /customer",
	OfActiveflows: "the webhook_uri of activeflows; it is given when they begin",
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// apply returns the endpoint with the changes, or why not.
func (p *Patch) apply(e Endpoint, allowed func(uri string) error) (Endpoint, error) {
	for _, fixed := range []struct {
		name     string
		to, from *string
	}{{"uri", &e.URI, p.URI}, {"method", &e.Method, p.Method}} {
		if fixed.from != nil && *fixed.from != *fixed.to && e.Type != "" {
			return e, fault.New(fault.Conflict, "STATE_INVALID", "%s: this endpoint is %s", fixed.name, origin[e.Type])
		}
		set(fixed.to, fixed.from)
	}
	set(&e.Name, p.Name)
	set(&e.Detail, p.Detail)
	set(&e.Events, p.Events)
	set(&e.ConferenceID, p.ConferenceID)
	set(&e.Order, p.Order)
	set(&e.Format, p.Format)
	if p.Status != nil && *p.Status != e.Status {
		e.Status, e.Reason = *p.Status, ""
		if e.Status == Disabled {
			e.Reason = ReasonAsked
		}
	}
	if e.Events == nil {
		e.Events = []string{}
	}
	return e, e.check(allowed)
}

func (e *Endpoint) check(allowed func(uri string) error) error {
	for field, text := range map[string]string{"name": e.Name, "detail": e.Detail} {
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) || utf8.RuneCountInString(text) > 4096 {
			return invalid(field, "it is not UTF-8, has a NUL in it, or more than 4096 characters")
		}
	}
	for _, c := range []struct {
		field, value string
		want         []string
	}{
		{"order", e.Order, []string{Strict, BestEffort}},
		{"format", e.Format, []string{Plain, CloudEvent}},
		{"status", e.Status, []string{Enabled, Disabled}},
	} {
		if !slices.Contains(c.want, c.value) {
			return invalid(c.field, "it must be one of %s", strings.Join(c.want, ", "))
		}
	}
	if !slices.Contains([]string{"POST", "PUT", "GET", "DELETE"}, e.Method) {
		return fault.New(fault.Invalid, "INVALID_WEBHOOK_METHOD", "method: use POST, PUT, GET or DELETE")
	}
	id, ok := wire.ParseUUID(e.ConferenceID)
	if !ok {
		return invalid("conference_id", "it is not a UUID; leave it out for all conferences")
	}
	e.ConferenceID = id
	if len(e.Events) > 100 {
		return invalid("events", "there are %d patterns; at most 100 are taken", len(e.Events))
	}
	q := store.LogQuery{Types: e.Events, Limit: 1}
	if err := q.Check(); err != nil {
		return err
	}
	if e.Type == OfActiveflows {
		return nil
	}
	return allowed(e.URI)
}

func invalid(field, format string, args ...any) error {
	return fault.New(fault.Invalid, "INVALID_ARGUMENT", "%s: %s", field, fmt.Sprintf(format, args...))
}

// Filter selects the endpoint's events.
func (e *Endpoint) Filter(after int64, limit int) store.LogQuery {
	q := store.LogQuery{After: after, CustomerID: e.CustomerID, Types: e.Events, Limit: limit}
	if e.ConferenceID != wire.NilUUID {
		q.Conference = e.ConferenceID
	}
	return q
}

// NewSecret returns whsec_ and 192 random bits in base64, the form of Standard Webhooks.
func NewSecret() string {
	b := make([]byte, 24)
	_, _ = rand.Read(b) // never fails
	return "whsec_" + base64.StdEncoding.EncodeToString(b)
}

// checkSecret accepts what libraries of Standard Webhooks do: whsec_ and 24 to 64 bytes in base64.
func checkSecret(text string) error {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(text, "whsec_"))
	if err != nil || !strings.HasPrefix(text, "whsec_") || len(key) < 24 || len(key) > 64 {
		return invalid("secret", "it must be whsec_ followed by 24 to 64 bytes in base64; leave it out to get one")
	}
	return nil
}

// Signing returns the secrets that sign at a time, newest first.
func (s *Kept) Signing(at time.Time) (list []string) {
	for _, x := range s.Secrets {
		if until := time.Time(x.Until); until.IsZero() || at.Before(until) {
			list = append(list, x.Text)
		}
	}
	return list
}

// replaceSecret makes text the newest secret. The one before signs for another day.
func (s *Kept) replaceSecret(text string, at time.Time) {
	if len(s.Secrets) > 0 && s.Secrets[0].Text == text {
		return
	}
	old := s.Secrets[:min(len(s.Secrets), 1)]
	s.Secrets = []secret{{Text: text}}
	for _, x := range old {
		s.Secrets = append(s.Secrets, secret{x.Text, wire.Time(at.Add(oldSecretKept))})
	}
}

func (s *Kept) record() (store.Record, error) {
	kept := *s
	kept.Secret, kept.Failing = "", wire.Time{}
	doc, err := json.Marshal(kept)
	if err != nil {
		return store.Record{}, fmt.Errorf("write webhook: %w", err)
	}
	gone := !time.Time(s.Deleted).IsZero()
	return store.Record{
		Kind: store.Webhook, ID: s.ID, CustomerID: s.CustomerID, Status: s.Status, Type: s.Type, Live: s.Status == Enabled && !gone,
		Created: time.Time(s.Created), Deleted: gone, Doc: doc,
	}, nil
}

// Read returns the endpoint of a record, without secrets.
func Read(rec store.Record) (Endpoint, error) {
	s, err := ReadKept(rec)
	return s.Endpoint, err
}

// ReadKept returns what a record keeps.
func ReadKept(rec store.Record) (s Kept, err error) {
	if err := json.Unmarshal(rec.Doc, &s); err != nil {
		return s, fmt.Errorf("read webhook %s: %w", rec.ID, err)
	}
	return s, nil
}
