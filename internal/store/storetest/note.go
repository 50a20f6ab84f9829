package storetest

import (
	"encoding/json"
	"testing"
	"time"

	"parley/internal/store"
)

// note returns the n-th record of a kind that the log does not tell of.
func note(n int, live bool) store.Record {
	return store.Record{
		Kind: store.Delivery, ID: id(n), CustomerID: id(1), Reference: id(2), Status: "pending", Live: live,
		Created: start.Add(time.Duration(n) * time.Second), Deadline: start.Add(time.Hour), Doc: json.RawMessage(`{"n":1}`),
	}
}

func testNotes(t *testing.T, st store.Store) {
	ctx := t.Context()
	must(t, st.Append(ctx, create(1)))
	seq, _, err := st.Last(ctx, "")
	must(t, err)
	must(t, st.Note(ctx, "reader", 1, []store.Record{note(1, true), note(2, false), note(3, false)}))
	if at, err := st.Cursor(ctx, "reader"); err != nil || at != 1 {
		t.Errorf("cursor is at %d, %v", at, err)
	}
	if now, _, err := st.Last(ctx, ""); err != nil || now != seq {
		t.Errorf("a note moved the log to %d, %v", now, err)
	}
	again := note(1, true)
	again.Status = "delivered"
	must(t, st.Note(ctx, "", 0, []store.Record{again}))
	if r, err := st.Get(ctx, store.Delivery, id(1)); err != nil || r.Status != "delivered" || !r.Deadline.Equal(again.Deadline) || !r.Live {
		t.Errorf("noted again: %+v, %v", r, err)
	}
	if err := st.Note(ctx, "", 0, nil); err == nil {
		t.Error("a note of nothing was taken")
	}
	if err := st.Note(ctx, "reader", 5, []store.Record{{Kind: store.Delivery}}); err == nil {
		t.Error("a broken record was taken")
	}
	if at, err := st.Cursor(ctx, "reader"); err != nil || at != 1 {
		t.Errorf("a refused note moved the cursor to %d, %v", at, err)
	}
	for _, want := range []int{1, 1, 0} { // the live one stays
		n, err := st.Forget(ctx, store.Delivery, start.Add(time.Minute), 1)
		if err != nil || n != want {
			t.Errorf("forgot %d, %v, want %d", n, err, want)
		}
	}
	if n, err := st.Forget(ctx, store.Delivery, start, 0); err == nil {
		t.Errorf("limit 0 forgot %d", n)
	}
	left, err := st.List(ctx, store.Query{Kind: store.Delivery, Reference: id(2), Limit: 10})
	if err != nil || len(left) != 1 || left[0].ID != id(1) {
		t.Errorf("left: %v, %v", left, err)
	}
}
