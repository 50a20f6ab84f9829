package api

import (
	"encoding/json"
	"fmt"

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

func (d *Door) listEvents(r *request) (reply, error) {
	id, err := web.UUID(r.URL.Query(), "conference_id")
	if err != nil {
		return reply{}, err
	}
	return d.eventsWhere(r, store.LogQuery{Conference: id})
}

func (d *Door) listEventsOf(r *request) (reply, error) {
	rec, err := d.owned(r, store.Conference)
	if err != nil {
		return reply{}, err
	}
	return d.eventsWhere(r, store.LogQuery{Conference: rec.ID})
}

// eventsWhere reads the customer's part of the log in its order.
func (d *Door) eventsWhere(r *request, q store.LogQuery) (reply, error) {
	params := r.URL.Query()
	limit, err := web.Int(params, "limit", 100)
	if err != nil {
		return reply{}, err
	}
	if q.After, err = web.Int(params, "after", 0); err != nil {
		return reply{}, err
	}
	q.CustomerID, q.Types, q.Limit = r.who.CustomerID, web.Words(params, "type"), int(limit)
	if err := q.Check(); err != nil {
		return reply{}, err
	}
	rows, next, err := d.o.Store.Events(r.Context(), q)
	if err != nil {
		return reply{}, fmt.Errorf("read log: %w", err)
	}
	out := entries{Result: []entry{}, NextAfter: next}
	for _, e := range rows {
		out.Result = append(out.Result, entry{
			e.Seq, e.ID, e.Type, wire.Time(e.At), wire.UUID(e.CustomerID), wire.UUID(e.Conference), e.Data,
		})
	}
	return reply{body: out}, nil
}
