package storetest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"parley/internal/fault"
	"parley/internal/store"
)

// load writes records, many to a change.
func load(t *testing.T, s store.Store, records []store.Record) {
	t.Helper()
	_, version, err := s.Last(ctxOf(t), "load")
	must(t, err)
	for part := range slices.Chunk(records, 100) {
		add(t, s, &store.Change{Key: "load", Version: version, Events: []store.Event{event(1, "loaded")}, Records: part})
		version++
	}
}

// inOrder compares records by the order of lists.
func inOrder(a, b store.Record) int {
	if c := b.Created.Compare(a.Created); c != 0 {
		return c
	}
	return cmp.Compare(b.ID, a.ID)
}

// pages reads a list to its end, page by page, and calls between after each page.
func pages(t *testing.T, s store.Store, q store.Query, between func(page int)) []store.Record {
	t.Helper()
	var all []store.Record
	for n := 0; ; n++ {
		page, err := s.List(ctxOf(t), q)
		must(t, err)
		if len(page) > q.Limit {
			t.Fatalf("page of %d records, limit %d", len(page), q.Limit)
		}
		all = append(all, page...)
		if len(page) < q.Limit {
			return all
		}
		last := page[len(page)-1]
		q.Before = store.Cursor{Created: last.Created, ID: last.ID}
		between(n)
	}
}

// testPaging pages through records many of which are equally old, while others are added and finished.
func testPaging(t *testing.T, s store.Store) {
	var records []store.Record
	for i := range 150 {
		r := record(i + 1000)
		r.Created = start.Add(time.Duration(i/40) * time.Microsecond) // forty of the same moment
		r.Status = []string{"progressing", "terminated"}[i%2]
		records = append(records, r)
	}
	load(t, s, records)
	slices.SortFunc(records, inOrder)
	old := func(r store.Record) bool { return r.ID < id(1000) || r.ID >= id(3000) }
	added := 0
	for _, limit := range []int{1, 7, 40, 149, 150, 151, 1000} {
		for _, deleted := range []bool{false, true} {
			q := store.Query{Kind: store.Conference, CustomerID: id(1), Limit: limit, Deleted: deleted}
			got := pages(t, s, q, func(page int) {
				if page > 3 {
					return
				}
				older, newer := record(added+1), record(added+3000)
				older.Created, newer.Created = start.Add(-time.Hour), start.Add(time.Hour)
				added++
				load(t, s, []store.Record{older, newer})
			})
			got = slices.DeleteFunc(got, old)
			if fmt.Sprint(ids(got)) != fmt.Sprint(ids(records)) {
				t.Fatalf("limit %d, deleted %v: got %d of %d records, or in another order", limit, deleted, len(got), len(records))
			}
		}
	}
}

// testQueries compares lists with a filter over a slice, for every combination of fields that chance brings.
func testQueries(t *testing.T, s store.Store) {
	const seed = 20260301
	rnd := rand.New(rand.NewPCG(seed, seed))
	pick := func(from ...string) string { return from[rnd.IntN(len(from))] }
	var records []store.Record
	for i := range 400 {
		r := store.Record{
			Kind: store.Kind(pick("conference", "conferencecall")), ID: id(i), CustomerID: pick(id(1), id(2)),
			Conference: pick("", id(500), id(501)), Reference: pick("", id(600), id(601)),
			Status: pick("joining", "joined", "leaving", "leaved"), Type: pick("", "conference", "connect"),
			Live: rnd.IntN(2) == 0, Deleted: rnd.IntN(3) == 0, Created: start.Add(time.Duration(rnd.IntN(20)) * time.Second),
			Doc: json.RawMessage(`{}`),
		}
		records = append(records, r)
	}
	load(t, s, records)
	slices.SortFunc(records, inOrder)
	some := func(from ...string) (out []string) {
		for _, f := range from {
			if rnd.IntN(3) == 0 {
				out = append(out, f)
			}
		}
		return out
	}
	for range 300 {
		q := store.Query{
			Kind: store.Kind(pick("conference", "conferencecall")), CustomerID: pick("", id(1), id(2)),
			Conference: pick("", "", id(500), id(501), id(502)), Reference: pick("", "", id(600), id(601)),
			Status: some("joining", "joined", "leaved", "other", "x", "y", "z", "joined"), Type: some("", "conference", "connect"),
			Live: rnd.IntN(2) == 0, Deleted: rnd.IntN(2) == 0, Limit: 1 + rnd.IntN(30),
		}
		if rnd.IntN(2) == 0 {
			at := records[rnd.IntN(len(records))]
			q.Before = store.Cursor{Created: at.Created, ID: at.ID}
		}
		got, err := s.List(ctxOf(t), q)
		must(t, err)
		if want := filter(records, q); fmt.Sprint(ids(got)) != fmt.Sprint(ids(want)) {
			t.Fatalf("seed %d: %+v:\n got %v\nwant %v", seed, q, ids(got), ids(want))
		}
	}
}

// filter is what List promises, over a sorted slice.
func filter(records []store.Record, q store.Query) (out []store.Record) {
	for _, r := range records {
		before := store.Record{Created: q.Before.Created, ID: q.Before.ID}
		switch {
		case r.Kind != q.Kind, r.Deleted && !q.Deleted, q.Live && !r.Live,
			q.CustomerID != "" && r.CustomerID != q.CustomerID,
			q.Conference != "" && r.Conference != q.Conference,
			q.Reference != "" && r.Reference != q.Reference,
			len(q.Status) > 0 && !slices.Contains(q.Status, r.Status),
			len(q.Type) > 0 && !slices.Contains(q.Type, r.Type),
			q.Before != (store.Cursor{}) && inOrder(r, before) <= 0,
			len(out) == q.Limit:
		default:
			out = append(out, r)
		}
	}
	return out
}

func testDue(t *testing.T, s store.Store) {
	at := start.Add(time.Hour)
	var records []store.Record
	for i, d := range []time.Duration{5, 3, 3, 1, 0, -1, -1} { // id(2) and id(3) at the same time
		r := record(i + 1)
		r.Deadline = at.Add(-d * time.Microsecond)
		records = append(records, r)
	}
	records[3].Live = false
	records[0].Deleted = true
	never := record(50)
	call := record(51)
	call.Kind, call.Deadline = store.Call, start
	load(t, s, append(records, never, call))
	due := func(at time.Time, limit int) []string {
		t.Helper()
		got, err := s.Due(ctxOf(t), store.Conference, at, limit)
		must(t, err)
		return ids(got)
	}
	want := []string{id(1), id(2), id(3), id(5)}
	if got := due(at, 10); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("due: %v, want %v", got, want)
	}
	if got := due(at, 2); fmt.Sprint(got) != fmt.Sprint(want[:2]) {
		t.Errorf("first two due: %v, want %v", got, want[:2])
	}
	if got := due(start, 10); len(got) != 0 {
		t.Errorf("due long before: %v", got)
	}
	records[0].Deadline = time.Time{} // extended for ever
	records[1].Deadline = at.Add(time.Hour)
	load(t, s, records[:2])
	if got, want := due(at, 10), want[2:]; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("due after an extension: %v, want %v", got, want)
	}
}

func testLimits(t *testing.T, s store.Store) {
	add(t, s, create(1))
	for _, limit := range []int{-1, 0, 1001} {
		_, err := s.List(ctxOf(t), store.Query{Kind: store.Conference, Limit: limit})
		wantFault(t, err, fault.Invalid, "INVALID_ARGUMENT")
		_, err = s.Due(ctxOf(t), store.Conference, start, limit)
		wantFault(t, err, fault.Invalid, "INVALID_ARGUMENT")
		_, _, err = s.Events(ctxOf(t), store.LogQuery{Limit: limit})
		wantFault(t, err, fault.Invalid, "INVALID_ARGUMENT")
	}
	_, _, err := s.Events(ctxOf(t), store.LogQuery{After: -1, Limit: 1})
	wantFault(t, err, fault.Invalid, "INVALID_ARGUMENT")
	for _, pattern := range []string{"", "*x", "a*b", "**"} {
		_, _, err := s.Events(ctxOf(t), store.LogQuery{Types: []string{pattern}, Limit: 1})
		wantFault(t, err, fault.Invalid, "INVALID_ARGUMENT")
	}
	if _, err := s.List(ctxOf(t), store.Query{Limit: 1}); err == nil {
		t.Error("a query without a kind was answered")
	}
}
