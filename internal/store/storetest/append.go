package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"parley/internal/fault"
	"parley/internal/store"
)

func testAppend(t *testing.T, s store.Store) {
	wantLast(t, s, "", 0, 0)
	wantLast(t, s, key(7), 0, 0)
	c := create(7)
	c.Records[0].Created = c.Records[0].Created.Add(789).In(time.FixedZone("elsewhere", 3600))
	c.Records[0].Deadline = start.Add(time.Hour)
	c.Records[0].Reference, c.Records[0].Conference = id(70), id(71)
	add(t, s, c)
	for i, e := range c.Events {
		if e.Seq != int64(i+1) || e.Version != int64(i+1) || e.Key != key(7) {
			t.Errorf("event %d: seq %d, version %d, key %q", i, e.Seq, e.Version, e.Key)
		}
	}
	if v := c.Records[0].Version; v != 2 {
		t.Errorf("record has version %d, want 2", v)
	}
	wantRecord(t, s, c.Records[0])
	wantLast(t, s, key(7), 2, 2)
	wantLast(t, s, key(8), 2, 0)
	_, err := s.Get(ctxOf(t), store.Conference, id(8))
	wantFault(t, err, fault.NotFound, "")
	_, err = s.Get(ctxOf(t), store.Call, id(7))
	wantFault(t, err, fault.NotFound, "")
	events, next, err := s.Events(ctxOf(t), store.LogQuery{Limit: 10})
	must(t, err)
	if len(events) != 2 || next != 2 || !sameEvent(events[0], c.Events[0]) || !sameEvent(events[1], c.Events[1]) {
		t.Fatalf("log differs, next %d:\n got %+v\nwant %+v", next, events, c.Events)
	}
}

func sameEvent(a, b store.Event) bool {
	if !sameJSON(a.Data, b.Data) || !sameTime(a.At, b.At) {
		return false
	}
	a.Data, b.Data, a.At = nil, nil, b.At
	return fmt.Sprint(a) == fmt.Sprint(b)
}

func testReplace(t *testing.T, s store.Store) {
	add(t, s, create(1), create(2))
	c := update(1, 2)
	r := record(1)
	r.Status, r.Type, r.Live, r.Deleted, r.CustomerID = "terminated", "connect", false, true, id(9)
	r.Doc = json.RawMessage(`{"text":"a \" ' ; -- 漢 😀","deep":[1,2,{"x":null}]}`)
	c.Records = []store.Record{r, {Kind: store.Call, ID: id(50), Created: start, Doc: json.RawMessage(`{}`)}}
	add(t, s, c)
	r.Version = 3
	wantRecord(t, s, r) // deleted, and still there by its id
	wantRecord(t, s, c.Records[1])
	other := record(2)
	other.Version = 2
	wantRecord(t, s, other)
}

func testFence(t *testing.T, s store.Store) {
	add(t, s, create(1))
	first, second := update(1, 2), update(1, 2) // two owners decide on the same version
	second.Records = []store.Record{record(99)}
	add(t, s, first)
	for _, c := range []*store.Change{second, update(1, 0), update(1, 4), update(1, 1), create(1), update(2, 1)} {
		before := fmt.Sprint(*c)
		wantFenced(t, s.Append(ctxOf(t), c))
		if got := fmt.Sprint(*c); got != before {
			t.Errorf("the refused change was altered:\n got %s\nwant %s", got, before)
		}
	}
	wantLast(t, s, key(1), 3, 3)
	wantLast(t, s, key(2), 3, 0)
	_, err := s.Get(ctxOf(t), store.Conference, id(99))
	wantFault(t, err, fault.NotFound, "")
	add(t, s, update(1, 3)) // who has read again goes on
}

// testFenceRace lets owners race for each version: one of them wins, the others are fenced.
func testFenceRace(t *testing.T, s store.Store) {
	const owners, rounds = 8, 20
	for v := range int64(rounds) {
		var wg sync.WaitGroup
		errs := make([]error, owners)
		for i := range owners {
			wg.Go(func() { errs[i] = s.Append(ctxOf(t), update(1, v)) })
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else {
				wantFenced(t, err)
			}
		}
		if won != 1 {
			t.Fatalf("version %d: %d owners won", v, won)
		}
	}
	wantLast(t, s, key(1), rounds, rounds)
}

func testAtomic(t *testing.T, s store.Store) {
	taken := create(1)
	taken.Names = []store.Name{{Space: "dial_in", Value: "100", Kind: store.Conference, ID: id(1)}}
	add(t, s, taken)
	c := create(2)
	c.Records = append(c.Records, record(3))
	c.Names = []store.Name{
		{Space: "dial_in", Value: "200", Kind: store.Conference, ID: id(2)},
		{Space: "dial_in", Value: "100", Kind: store.Conference, ID: id(2)}, // fails
	}
	c.Answer = &store.Answer{CustomerID: id(1), Key: "k", Status: 201, At: start}
	wantFault(t, s.Append(ctxOf(t), c), fault.Conflict, "ALREADY_EXISTS")
	wantLast(t, s, key(2), 2, 0)
	for _, n := range []int{2, 3} {
		_, err := s.Get(ctxOf(t), store.Conference, id(n))
		wantFault(t, err, fault.NotFound, "")
	}
	_, err := s.Resolve(ctxOf(t), "dial_in", "200")
	wantFault(t, err, fault.NotFound, "")
	known, err := s.Claim(ctxOf(t), store.Answer{CustomerID: id(1), Key: "k", At: start})
	must(t, err)
	if known != nil {
		t.Fatalf("the failed change left its answer: %+v", known)
	}
	c.Names, c.Answer = c.Names[:1], nil
	add(t, s, c) // the same change without its fault
	wantLast(t, s, key(2), 4, 2)
}

// testGroup mixes changes that fail with others at the same time: each fails alone.
func testGroup(t *testing.T, s store.Store) {
	const n = 64
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		c := create(i)
		switch i % 4 {
		case 1: // one of them gets the name
			c.Names = []store.Name{{Space: "direct", Value: "x", Kind: store.Conference, ID: id(i)}}
		case 2:
			c.Version = 5
		}
		wg.Go(func() { errs[i] = s.Append(ctxOf(t), c) })
	}
	wg.Wait()
	named, want := 0, int64(0)
	for i, err := range errs {
		switch i % 4 {
		case 1:
			if err != nil {
				wantFault(t, err, fault.Conflict, "ALREADY_EXISTS")
			} else {
				named++
			}
		case 2:
			wantFenced(t, err)
		default:
			must(t, err)
		}
		if err == nil {
			want += 2
		}
		rec, getErr := s.Get(ctxOf(t), store.Conference, id(i))
		if (getErr == nil) != (err == nil) {
			t.Errorf("change %d: append said %v, the record says %v %v", i, err, rec, getErr)
		}
	}
	if named != 1 {
		t.Errorf("%d records got one name", named)
	}
	wantLast(t, s, "", want, 0) // numbers without gaps: refused changes use none
}

func testNames(t *testing.T, s store.Store) {
	step := func(n int, version int64, names ...store.Name) error {
		c := update(n, version)
		c.Names = names
		return s.Append(ctxOf(t), c)
	}
	name := func(value string, n int) store.Name {
		return store.Name{Space: "dial_in", Value: value, Kind: store.Conference, ID: id(n)}
	}
	free := func(value string) store.Name { return store.Name{Space: "dial_in", Value: value} }
	has := func(value string, n int) {
		t.Helper()
		r, err := s.Resolve(ctxOf(t), "dial_in", value)
		must(t, err)
		if r.ID != id(n) || r.Kind != store.Conference || r.Version != 2 {
			t.Fatalf("%s is %+v, want conference %s", value, r, id(n))
		}
	}
	add(t, s, create(1), create(2))
	must(t, step(1, 2, name("100", 1), name("101", 1)))
	has("100", 1)
	has("101", 1)
	wantFault(t, step(2, 2, name("100", 2)), fault.Conflict, "ALREADY_EXISTS")
	call := store.Name{Space: "dial_in", Value: "100", Kind: store.Call, ID: id(1)}
	wantFault(t, step(2, 2, call), fault.Conflict, "ALREADY_EXISTS") // the same id of another kind is somebody else
	must(t, step(1, 3, name("100", 1)))                              // has it already
	must(t, step(2, 2, store.Name{Space: "extension", Value: "100", Kind: store.Conference, ID: id(2)}))
	has("100", 1)                       // spaces do not touch
	must(t, step(1, 4, free("100")))    // freed
	must(t, step(1, 5, free("100")))    // nobody has it
	must(t, step(2, 3, name("100", 2))) // taken by another
	must(t, step(1, 6, free("101")))    //
	must(t, step(1, 7, name("102", 1))) //
	has("100", 2)                       //
	_, err := s.Resolve(ctxOf(t), "dial_in", "101")
	wantFault(t, err, fault.NotFound, "")
	must(t, step(2, 4, free("100"), free("102"), name("102", 2), name("100", 2))) // in the order given
	has("102", 2)
	must(t, step(2, 5, name("999", 9))) // a name of a record that is not there
	_, err = s.Resolve(ctxOf(t), "dial_in", "999")
	wantFault(t, err, fault.NotFound, "")
}

func testRefuse(t *testing.T, s store.Store) {
	tests := map[string]func(*store.Change){
		"no key":              func(c *store.Change) { c.Key = "" },
		"negative version":    func(c *store.Change) { c.Version = -1 },
		"no events":           func(c *store.Change) { c.Events = nil },
		"event without id":    func(c *store.Change) { c.Events[1].ID = "" },
		"event without type":  func(c *store.Change) { c.Events[1].Type = "" },
		"event without time":  func(c *store.Change) { c.Events[1].At = time.Time{} },
		"event of other key":  func(c *store.Change) { c.Events[1].Key = key(3) },
		"event without data":  func(c *store.Change) { c.Events[1].Data = nil },
		"event, broken data":  func(c *store.Change) { c.Events[1].Data = json.RawMessage(`{`) },
		"record without kind": func(c *store.Change) { c.Records[0].Kind = "" },
		"record without id":   func(c *store.Change) { c.Records[0].ID = "" },
		"record without time": func(c *store.Change) { c.Records[0].Created = time.Time{} },
		"record without doc":  func(c *store.Change) { c.Records[0].Doc = nil },
		"name without space":  func(c *store.Change) { c.Names = []store.Name{{Value: "x"}} },
		"name without kind":   func(c *store.Change) { c.Names = []store.Name{{Space: "s", Value: "x", ID: id(1)}} },
		"answer without key":  func(c *store.Change) { c.Answer = &store.Answer{Status: 200} },
	}
	for name, spoil := range tests {
		c := create(1)
		spoil(c)
		if err := s.Append(ctxOf(t), c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	wantLast(t, s, key(1), 0, 0)
}

func testContext(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	calls := map[string]func() error{
		"Append":    func() error { return s.Append(ctx, create(1)) },
		"Get":       func() error { _, err := s.Get(ctx, store.Conference, id(1)); return err },
		"Resolve":   func() error { _, err := s.Resolve(ctx, "s", "v"); return err },
		"List":      func() error { _, err := s.List(ctx, store.Query{Kind: store.Call, Limit: 1}); return err },
		"Due":       func() error { _, err := s.Due(ctx, store.Call, start, 1); return err },
		"Events":    func() error { _, _, err := s.Events(ctx, store.LogQuery{Limit: 1}); return err },
		"Last":      func() error { _, _, err := s.Last(ctx, ""); return err },
		"Cursor":    func() error { _, err := s.Cursor(ctx, "r"); return err },
		"SetCursor": func() error { return s.SetCursor(ctx, "r", 1) },
		"Claim":     func() error { _, err := s.Claim(ctx, store.Answer{Key: "k"}); return err },
		"Finish":    func() error { return s.Finish(ctx, store.Answer{Key: "k"}) },
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want %v", name, err, context.Canceled)
		}
	}
	wantLast(t, s, key(1), 0, 0)
	add(t, s, create(1))
}

func testReopen(t *testing.T, open func(*testing.T) store.Store) {
	s := open(t)
	c := create(1)
	c.Records[0].Deadline = start.Add(time.Hour)
	c.Names = []store.Name{{Space: "dial_in", Value: "100", Kind: store.Conference, ID: id(1)}}
	c.Answer = &store.Answer{CustomerID: id(1), Key: "k", Request: [32]byte{1}, Status: 201, Body: []byte("made"), At: time.Now()}
	add(t, s, c)
	must(t, s.SetCursor(ctxOf(t), "webhook/1", 2))
	closeStore(t, s)

	s = open(t)
	wantRecord(t, s, c.Records[0])
	wantLast(t, s, key(1), 2, 2)
	named, err := s.Resolve(ctxOf(t), "dial_in", "100")
	must(t, err)
	due, err := s.Due(ctxOf(t), store.Conference, start.Add(time.Hour), 10)
	must(t, err)
	list, err := s.List(ctxOf(t), store.Query{Kind: store.Conference, Live: true, Limit: 10})
	must(t, err)
	if named.ID != id(1) || fmt.Sprint(ids(due), ids(list)) != fmt.Sprint([]string{id(1)}, []string{id(1)}) {
		t.Fatalf("named %s, due %v, listed %v", named.ID, ids(due), ids(list))
	}
	cursor, err := s.Cursor(ctxOf(t), "webhook/1")
	must(t, err)
	known, err := s.Claim(ctxOf(t), store.Answer{CustomerID: id(1), Key: "k", Request: [32]byte{1}, At: time.Now()})
	must(t, err)
	if cursor != 2 || known == nil || known.Status != 201 || string(known.Body) != "made" {
		t.Fatalf("cursor %d, answer %+v", cursor, known)
	}
	wantFenced(t, s.Append(ctxOf(t), create(1)))
	next := update(1, 2)
	add(t, s, next)
	if next.Events[0].Seq != 3 {
		t.Fatalf("the log goes on with %d, want 3", next.Events[0].Seq)
	}
	closeStore(t, s)
	wantFault(t, s.Append(ctxOf(t), update(1, 3)), fault.Unavailable, "STORE_CLOSED")
	_, err = s.Get(ctxOf(t), store.Conference, id(1))
	wantFault(t, err, fault.Unavailable, "STORE_CLOSED")
}
