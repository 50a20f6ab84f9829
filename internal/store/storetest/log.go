package storetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"parley/internal/store"
)

func testFilters(t *testing.T, s store.Store) {
	types := []string{"conference_created", "conference_updated", "conferencecall_joined", "call_created", "CALL_created", "call%", "évé_a"}
	var all []store.Event
	for i := range 60 {
		e := store.Event{
			ID: id(i), Type: types[i%len(types)], At: start, CustomerID: id(i % 2), Conference: []string{"", id(10), id(11)}[i%3],
			Resource: id(100 + i%5), Data: json.RawMessage(`{}`),
		}
		if i%10 == 0 {
			e.CustomerID, e.Resource = "", ""
		}
		c := &store.Change{Key: fmt.Sprintf("k/%d", i), Events: []store.Event{e}}
		add(t, s, c)
		all = append(all, c.Events[0])
	}
	tests := map[string]store.LogQuery{
		"all":          {},
		"after":        {After: 17},
		"at the end":   {After: 60},
		"customer":     {CustomerID: id(1)},
		"conference":   {Conference: id(10)},
		"resource":     {Resource: id(103)},
		"nobody":       {CustomerID: id(77)},
		"three":        {CustomerID: id(1), Conference: id(11), Resource: id(102)},
		"type":         {Types: []string{"call_created"}},
		"types":        {Types: []string{"call_created", "conference_updated", "nothing"}},
		"prefix":       {Types: []string{"conference*"}},
		"prefix _":     {Types: []string{"conference_*"}},
		"prefix %":     {Types: []string{"call%*"}},
		"prefix é":     {Types: []string{"évé_*"}},
		"mixed":        {Types: []string{"conferencecall*", "call_created"}, CustomerID: id(0), After: 5},
		"any type":     {Types: []string{"nothing", "*"}},
		"no such type": {Types: []string{"nothing", "no*"}},
	}
	for name, q := range tests {
		want := matching(all, q)
		for _, limit := range []int{1, 3, 1000} {
			q.Limit = limit
			if got := readAll(t, s, q); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s, %d at once: got %v, want %v", name, limit, got, want)
			}
		}
	}
	_, next, err := s.Events(ctxOf(t), store.LogQuery{After: 100, Limit: 5})
	must(t, err)
	if next != 100 {
		t.Errorf("behind the end next is %d, want 100", next)
	}
}

// readAll follows next until the end of the log.
func readAll(t *testing.T, s store.Store, q store.LogQuery) (seqs []int64) {
	t.Helper()
	for {
		events, next, err := s.Events(ctxOf(t), q)
		must(t, err)
		if len(events) > q.Limit || next < q.After {
			t.Fatalf("%d events with limit %d, next %d after %d", len(events), q.Limit, next, q.After)
		}
		for _, e := range events {
			seqs = append(seqs, e.Seq)
		}
		if next == q.After {
			return seqs
		}
		q.After = next
	}
}

func matching(all []store.Event, q store.LogQuery) (seqs []int64) {
	for _, e := range all {
		fits := len(q.Types) == 0 || slices.ContainsFunc(q.Types, func(p string) bool {
			prefix, ok := strings.CutSuffix(p, "*")
			return p == e.Type || ok && strings.HasPrefix(e.Type, prefix)
		})
		if fits && e.Seq > q.After && (q.CustomerID == "" || q.CustomerID == e.CustomerID) &&
			(q.Conference == "" || q.Conference == e.Conference) && (q.Resource == "" || q.Resource == e.Resource) {
			seqs = append(seqs, e.Seq)
		}
	}
	return seqs
}

// testOrder follows the log with a hint and a cursor while many write: a number that has been passed is never filled in later.
func testOrder(t *testing.T, s store.Store) {
	const writers, each = 16, 25
	hint, end := s.Hints()
	defer end()
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for v := range int64(each) {
				c := update(w, v)
				if err := s.Append(ctxOf(t), c); err != nil {
					t.Errorf("writer %d: %v", w, err)
					return
				}
				if seq, version, err := s.Last(ctxOf(t), c.Key); err != nil || version != v+1 || seq < c.Events[0].Seq {
					t.Errorf("writer %d does not see what it wrote: %d, %d, %v", w, seq, version, err)
				}
			}
		})
	}
	ctx := ctxOf(t)
	versions := map[string]int64{}
	for q := (store.LogQuery{Limit: 7}); q.After < writers*each; {
		events, next, err := s.Events(ctx, q)
		must(t, err)
		for i, e := range events {
			if e.Seq != q.After+int64(i)+1 {
				t.Fatalf("after %d came %d", q.After+int64(i), e.Seq)
			}
			if versions[e.Key]++; e.Version != versions[e.Key] {
				t.Fatalf("%s: version %d, want %d", e.Key, e.Version, versions[e.Key])
			}
		}
		if next != q.After+int64(len(events)) {
			t.Fatalf("%d events after %d, but next is %d", len(events), q.After, next)
		}
		q.After = next
		if len(events) > 0 {
			continue
		}
		select {
		case <-hint:
		case <-ctx.Done():
			t.Fatalf("no hint after %d", q.After)
		}
	}
	wg.Wait()
}

func testHints(t *testing.T, s store.Store) {
	one, endOne := s.Hints()
	two, endTwo := s.Hints()
	defer endTwo()
	if cap(one) != 1 || len(one) != 0 {
		t.Fatalf("capacity %d, %d hints before any commit", cap(one), len(one))
	}
	wait := func(c <-chan struct{}) {
		t.Helper()
		select {
		case <-c:
		case <-ctxOf(t).Done():
			t.Fatal("no hint")
		}
	}
	for v := range int64(3) {
		add(t, s, update(1, v)) // nobody reads: hints merge, nobody waits
	}
	wait(one)
	wait(two)
	endOne()
	endOne()
	if len(one)+len(two) != 0 {
		t.Fatal("hints do not merge")
	}
	add(t, s, update(1, 3))
	wait(two)
	if len(one) != 0 {
		t.Fatal("a hint after the end")
	}
}

func testCursors(t *testing.T, s store.Store) {
	want := func(reader string, seq int64) {
		t.Helper()
		got, err := s.Cursor(ctxOf(t), reader)
		must(t, err)
		if got != seq {
			t.Fatalf("cursor of %s is %d, want %d", reader, got, seq)
		}
	}
	want("a", 0)
	for _, seq := range []int64{5, 9, 2, 0, 1 << 60} { // forth and back
		must(t, s.SetCursor(ctxOf(t), "a", seq))
		want("a", seq)
		want("b", 0)
	}
	if s.SetCursor(ctxOf(t), "", 1) == nil || s.SetCursor(ctxOf(t), "a", -1) == nil {
		t.Fatal("a cursor without reader, or before the start, was kept")
	}
}
