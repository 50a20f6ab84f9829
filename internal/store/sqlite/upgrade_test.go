package sqlite

import (
	"testing"
	"time"

	"parley/internal/store"
	"parley/internal/store/cause"
)

// TestUpgradeFromFirstSchema opens a log that was written before entries had causes.
func TestUpgradeFromFirstSchema(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir, defaults)
	entry := func() *store.Change {
		return &store.Change{Key: "k", Events: []store.Event{{ID: "e", Type: "made", At: time.Now(), Data: []byte(`{}`)}}}
	}
	if err := s.Append(t.Context(), entry()); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"ALTER TABLE events DROP COLUMN cause", "DELETE FROM goose_db_version WHERE version_id = 2"} {
		if _, err := s.writing.Exec(text); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openTest(t, dir, defaults)
	c := entry()
	c.Version = 1
	if err := s.Append(cause.Put(t.Context(), cause.ByTimer), c); err != nil {
		t.Fatal(err)
	}
	for _, memory := range []bool{true, false} {
		if !memory {
			s.recent = recent{}
		}
		rows, _, err := s.Events(t.Context(), store.LogQuery{Limit: 10})
		if err != nil || len(rows) != 2 || rows[0].Cause != nil || string(rows[1].Cause) != `{"kind":"timer"}` {
			t.Errorf("from memory %v: got %+v, %v", memory, rows, err)
		}
	}
}
