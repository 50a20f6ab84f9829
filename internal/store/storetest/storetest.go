// Package storetest is the suite that every store passes: what package store promises, tried through its front door. It owns
// nothing and starts goroutines only inside its tests. What a store does about its own files, connections and crashes is tested
// by that store.
package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"parley/internal/fault"
	"parley/internal/store"
)

// Run runs the suite. open opens the data that belongs to t.Name(): empty at first; after the store was closed, what was left there.
// The store must be an io.Closer; open sees to it that it is closed when t ends, and Close must bear being called twice.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	tests := []struct {
		name string
		run  func(*testing.T, store.Store)
	}{
		{"Append", testAppend},
		{"Replace", testReplace},
		{"Fence", testFence},
		{"FenceRace", testFenceRace},
		{"Atomic", testAtomic},
		{"Group", testGroup},
		{"Names", testNames},
		{"Refuse", testRefuse},
		{"Context", testContext},
		{"Paging", testPaging},
		{"Queries", testQueries},
		{"Due", testDue},
		{"Limits", testLimits},
		{"Filters", testFilters},
		{"Order", testOrder},
		{"Causes", testCauses},
		{"Hints", testHints},
		{"Cursors", testCursors},
		{"Notes", testNotes},
		{"Answers", testAnswers},
		{"AnswerInChange", testAnswerInChange},
		{"ClaimRace", testClaimRace},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, open(t)) })
	}
	t.Run("Reopen", func(t *testing.T) { testReopen(t, open) })
}

// start is when everything here begins.
var start = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)

// id returns the n-th id. Ids ascend with n.
func id(n int) string { return fmt.Sprintf("%08x-0000-4000-8000-%012x", n, n) }

func key(n int) string { return "conference/" + id(n) }

// record returns a live conference.
func record(n int) store.Record {
	return store.Record{
		Kind: store.Conference, ID: id(n), CustomerID: id(1), Status: "progressing", Type: "conference", Live: true,
		Created: start.Add(time.Duration(n) * time.Second), Doc: json.RawMessage(fmt.Sprintf(`{"n":%d}`, n)),
	}
}

func event(n int, kind string) store.Event {
	return store.Event{
		ID: id(1000 + n), Type: kind, At: start.Add(time.Duration(n) * time.Second), CustomerID: id(1),
		Conference: id(n), Resource: id(n), Data: json.RawMessage(`{"a":"é"}`),
	}
}

// create returns the change that makes the n-th conference.
func create(n int) *store.Change {
	return &store.Change{
		Key: key(n), Events: []store.Event{event(n, "conference_created"), event(n, "conference_updated")},
		Records: []store.Record{record(n)},
	}
}

// update returns the change that counts a key up by one.
func update(n int, version int64) *store.Change {
	return &store.Change{Key: key(n), Version: version, Events: []store.Event{event(n, "conference_updated")}}
}

func ctxOf(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func add(t *testing.T, s store.Store, changes ...*store.Change) {
	t.Helper()
	for _, c := range changes {
		if err := s.Append(ctxOf(t), c); err != nil {
			t.Fatalf("append to %s: %v", c.Key, err)
		}
	}
}

// wantFault checks kind and reason; an empty reason is not compared.
func wantFault(t *testing.T, err error, kind fault.Kind, reason string) {
	t.Helper()
	f, ok := fault.Of(err)
	if !ok || f.Kind != kind || (reason != "" && f.Reason != reason) {
		t.Fatalf("got error %v, want kind %d reason %q", err, kind, reason)
	}
}

func wantFenced(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, store.ErrFenced) {
		t.Fatalf("got error %v, want %v", err, store.ErrFenced)
	}
}

func wantLast(t *testing.T, s store.Store, key string, seq, version int64) {
	t.Helper()
	gotSeq, gotVersion, err := s.Last(ctxOf(t), key)
	must(t, err)
	if gotSeq != seq || gotVersion != version {
		t.Fatalf("Last(%q) = %d, %d; want %d, %d", key, gotSeq, gotVersion, seq, version)
	}
}

// wantRecord reads a record back and compares all of it.
func wantRecord(t *testing.T, s store.Store, want store.Record) {
	t.Helper()
	got, err := s.Get(ctxOf(t), want.Kind, want.ID)
	must(t, err)
	if !sameRecord(got, want) {
		t.Fatalf("record differs:\n got %+v\nwant %+v", got, want)
	}
}

func sameRecord(a, b store.Record) bool {
	if !sameJSON(a.Doc, b.Doc) || !sameTime(a.Created, b.Created) || !sameTime(a.Deadline, b.Deadline) {
		return false
	}
	a.Doc, b.Doc = nil, nil
	a.Created, a.Deadline = b.Created, b.Deadline
	return fmt.Sprint(a) == fmt.Sprint(b)
}

// sameTime wants a, which was read, in UTC and cut to microseconds.
func sameTime(a, b time.Time) bool {
	if b.IsZero() {
		return a.IsZero()
	}
	return a.Equal(b.Truncate(time.Microsecond)) && a.Location() == time.UTC
}

// sameJSON compares values, because a database may keep JSON in a form of its own.
func sameJSON(a, b json.RawMessage) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && fmt.Sprint(x) == fmt.Sprint(y)
}

func ids(records []store.Record) []string {
	out := make([]string, len(records))
	for i, r := range records {
		out[i] = r.ID
	}
	return out
}

func closeStore(t *testing.T, s store.Store) {
	t.Helper()
	c, ok := s.(io.Closer)
	if !ok {
		t.Fatalf("%T has no Close", s)
	}
	must(t, c.Close())
}
