package api

import (
	"context"
	"fmt"
	"strings"

	"parley/internal/api/web"
	"parley/internal/fault"
	"parley/internal/store"
)

// owned returns the record that the path's id names if it is the caller's. One of somebody else is as unknown as one that does not exist.
func (d *Door) owned(r *request, kind store.Kind) (store.Record, error) {
	id, err := web.PathID(r.Request)
	if err != nil {
		return store.Record{}, err
	}
	return d.ownedBy(r.Context(), kind, r.who.CustomerID, id)
}

func (d *Door) ownedBy(ctx context.Context, kind store.Kind, customer, id string) (store.Record, error) {
	rec, err := d.o.Store.Get(ctx, kind, id)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return rec, fmt.Errorf("read %s: %w", kind, err)
	}
	if err != nil || rec.CustomerID != customer {
		return store.Record{}, fault.New(fault.NotFound, strings.ToUpper(string(kind))+"_NOT_FOUND", "there is no such %s; check the id", kind)
	}
	return rec, nil
}
