package sqlite

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"parley/internal/store"
	"parley/internal/store/sqlite/ask"
)

// TestShapes: whatever changes of a record, what is read and what is listed is the record as it was written last.
func TestShapes(t *testing.T) {
	s := openTest(t, t.TempDir(), defaults)
	now := time.Now().UTC().Truncate(time.Microsecond)
	r := store.Record{
		Kind: store.Call, ID: uuid.NewString(), CustomerID: "customer", Conference: "room", Reference: "ref", Status: "new", Type: "a", Live: true, Created: now,
	}
	key, version := "call/"+r.ID, int64(0)
	write := func() {
		t.Helper()
		version++
		r.Doc = json.RawMessage(fmt.Sprintf(`{"n":%d}`, version))
		c := &store.Change{Key: key, Version: version - 1, Records: []store.Record{r}, Events: []store.Event{{ID: uuid.NewString(), Type: "x", At: now, Data: r.Doc}}}
		if err := s.Append(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		r.Version = version
		have, err := s.Get(t.Context(), r.Kind, r.ID)
		if err != nil || fmt.Sprint(have) != fmt.Sprint(r) {
			t.Fatalf("%v, %v; want %v", have, err, r)
		}
		for _, q := range []struct {
			query store.Query
			found bool
		}{
			{store.Query{Status: []string{r.Status}, CustomerID: r.CustomerID}, !r.Deleted},
			{store.Query{Status: []string{"none"}, CustomerID: r.CustomerID}, false},
			{store.Query{Live: true, Deleted: true}, r.Live},
			{store.Query{Reference: r.Reference}, !r.Deleted},
			{store.Query{Conference: r.Conference, Live: true}, r.Live && !r.Deleted},
			{store.Query{Conference: r.Conference, Deleted: true}, true},
		} {
			q.query.Kind, q.query.Limit = r.Kind, 10
			list, err := s.List(t.Context(), q.query)
			if err != nil || len(list) > 1 || (len(list) == 1) != q.found {
				t.Errorf("version %d, %+v: %v, %v", version, q.query, list, err)
			}
		}
		due, err := s.Due(t.Context(), r.Kind, now.Add(time.Hour), 10)
		if err != nil || (len(due) == 1) != (r.Live && !r.Deadline.IsZero()) {
			t.Errorf("version %d: due %v, %v", version, due, err)
		}
	}
	for _, change := range []func(){
		func() {},
		func() {},                   // the document alone
		func() { r.Status = "old" }, // the status
		func() { r.Deadline = now.Add(time.Minute) },       // what the reaper looks for
		func() { r.Deadline, r.Status = time.Time{}, "o" }, // and no more
		func() { r.Conference, r.Reference = "hall", "other" },
		func() { r.CustomerID, r.Type = "somebody", "b" },
		func() { r.Live, r.Status = false, "end" },
		func() { r.Deleted = true },
		func() {},
	} {
		change()
		write()
	}
	// What is gone meanwhile is made again.
	r.Deleted = false
	write()
	if n, err := s.Forget(t.Context(), r.Kind, now.Add(time.Hour), 10); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	write()
}

// TestManyEvents: the entries of one change follow each other, however many they are.
func TestManyEvents(t *testing.T) {
	s := openTest(t, t.TempDir(), defaults)
	last, version := int64(0), int64(0)
	for n := 1; n <= 3*eventsMax+1; n++ {
		c := &store.Change{Key: "k", Version: version}
		for i := range n {
			c.Events = append(c.Events, store.Event{ID: uuid.NewString(), Type: fmt.Sprintf("t%d", i), At: time.Now(), Data: json.RawMessage("{}")})
		}
		if err := s.Append(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		have, _, err := s.Events(t.Context(), store.LogQuery{After: last, Limit: 1000})
		if err != nil || len(have) != n {
			t.Fatalf("%d entries of %d, %v", len(have), n, err)
		}
		text, args := ask.Log(&store.LogQuery{After: last, Limit: 1000}, last+int64(n))
		stored, err := collect(t.Context(), s, question{"read the log", text, args}, scanEvent)
		if err != nil || len(stored) != n {
			t.Fatalf("%d stored entries of %d, %v", len(stored), n, err)
		}
		for i, e := range stored {
			last, version = last+1, version+1
			if e.Seq != last || e.Version != version || e.Type != fmt.Sprintf("t%d", i) || c.Events[i].Seq != last || c.Events[i].ID != e.ID || have[i].ID != e.ID {
				t.Fatalf("entry %d of %d: %+v; want number %d, version %d", i, n, e, last, version)
			}
		}
	}
}

// TestRefusedAmongOthers: one that is refused takes nobody of its group along, and leaves nothing.
func TestRefusedAmongOthers(t *testing.T) {
	s := openTest(t, t.TempDir(), defaults)
	first := change()
	if err := s.Append(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	release := hold(t, s)
	defer release()
	changes := []*store.Change{change(), change(), change(), change(), change()}
	stale := *first
	stale.Version = 1
	changes[2] = &stale
	errs := make([]error, len(changes))
	var all sync.WaitGroup
	for i, c := range changes {
		all.Go(func() { errs[i] = s.Append(t.Context(), c) })
		for s.Stats().Queue <= i {
			runtime.Gosched()
		}
	}
	release()
	all.Wait()
	for i, err := range errs {
		if (i == 2) != errors.Is(err, store.ErrFenced) || i != 2 && err != nil {
			t.Errorf("change %d: %v", i, err)
		}
	}
	st := s.Stats()
	if st.Appends != 5 || st.Refused != 1 || st.Largest != 4 {
		t.Errorf("%+v", st)
	}
	if have, _, err := s.Events(t.Context(), store.LogQuery{Limit: 100}); err != nil || len(have) != 10 || have[9].Seq != 10 {
		t.Errorf("%d entries, %v", len(have), err)
	}
}
