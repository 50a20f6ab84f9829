package sqlite

import (
	"strings"
	"testing"

	"parley/internal/store"
	"parley/internal/store/sqlite/ask"
)

// TestPlans: every way to ask goes through an index, in its order, without sorting.
func TestPlans(t *testing.T) {
	s := openTest(t, t.TempDir(), defaults)
	plan := func(what, text string, args []any) {
		t.Helper()
		rows, err := s.reading.Query("EXPLAIN QUERY PLAN "+text, args...)
		if err != nil {
			t.Fatalf("%s: %v\n%s", what, err, text)
		}
		defer rows.Close()
		var lines []string
		for rows.Next() {
			var id, parent, unused int
			var line string
			if err := rows.Scan(&id, &parent, &unused, &line); err != nil {
				t.Fatal(err)
			}
			lines = append(lines, line)
		}
		all := strings.Join(lines, "\n")
		if strings.Contains(all, "TEMP B-TREE") || strings.Contains(all, "SCAN r") || strings.Contains(all, "SCAN events") {
			t.Errorf("%s:\n%s\n%s", what, all, text)
		}
	}
	for mask := range 1 << 8 {
		q := store.Query{Kind: store.Conferencecall, Limit: 10}
		set := func(bit int, do func()) {
			if mask&(1<<bit) != 0 {
				do()
			}
		}
		set(0, func() { q.CustomerID = "c" })
		set(1, func() { q.Conference = "c" })
		set(2, func() { q.Reference = "r" })
		set(3, func() { q.Status = []string{"a", "b", "a"} })
		set(4, func() { q.Type = []string{"t"} })
		set(5, func() { q.Live = true })
		set(6, func() { q.Deleted = true })
		set(7, func() { q.Before.ID = "x" })
		text, args := ask.List(&q)
		plan(ask.Index(&q), text, args)
	}
	for mask := range 1 << 4 {
		q := store.LogQuery{Limit: 10, After: 5}
		if mask&1 != 0 {
			q.CustomerID = "c"
		}
		if mask&2 != 0 {
			q.Conference = "c"
		}
		if mask&4 != 0 {
			q.Resource = "c"
		}
		if mask&8 != 0 {
			q.Types = []string{"a", "b*"}
		}
		text, args := ask.Log(&q, 100)
		plan("log", text, args)
	}
}
