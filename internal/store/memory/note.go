package memory

import (
	"context"
	"fmt"
	"slices"
	"time"

	"parley/internal/store"
)

// Note implements store.Notes.
func (s *Store) Note(ctx context.Context, reader string, seq int64, records []store.Record) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("note: %w", err)
	}
	if err := store.CheckNote(reader, seq, records); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range records {
		r.Created, r.Deadline, r.Doc = micro(r.Created), micro(r.Deadline), slices.Clone(r.Doc)
		s.records[recordKey{r.Kind, r.ID}] = r
	}
	if reader != "" {
		s.cursors[reader] = seq
	}
	return nil
}

// Forget implements store.Notes.
func (s *Store) Forget(ctx context.Context, kind store.Kind, before time.Time, limit int) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("forget %s: %w", kind, err)
	}
	if err := store.CheckLimit(limit); err != nil {
		return 0, err
	}
	old := s.collect(func(r *store.Record) bool { return r.Kind == kind && !r.Live && !r.Deleted && r.Created.Before(before) })
	slices.SortFunc(old, func(a, b store.Record) int { return newestFirst(b.Created, b.ID, a.Created, a.ID) })
	old = old[:min(len(old), limit)]
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range old {
		delete(s.records, recordKey{kind, r.ID})
	}
	return len(old), nil
}
