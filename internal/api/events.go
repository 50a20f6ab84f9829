package api

import (
	"fmt"

	"parley/internal/api/rest"
	"parley/internal/api/web"
	"parley/internal/store"
)

// entries is a part of the log: what follows begins after NextAfter.
type entries struct {
	Result    []store.Entry `json:"result"`
	NextAfter int64         `json:"next_after"`
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
	out := entries{Result: []store.Entry{}, NextAfter: next}
	for i := range rows {
		out.Result = append(out.Result, rows[i].Entry())
	}
	return rest.Reply{Body: out}, nil
}
