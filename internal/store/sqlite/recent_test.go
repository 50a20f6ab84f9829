package sqlite

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"parley/internal/store"
	"parley/internal/store/sqlite/ask"
)

// TestRecentIsTheLog compares what memory answers with what the database does, while older events leave memory.
func TestRecentIsTheLog(t *testing.T) {
	s, err := Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	rnd := rand.New(rand.NewPCG(1, 2))
	names := []string{"a", "b", "c"}
	pick := func() string { return names[rnd.IntN(len(names))] }
	versions := map[string]int64{}
	inMemory := 0
	for turn := range 1500 {
		key := "conference/" + pick()
		c := &store.Change{Key: key, Version: versions[key]}
		for range 1 + rnd.IntN(6) {
			size := rnd.IntN(200)
			if turn%500 == 499 {
				size = 3 << 20
			}
			c.Events = append(c.Events, store.Event{
				ID: uuid.NewString(), Type: "type_" + pick(), At: time.Now(), CustomerID: pick(), Conference: pick(), Resource: pick(),
				Data: []byte(fmt.Sprintf(`{"x":%q}`, strings.Repeat("x", size))),
			})
		}
		if err := s.Append(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		versions[key] += int64(len(c.Events))
		if turn%10 != 0 {
			continue
		}
		end, _, err := s.Last(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		q := store.LogQuery{After: max(0, end-rnd.Int64N(200)), Limit: 1 + rnd.IntN(50)}
		if rnd.IntN(2) == 0 {
			q.Conference, q.Types = pick(), []string{"type_" + pick(), "type_c*"}
		}
		inMemory += compareRecent(t, s, q, end)
	}
	if s.recent.bytes > recentBytes+20<<20 || len(s.recent.events) > recentEvents {
		t.Errorf("%d events of %d bytes are kept", len(s.recent.events), s.recent.bytes)
	}
	if inMemory < 100 {
		t.Errorf("%d of 150 queries were answered from memory", inMemory)
	}
}

func compareRecent(t *testing.T, s *Store, q store.LogQuery, end int64) (inMemory int) {
	t.Helper()
	got, next, ok := s.recent.read(&q)
	if !ok {
		return 0
	}
	text, args := ask.Log(&q, end)
	want, err := collect(t.Context(), s, question{"read the log", text, args}, scanEvent)
	if err != nil {
		t.Fatal(err)
	}
	if len(want) == q.Limit {
		end = want[len(want)-1].Seq
	}
	if next != end || len(got) != len(want) {
		t.Fatalf("%+v: %d events up to %d, want %d up to %d", q, len(got), next, len(want), end)
	}
	for i := range got {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Fatalf("%+v:\n got %+v\nwant %+v", q, got[i], want[i])
		}
	}
	return 1
}
