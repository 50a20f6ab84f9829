package api_test

import (
	"slices"
	"testing"
)

func TestWhoHearsWhom(t *testing.T) {
	w := newWorld(t)
	id := w.must("POST", "/conferences", object{}).id()
	boss, ada, bob := w.join(id, "boss", ""), w.join(id, "ada", ""), w.join(id, "bob", "")
	path := "/conferencecalls/" + boss
	wants := func(a answer, hears, heard any) {
		t.Helper()
		same := func(got, want any) bool {
			g, listed := got.([]any)
			l, wanted := want.([]any)
			return listed == wanted && slices.Equal(g, l)
		}
		if !same(a.body["can_hear"], hears) || !same(a.body["can_speak"], heard) {
			t.Errorf("hears %v, is heard by %v, want %v, %v", a.body["can_hear"], a.body["can_speak"], hears, heard)
		}
	}
	wants(w.must("GET", path, nil), nil, nil)
	both := []any{ada, bob}
	slices.SortFunc(both, func(a, b any) int {
		if a.(string) < b.(string) {
			return -1
		}
		return 1
	})
	wants(w.must("PUT", path, object{"can_hear": []string{bob, ada}, "can_speak": []string{}}), both, []any{})
	wants(w.must("PUT", path, object{"can_hear": nil, "name": "x"}), both, []any{})
	wants(w.must("PUT", path, object{"can_hear": "all"}), nil, []any{})
	for _, tt := range []struct {
		body         object
		hears, heard any
	}{
		{object{"mode": "whisper", "conferencecall_ids": []string{ada}}, nil, []any{ada}},
		{object{"mode": "monitor"}, nil, []any{}},
		{object{"mode": "monitor", "conferencecall_ids": []string{bob}}, []any{bob}, []any{}},
		{object{"mode": "coach", "conferencecall_ids": []string{bob}}, nil, []any{bob}},
		{object{"mode": "barge"}, nil, nil},
	} {
		wants(w.must("POST", path+"/supervise", tt.body), tt.hears, tt.heard)
	}
	w.refused(400, "INVALID_ARGUMENT", "POST", path+"/supervise", object{"mode": "whisper"})
	w.refused(400, "INVALID_ARGUMENT", "POST", path+"/supervise", object{"mode": "shout"})
	w.refused(400, "INVALID_JSON_BODY", "PUT", path, object{"can_hear": "some"})
	w.refused(400, "INVALID_ARGUMENT", "PUT", path, object{"can_speak": []string{"ada"}})
	w.refused(404, "CONFERENCECALL_NOT_FOUND", "PUT", path, object{"can_speak": []string{id}})
}
