package sqlite

import (
	"context"
	"time"

	"parley/internal/store"
)

// Note writes what a reader of the log keeps about its work; see store.Notes.
func (s *Store) Note(ctx context.Context, reader string, seq int64, records []store.Record) error {
	if err := store.CheckNote(reader, seq, records); err != nil {
		return err
	}
	run := func(w *session) error {
		for i := range records {
			if err := w.record(&records[i], records[i].Version); err != nil {
				return err
			}
		}
		if reader == "" {
			return nil
		}
		return w.cursor(reader, seq)
	}
	if reader == "" {
		return s.do(ctx, "note", run)
	}
	return s.enqueue(ctx, &job{what: "note", run: run, moved: func() { s.places.Store(reader, seq) }})
}

// Forget deletes old records of a kind that is noted; see store.Notes.
func (s *Store) Forget(ctx context.Context, kind store.Kind, before time.Time, limit int) (n int, err error) {
	if err := store.CheckLimit(limit); err != nil {
		return 0, err
	}
	err = s.do(ctx, "forget "+string(kind), func(w *session) error {
		res, err := w.result(`DELETE FROM records WHERE rowid IN (SELECT rowid FROM records INDEXED BY records_kind
			WHERE kind = ? AND deleted = 0 AND created < ? AND live = 0 ORDER BY created, id LIMIT ?)`, string(kind), before.UnixMicro(), limit)
		if err != nil {
			return err
		}
		gone, err := res.RowsAffected()
		n = int(gone)
		return err
	})
	return n, err
}
