package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"parley/internal/store"
	"parley/internal/store/sqlite/ask"
)

// Events returns matching events and where to go on; see store.Log.
func (s *Store) Events(ctx context.Context, q store.LogQuery) (events []store.Event, next int64, err error) {
	if err := q.Check(); err != nil {
		return nil, 0, err
	}
	if events, next, ok := s.recent.read(&q); ok {
		return events, next, nil
	}
	// The end is read first: what is committed after this is left for the next call, not lost. Numbers are committed in order.
	end, _, err := s.Last(ctx, "")
	if err != nil {
		return nil, 0, err
	}
	if end <= q.After {
		return nil, q.After, nil
	}
	text, args := ask.Log(&q, end)
	if events, err = collect(ctx, s, question{"read the log", text, args}, scanEvent); err != nil {
		return nil, 0, err
	}
	if len(events) == q.Limit {
		end = events[len(events)-1].Seq
	}
	return events, end, nil
}

func scanEvent(rows *sql.Rows) (e store.Event, err error) {
	var at int64
	var cause []byte
	err = rows.Scan(&e.Seq, &e.Key, &e.Version, &e.ID, &e.Type, &at, &e.CustomerID, &e.Conference, &e.Resource, (*[]byte)(&e.Data), &cause)
	e.At = moment(at)
	if len(cause) > 0 {
		e.Cause = cause
	}
	return e, err
}

// Last returns the end of the log and the version of a key; see store.Log.
func (s *Store) Last(ctx context.Context, key string) (seq, version int64, err error) {
	text := `SELECT coalesce((SELECT max(seq) FROM events), 0), coalesce((SELECT max(version) FROM events WHERE key = ?), 0)`
	_, err = collect(ctx, s, question{"read the end of the log", text, []any{key}},
		func(rows *sql.Rows) (struct{}, error) { return struct{}{}, rows.Scan(&seq, &version) })
	return seq, version, err
}

// Hints returns a channel that gets a value after commits, and what ends it; see store.Log.
func (s *Store) Hints() (<-chan struct{}, func()) { return s.hints.Add() }

// Cursor returns a reader's place in the log; see store.Log.
func (s *Store) Cursor(ctx context.Context, reader string) (seq int64, err error) {
	if known, ok := s.places.Load(reader); ok {
		return known.(int64), nil
	}
	_, err = collect(ctx, s, question{"read cursor of " + reader, "SELECT seq FROM cursors WHERE reader = ?", []any{reader}},
		func(rows *sql.Rows) (struct{}, error) { return struct{}{}, rows.Scan(&seq) })
	if err == nil { // what the writer has put there meanwhile is newer
		known, _ := s.places.LoadOrStore(reader, seq)
		seq = known.(int64)
	}
	return seq, err
}

// SetCursor moves a reader's place; see store.Log.
func (s *Store) SetCursor(ctx context.Context, reader string, seq int64) error {
	if reader == "" || seq < 0 {
		return fmt.Errorf("store: cursor of reader %q at %d", reader, seq)
	}
	run := func(w *session) error { return w.cursor(reader, seq) }
	return s.enqueue(ctx, &job{what: "move cursor of " + reader, run: run, moved: func() { s.places.Store(reader, seq) }})
}

func (w *session) cursor(reader string, seq int64) error {
	return w.exec("INSERT INTO cursors (reader, seq) VALUES (?, ?) ON CONFLICT (reader) DO UPDATE SET seq = excluded.seq", reader, seq)
}
