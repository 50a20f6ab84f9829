// Package hooks is the routes of webhook endpoints and their deliveries. What they do is package webhook's; here is only how it is asked for. It
// starts no goroutine.
package hooks

import (
	"encoding/json"
	"fmt"

	"parley/internal/api/catalogue"
	"parley/internal/api/rest"
	"parley/internal/api/web"
	"parley/internal/fault"
	"parley/internal/store"
	"parley/internal/wall"
	"parley/internal/webhook"
	"parley/internal/webhook/endpoint"
	"parley/internal/wire"
)

// Hooks are the routes on a dispatcher.
type Hooks struct {
	store      store.Store
	dispatcher *webhook.Dispatcher
	book       *endpoint.Book
}

// New returns the routes on a dispatcher that delivers what is in st.
func New(st store.Store, d *webhook.Dispatcher) *Hooks { return &Hooks{st, d, d.Book()} }

// Routes returns them, with those of the catalogue of what webhooks may bring.
func (h *Hooks) Routes() []rest.Route {
	return append(catalogue.Routes(), []rest.Route{
		{Method: "GET", Path: "/webhooks", Do: h.list},
		{Method: "POST", Path: "/webhooks", Do: h.create, Secret: true},
		{Method: "GET", Path: "/webhooks/{id}", Do: h.get},
		{Method: "PUT", Path: "/webhooks/{id}", Do: h.update},
		{Method: "DELETE", Path: "/webhooks/{id}", Do: h.remove},
		{Method: "POST", Path: "/webhooks/{id}/rotate", Do: h.rotate, Secret: true},
		{Method: "POST", Path: "/webhooks/{id}/test", Do: h.test},
		{Method: "POST", Path: "/webhooks/{id}/redeliver", Do: h.redeliver},
		{Method: "GET", Path: "/webhooks/{id}/deliveries", Do: h.deliveries},
	}...)
}

func (h *Hooks) list(r *rest.Request) (rest.Reply, error) {
	return r.List(store.Query{Kind: store.Webhook}, func(rec store.Record) (any, error) {
		e, err := endpoint.Read(rec)
		if err != nil {
			return nil, err
		}
		return h.withHealth(r, e)
	})
}

// withHealth adds since when an endpoint fails, which is not part of what changes are compared with.
func (h *Hooks) withHealth(r *rest.Request, e endpoint.Endpoint) (endpoint.Endpoint, error) {
	at, err := h.dispatcher.Health(r.Context(), e.ID)
	e.Failing = wire.Time(at)
	return e, err
}

func (h *Hooks) reply(r *rest.Request, e endpoint.Endpoint, err error) (rest.Reply, error) {
	if err != nil {
		return rest.Reply{}, err
	}
	plain := e
	plain.Secret = ""
	tag, err := rest.ETag(plain)
	if err != nil {
		return rest.Reply{}, err
	}
	e, err = h.withHealth(r, e)
	return rest.Reply{Body: e, ETag: tag}, err
}

func (h *Hooks) create(r *rest.Request) (rest.Reply, error) {
	var in endpoint.Patch
	if err := r.Parse(&in); err != nil {
		return rest.Reply{}, err
	}
	if in.URI == nil || *in.URI == "" {
		return rest.Reply{}, fault.New(fault.Invalid, "INVALID_WEBHOOK_URI", "uri: it is needed")
	}
	e, err := h.book.Add(r.Context(), r.CustomerID, r.NewID(), in, func(e endpoint.Endpoint) (*store.Answer, error) { return r.KeepWith(e) })
	return h.reply(r, e, err)
}

func (h *Hooks) get(r *rest.Request) (rest.Reply, error) {
	rec, err := r.Owned(store.Webhook)
	if err != nil {
		return rest.Reply{}, err
	}
	e, err := endpoint.Read(rec)
	return h.reply(r, e, err)
}

func (h *Hooks) update(r *rest.Request) (rest.Reply, error) {
	id, err := r.ID()
	if err != nil {
		return rest.Reply{}, err
	}
	var in endpoint.Patch
	if err := r.Parse(&in); err != nil {
		return rest.Reply{}, err
	}
	e, err := h.book.Update(r.Context(), r.CustomerID, id, in, func(e endpoint.Endpoint) error { return r.Match(e) })
	return h.reply(r, e, err)
}

func (h *Hooks) remove(r *rest.Request) (rest.Reply, error) {
	id, err := r.ID()
	if err != nil {
		return rest.Reply{}, err
	}
	e, err := h.book.Delete(r.Context(), r.CustomerID, id)
	return h.reply(r, e, err)
}

func (h *Hooks) rotate(r *rest.Request) (rest.Reply, error) {
	id, err := r.ID()
	if err != nil {
		return rest.Reply{}, err
	}
	e, err := h.book.Rotate(r.Context(), r.CustomerID, id)
	return h.reply(r, e, err)
}

// tried is the outcome of a test.
type tried struct {
	Request *webhook.Sent   `json:"request"`
	Answer  webhook.Attempt `json:"answer"`
}

func (h *Hooks) test(r *rest.Request) (rest.Reply, error) {
	id, err := r.ID()
	if err != nil {
		return rest.Reply{}, err
	}
	var in struct {
		Type string `json:"type"`
	}
	if len(r.Body) > 0 {
		if err := r.Parse(&in); err != nil {
			return rest.Reply{}, err
		}
	}
	var about *store.Entry
	if in.Type != "" && in.Type != "webhook_test" {
		e, err := catalogue.Find(in.Type)
		if err != nil {
			return rest.Reply{}, err
		}
		sample, err := e.Sample(wall.Now())
		if err != nil {
			return rest.Reply{}, err
		}
		about = &sample
	}
	sent, a, err := h.dispatcher.Test(r.Context(), r.CustomerID, id, about)
	return rest.Reply{Body: tried{sent, a}}, err
}

func (h *Hooks) redeliver(r *rest.Request) (rest.Reply, error) {
	rec, err := r.Owned(store.Webhook)
	if err != nil {
		return rest.Reply{}, err
	}
	var in struct {
		EventID string `json:"event_id"`
		After   *int64 `json:"after"`
	}
	if err := r.Parse(&in); err != nil {
		return rest.Reply{}, err
	}
	event, ok := wire.ParseUUID(in.EventID)
	if (in.EventID == "") == (in.After == nil) || in.EventID != "" && !ok || in.After != nil && *in.After < 0 {
		return rest.Reply{}, fault.New(fault.Invalid, "INVALID_ARGUMENT", `give either "event_id", an event's id, or "after", the number of a log entry`)
	}
	var after int64
	if in.After != nil {
		after = *in.After
		last, _, err := h.store.Last(r.Context(), "")
		if err != nil {
			return rest.Reply{}, fmt.Errorf("read the end of the log: %w", err)
		}
		if after > last {
			return rest.Reply{}, fault.New(fault.Invalid, "INVALID_ARGUMENT", "after is %d, the log ends at %d", after, last)
		}
	}
	if err := h.dispatcher.Redeliver(r.Context(), r.CustomerID, rec.ID, event, after); err != nil {
		return rest.Reply{}, err
	}
	e, err := endpoint.Read(rec)
	return h.reply(r, e, err)
}

func (h *Hooks) deliveries(r *rest.Request) (rest.Reply, error) {
	rec, err := r.Owned(store.Webhook)
	if err != nil {
		return rest.Reply{}, err
	}
	statuses, err := web.Choices(r.URL.Query(), "status", webhook.Pending, webhook.Delivered, webhook.Dead)
	if err != nil {
		return rest.Reply{}, err
	}
	q := store.Query{Kind: store.Delivery, Reference: rec.ID, Status: statuses}
	return r.List(q, func(rec store.Record) (any, error) {
		d, err := webhook.ReadDelivery(rec)
		if err == nil && d.Request != nil {
			d.Request.Body, err = h.body(r, d.Seq)
		}
		return d, err
	})
}

// body returns the log entry that a delivery brought.
func (h *Hooks) body(r *rest.Request, seq int64) (json.RawMessage, error) {
	rows, _, err := h.store.Events(r.Context(), store.LogQuery{After: seq - 1, CustomerID: r.CustomerID, Limit: 1})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return json.Marshal(rows[0].Entry())
}
