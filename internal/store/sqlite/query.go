package sqlite

import (
	"context"
	"database/sql"
	"time"

	"parley/internal/fault"
	"parley/internal/store"
	"parley/internal/store/sqlite/ask"
)

// Get returns a record by its id; see store.Store.
func (s *Store) Get(ctx context.Context, kind store.Kind, id string) (store.Record, error) {
	text := "SELECT " + ask.Columns + " FROM records r WHERE kind = ? AND id = ?"
	return s.one(ctx, question{string(kind), text, []any{string(kind), id}})
}

// Resolve returns the record that has a name; see store.Store.
func (s *Store) Resolve(ctx context.Context, space, value string) (store.Record, error) {
	text := "SELECT " + ask.Columns + " FROM names n JOIN records r ON r.kind = n.kind AND r.id = n.id WHERE n.space = ? AND n.value = ?"
	return s.one(ctx, question{space, text, []any{space, value}})
}

// one returns the only record of an answer, or a fault.NotFound. It never repeats the value looked for, which may be secret.
func (s *Store) one(ctx context.Context, q question) (store.Record, error) {
	recs, err := collect(ctx, s, q, scanRecord)
	switch {
	case err != nil:
		return store.Record{}, err
	case len(recs) == 0:
		return store.Record{}, fault.New(fault.NotFound, "NOT_FOUND", "there is no such %s: check the id", q.what)
	}
	return recs[0], nil
}

// List returns a page of records; see store.Query.
func (s *Store) List(ctx context.Context, q store.Query) ([]store.Record, error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	text, args := ask.List(&q)
	return collect(ctx, s, question{"list " + string(q.Kind), text, args}, scanRecord)
}

// Due returns live records whose deadline has come; see store.Store.
func (s *Store) Due(ctx context.Context, kind store.Kind, at time.Time, limit int) ([]store.Record, error) {
	if err := store.CheckLimit(limit); err != nil {
		return nil, err
	}
	text := "SELECT " + ask.Columns + ` FROM records r INDEXED BY records_due
		WHERE kind = ? AND live = 1 AND deadline <> 0 AND deadline <= ? ORDER BY deadline, id LIMIT ?`
	return collect(ctx, s, question{"find due " + string(kind), text, []any{string(kind), at.UnixMicro(), limit}}, scanRecord)
}

func scanRecord(rows *sql.Rows) (store.Record, error) {
	var r store.Record
	var created, due int64
	err := rows.Scan(&r.Kind, &r.ID, &r.CustomerID, &r.Conference, &r.Reference, &r.Status, &r.Type, &r.Live,
		&created, &r.Deleted, &due, &r.Version, (*[]byte)(&r.Doc))
	r.Created = moment(created)
	if due != 0 {
		r.Deadline = moment(due)
	}
	return r, err
}
