package webhook

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"parley/internal/store"
	"parley/internal/wall"
	"parley/internal/wire"
)

// Statuses of a delivery.
const (
	Pending   = "pending"
	Delivered = "delivered"
	Dead      = "dead" // all attempts failed, or the endpoint was deleted
)

// answersKept is how many of the latest attempts a delivery shows.
const answersKept = 10

// Delivery is what became of one event at one endpoint.
type Delivery struct {
	ID           string    `json:"id"`
	WebhookID    string    `json:"webhook_id"`
	CustomerID   string    `json:"customer_id"`
	ConferenceID string    `json:"conference_id"`
	EventID      string    `json:"event_id"`
	EventType    string    `json:"event_type"`
	Seq          int64     `json:"seq"`
	Lane         string    `json:"key"` // of what the event tells
	Status       string    `json:"status"`
	Attempts     int       `json:"attempts"`
	Request      *Sent     `json:"request"` // the last one
	Answers      []Attempt `json:"answers"` // oldest first, the last ten
	Next         wire.Time `json:"tm_next_attempt"`
	Event        wire.Time `json:"tm_event"`
	Updated      wire.Time `json:"tm_update"`
}

// Sent is a request.
type Sent struct {
	Method  string            `json:"method"`
	URI     string            `json:"uri"`
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body"` // filled in for answers: the log has it
}

// Attempt is one try with its outcome.
type Attempt struct {
	At       wire.Time `json:"tm_attempt"`
	Duration int64     `json:"duration_ms"`
	Status   int       `json:"status"` // 0: no answer
	Body     string    `json:"body"`   // its first 1024 bytes
	Error    string    `json:"error"`  // "" for a success

	asked time.Duration // by Retry-After
}

func (a *Attempt) ok() bool { return a.Error == "" }

// deliverySpace is the name space of the ids of deliveries: one event at one endpoint is always the same delivery.
var deliverySpace = uuid.MustParse("8a0e5a0c-53f4-5b0c-9a7b-5f6f3c6ad6f1")

// deliveryID returns the id of the delivery of an event to an endpoint.
func deliveryID(webhookID, eventID string) string {
	return uuid.NewSHA1(deliverySpace, []byte(webhookID+eventID)).String()
}

// newDelivery returns the delivery of an event that has not been tried; key is what the event is about.
func newDelivery(webhookID, key string, e *store.Event) Delivery {
	return Delivery{
		ID: deliveryID(webhookID, e.ID), WebhookID: webhookID, CustomerID: e.CustomerID, ConferenceID: wire.UUID(e.Conference), EventID: e.ID,
		EventType: e.Type, Seq: e.Seq, Lane: key, Status: Pending, Answers: []Attempt{}, Next: wire.Time(now()), Event: wire.Time(e.At), Updated: wire.Time(now()),
	}
}

// note adds an attempt.
func (d *Delivery) note(sent *Sent, a Attempt) {
	d.Attempts++
	d.Request = sent
	d.Answers = append(d.Answers, a)
	d.Answers = d.Answers[max(0, len(d.Answers)-answersKept):]
	d.Updated = wire.Time(now())
}

// settle gives the delivery the status that the attempts so far mean.
func (d *Delivery) settle(status string, next time.Time) {
	d.Status, d.Next = status, wire.Time(next)
}

func (d *Delivery) record() (store.Record, error) {
	doc, err := json.Marshal(d)
	if err != nil {
		return store.Record{}, fmt.Errorf("write delivery: %w", err)
	}
	r := store.Record{
		Kind: store.Delivery, ID: d.ID, CustomerID: d.CustomerID, Reference: d.WebhookID, Status: d.Status, Type: d.EventType,
		Live: d.Status == Pending, Created: time.Time(d.Event), Doc: doc,
	}
	if d.ConferenceID != wire.NilUUID {
		r.Conference = d.ConferenceID
	}
	return r, nil
}

// ReadDelivery returns the delivery of a record.
func ReadDelivery(rec store.Record) (d Delivery, err error) {
	if err := json.Unmarshal(rec.Doc, &d); err != nil {
		return d, fmt.Errorf("read delivery %s: %w", rec.ID, err)
	}
	return d, nil
}

func now() time.Time { return wall.Now().UTC().Truncate(time.Microsecond) }
