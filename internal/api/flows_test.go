package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"parley/internal/flow/active"
	"parley/internal/flow/run"
	"parley/internal/store"
)

// activeflow makes a run of a flow in the store, as the owner of a call does.
func (w *world) activeflow(customer string) string {
	w.t.Helper()
	id, callID := uuid.NewString(), uuid.NewString()
	events, err := active.Decide(active.Activeflow{}, active.Create{
		At: time.Now(), ID: id, CustomerID: customer, Origin: active.Origin{ReferenceType: active.OnCall, ReferenceID: callID},
		Progress: active.ProgressOf(&run.Run{}),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	a := events[0].Activeflow
	doc, err := json.Marshal(a)
	if err != nil {
		w.t.Fatal(err)
	}
	data, err := events[0].Data()
	if err != nil {
		w.t.Fatal(err)
	}
	key := "activeflow/" + id
	if err := w.st.Append(w.t.Context(), &store.Change{
		Key:     key,
		Records: []store.Record{{Kind: store.Activeflow, ID: id, CustomerID: customer, Reference: callID, Status: string(a.Status), Live: true, Created: a.Created, Doc: doc}},
		Events:  []store.Event{{ID: uuid.NewString(), Type: string(events[0].Type), Key: key, At: a.Created, CustomerID: customer, Resource: id, Data: data}},
	}); err != nil {
		w.t.Fatal(err)
	}
	return id
}

func TestFlows(t *testing.T) {
	w := newWorld(t)
	actions := []object{{"id": "ask", "type": "talk", "option": object{"text": "<pin>"}}, {"type": "goto", "option": object{"target_id": "ask", "loop_count": 1}}}
	made := w.must("POST", "/flows", object{"name": "menu", "actions": actions}, "Idempotency-Key", "k")
	if a := w.must("POST", "/flows", object{"name": "menu", "actions": actions}, "Idempotency-Key", "k"); a.id() != made.id() || a.header.Get("Idempotent-Replayed") == "" {
		t.Errorf("replayed %s", a.raw)
	}
	path := "/flows/" + made.id()
	got := w.must("GET", path, nil)
	if string(got.raw) != string(made.raw) || got.body["name"] != "menu" || len(got.body["actions"].([]any)) != 2 || got.body["type"] != "flow" {
		t.Errorf("made %s\nread %s", made.raw, got.raw)
	}
	changed := w.must("PUT", path, object{"detail": "d"}, "If-Match", made.header.Get("ETag"))
	if changed.body["name"] != "menu" || changed.body["detail"] != "d" || len(changed.body["actions"].([]any)) != 2 {
		t.Errorf("changed %s", changed.raw)
	}
	w.refused(412, "VERSION_MISMATCH", "PUT", path, object{"detail": "e"}, "If-Match", made.header.Get("ETag"))
	if a := w.must("PUT", path, object{"actions": []object{}}); len(a.body["actions"].([]any)) != 0 {
		t.Errorf("emptied %s", a.raw)
	}
	hash := w.must("POST", path+"/direct-hash-regenerate", nil).body["direct_hash"].(string)
	if rec, err := w.st.Resolve(t.Context(), "direct", strings.TrimPrefix(hash, "direct.")); err != nil || rec.Kind != store.Flow || rec.ID != made.id() {
		t.Errorf("hash leads to %v, %v", rec.ID, err)
	}
	if _, err := w.st.Resolve(t.Context(), "direct", strings.TrimPrefix(made.body["direct_hash"].(string), "direct.")); err == nil {
		t.Error("the old hash still works")
	}
	if list := w.must("GET", "/flows", nil).list(); len(list) != 1 {
		t.Errorf("list %v", list)
	}
	w.must("DELETE", path, nil)
	w.must("DELETE", path, nil)
	w.refused(404, "FLOW_NOT_FOUND", "GET", path, nil)
	w.refused(409, "STATE_INVALID", "PUT", path, object{"name": "x"})
	w.refused(409, "STATE_INVALID", "POST", path+"/direct-hash-regenerate", nil)
	w.refused(404, "FLOW_NOT_FOUND", "POST", path+"/dry_run", object{})
	if _, err := w.st.Resolve(t.Context(), "direct", strings.TrimPrefix(hash, "direct.")); err == nil {
		t.Error("the hash of a deleted flow works")
	}
	var flows []string
	for _, typ := range w.types("") {
		if strings.HasPrefix(typ, "flow_") {
			flows = append(flows, typ)
		}
	}
	if fmt.Sprint(flows) != "[flow_created flow_updated flow_updated flow_updated flow_deleted]" {
		t.Errorf("events %v", flows)
	}
}

func TestFlowRefusals(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		body          object
		reason, field string
	}{
		{object{"actions": []object{{"type": "beep"}, {"type": "dance"}}}, "INVALID_ACTION_TYPE", "actions[1].type"},
		{object{"actions": []object{{"type": "ai_talk"}}}, "ACTION_UNSUPPORTED", "actions[0].type"},
		{object{"actions": []object{{"type": "sleep", "option": object{"duration": "x"}}}}, "INVALID_ARGUMENT", "actions[0].option.duration"},
		{object{"actions": []object{{"type": "beep", "next_id": "nowhere"}}}, "ACTION_TARGET_UNKNOWN", "actions[0].next_id"},
		{object{"actions": 7}, "INVALID_ARGUMENT", "actions"},
	} {
		a := w.refused(400, c.reason, "POST", "/flows", c.body)
		details, _ := a.body["error"].(object)["details"].([]any)
		if len(details) != 1 || details[0].(object)["field"] != c.field {
			t.Errorf("%v: %s", c.body, a.raw)
		}
	}
	w.refused(400, "INVALID_ARGUMENT", "POST", "/flows", object{"name": strings.Repeat("x", 256)})
	w.refused(400, "INVALID_ARGUMENT", "POST", "/flows", object{"on_complete_flow_id": "x"})
	w.refused(400, "INVALID_JSON_BODY", "POST", "/flows", object{"name": 7})
}

func TestFlowDryRun(t *testing.T) {
	w := newWorld(t)
	pre := w.must("POST", "/flows", object{"actions": []object{
		{"id": "ask", "type": "digits_receive", "option": object{"length": 4, "duration": 5000}},
		{"type": "branch", "option": object{"target_ids": object{"1234": "in"}, "default_target_id": "again"}},
		{"id": "again", "type": "goto", "option": object{"target_id": "ask", "loop_count": 1}},
		{"type": "hangup", "option": object{"reason": "failed"}},
		{"id": "in", "type": "talk", "option": object{"text": "welcome ${who}"}},
	}}).id()
	conference := w.must("POST", "/conferences", object{"name": "room", "pre_flow_id": pre}).id()
	main := "/flows/" + w.must("POST", "/flows", object{"actions": []object{
		{"type": "conference_join", "option": object{"conference_id": conference}}, {"type": "transcribe_start"}, {"type": "fetch", "option": object{"event_url": "http://a/"}},
	}}).id() + "/dry_run"
	try := func(body object) (types string, a answer) {
		a = w.must("POST", main, body)
		for _, v := range a.body["path"].([]any) {
			types += v.(object)["action"].(object)["type"].(string) + ":" + v.(object)["outcome"].(string) + " "
		}
		return types, a
	}
	const tail = "branch:done talk:done confbridge_join:done transcribe_start:failed fetch:failed "
	types, a := try(object{"digits": "99,1234", "variables": object{"who": "Ada"}})
	if types != "conference_join:done digits_receive:done branch:done goto:done digits_receive:done "+tail || a.body["end_reason"] != "FETCH_NOT_IN_DRY_RUN" ||
		!strings.Contains(string(a.raw), "welcome Ada") || a.body["duration_ms"] != 5000.0 {
		t.Errorf("%s\n%s", types, a.raw)
	}
	if types, a := try(object{}); !strings.HasSuffix(types, "hangup:done ") || a.body["hangup_reason"] != "failed" {
		t.Errorf("%s\n%s", types, a.raw)
	}
	w.must("DELETE", "/conferences/"+conference, nil)
	if _, a := try(object{}); fmt.Sprint(a.body["announced"]) != "[CONFERENCE_NOT_PROGRESSING]" {
		t.Errorf("%s", a.raw)
	}
	w.refused(400, "INVALID_ARGUMENT", "POST", main, object{"digits": "x"})
	w.refused(400, "INVALID_ARGUMENT", "POST", main, object{"reference_type": "pigeon"})
	w.refused(400, "INVALID_ARGUMENT", "POST", main, object{"conference_result": "bored"})
	w.refused(400, "INVALID_VARIABLES", "POST", main, object{"variables": object{"": "x"}})
	w.refused(400, "INVALID_ACTION_TYPE", "POST", main, object{"answers": object{"a": []object{{"actions": []object{{"type": "dance"}}}}}})
}

func TestActiveflows(t *testing.T) {
	w := newWorld(t)
	id := w.activeflow(w.me)
	w.activeflow(w.others)
	a := w.must("GET", "/activeflows/"+id, nil)
	if a.body["status"] != "running" || a.body["current_action"].(object)["id"] != "00000000-0000-0000-0000-000000000001" {
		t.Errorf("%s", a.raw)
	}
	for query, want := range map[string]int{
		"": 1, "?status=running": 1, "?status=ended": 0, "?reference_id=" + a.body["reference_id"].(string): 1, "?reference_id=" + uuid.NewString(): 0,
	} {
		if got := len(w.must("GET", "/activeflows"+query, nil).list()); got != want {
			t.Errorf("%s: %d", query, got)
		}
	}
	w.refused(400, "INVALID_REQUEST_PARAMETER", "GET", "/activeflows?status=odd", nil)
}
