package storetest

import (
	"encoding/json"
	"testing"

	"parley/internal/store"
	"parley/internal/store/cause"
)

// testCauses has events with a cause of their own, with that of the context, and with none.
func testCauses(t *testing.T, s store.Store) {
	c := create(1)
	c.Events[1].Cause = cause.ByTimer
	must(t, s.Append(cause.With(ctxOf(t), cause.Cause{Kind: cause.API, RequestID: "req_1"}), c))
	none := update(1, 2)
	must(t, s.Append(ctxOf(t), none))
	rows, _, err := s.Events(ctxOf(t), store.LogQuery{Limit: 10})
	must(t, err)
	want := []string{`{"kind":"api","request_id":"req_1"}`, `{"kind":"timer"}`, ""}
	for i, w := range want {
		if got := rows[i].Cause; string(got) != w || (w == "") != (got == nil) {
			t.Errorf("entry %d has cause %q, want %q", i+1, got, w)
		}
	}
	if got := string(c.Events[0].Cause); got != want[0] {
		t.Errorf("after the append the event says %q, want %q", got, want[0])
	}
	entry, err := json.Marshal(rows[2].Entry())
	must(t, err)
	var fields map[string]any
	must(t, json.Unmarshal(entry, &fields))
	if _, shown := fields["cause"]; shown {
		t.Errorf("an entry without a cause shows one: %s", entry)
	}
}
