package api

import (
	"encoding/json"
	"fmt"

	"parley/internal/api/rest"
	"parley/internal/api/web"
	"parley/internal/store"
	"parley/internal/wire"
)

// entry is a row of the log as the API writes it.
type entry struct {
	Seq          int64           `json:"seq"`
	ID           string          `json:"id"`
	Type         string          `json:"type"`
	At           wire.Time       `json:"tm_event"`
	CustomerID   string          `json:"customer_id"`
	ConferenceID string          `json:"conference_id"`
	Data         json.RawMessage `json:"data"`
}

// entries is a part of the log: what follows begins after NextAfter.
type entries struct {
	Result    []entry `json:"result"`
	NextAfter int64   `json:"next_after"`
}

func (d *Door) eventRoutes() []rest.Route {
	return []rest.Route{{Method: "GET", Path: "/events", Do: d.listEvents}}
}

func (d *Door) listEvents(r *rest.Request) (rest.Reply, error) {
	id, err := web.UUID(r.URL.Query(), "conference_id")
	if err != nil {
		return rest.Reply{}, err
	}
	return d.eventsWhere(r, store.LogQuery{Conference: id})
}

func (d *Door) listEventsOf(r *rest.Request) (rest.Reply, error) {
	rec, err := r.Owned(store.Conference)
	if err != nil {
		return rest.Reply{}, err
	}
	return d.eventsWhere(r, store.LogQuery{Conference: rec.ID})
}

// eventsWhere reads the customer's part of the log in its order.
func (d *Door) eventsWhere(r *rest.Request, q store.LogQuery) (rest.Reply, error) {
	params := r.URL.Query()
	limit, err := web.Int(params, "limit", 100)
	if err != nil {
		return rest.Reply{}, err
	}
	if q.After, err = web.Int(params, "after", 0); err != nil {
		return rest.Reply{}, err
	}
	q.CustomerID, q.Types, q.Limit = r.CustomerID, web.Words(params, "type"), int(limit)
	if err := q.Check(); err != nil {
		return rest.Reply{}, err
	}
	rows, next, err := d.o.Store.Events(r.Context(), q)
	if err != nil {
		return rest.Reply{}, fmt.Errorf("read log: %w", err)
	}
	out := entries{Result: []entry{}, NextAfter: next}
	for _, e := range rows {
		out.Result = append(out.Result, entry{
			e.Seq, e.ID, e.Type, wire.Time(e.At), wire.UUID(e.CustomerID), wire.UUID(e.Conference), e.Data,
		})
	}
	return rest.Reply{Body: out}, nil
}
