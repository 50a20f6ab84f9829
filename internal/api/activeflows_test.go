package api_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"parley/internal/api"
	"parley/internal/line/script"
)

// withFlows is a world whose flows run.
func withFlows(t *testing.T) *world {
	t.Helper()
	return newWorld(t, runsFlows(t))
}

// runsFlows has a world's flows run.
func runsFlows(t *testing.T) func(*api.Options) {
	return func(o *api.Options) {
		p := script.New(script.Options{Store: o.Store, Log: o.Log, Alone: 3})
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- p.Run(ctx) }()
		t.Cleanup(func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
		o.Flows = p
	}
}

// ended waits for the end of a run.
func (w *world) ended(id string) object {
	w.t.Helper()
	for range 1000 {
		if a := w.must("GET", "/activeflows/"+id, nil); a.body["status"] == "ended" {
			return a.body
		}
		time.Sleep(5 * time.Millisecond)
	}
	w.t.Fatal("the run does not end")
	return nil
}

func TestStartActiveflow(t *testing.T) {
	w := withFlows(t)
	flow := w.must("POST", "/flows", object{"actions": []object{{"type": "variable_set", "option": object{"key": "greeting", "value": "hello ${who}"}}, {"type": "talk", "option": object{"text": "x"}}}}).id()
	body := object{"flow_id": flow, "variables": object{"who": "Ada"}, "webhook_uri": "https://example.com/x", "webhook_method": "PUT"}
	made := w.must("POST", "/activeflows", body, "Idempotency-Key", "k")
	if made.body["reference_type"] != "api" || made.body["flow_id"] != flow || made.body["webhook_uri"] != "https://example.com/x" || made.body["webhook_method"] != "PUT" {
		t.Errorf("%s", made.raw)
	}
	if a := w.must("POST", "/activeflows", body, "Idempotency-Key", "k"); a.id() != made.id() || a.header.Get("Idempotent-Replayed") == "" {
		t.Errorf("replayed %s", a.raw)
	}
	got := w.ended(made.id())
	if got["end_reason"] != "finished" || got["variables"].(object)["greeting"] != "hello Ada" || len(got["executed_actions"].([]any)) != 2 || got["outcomes"].([]any)[1].(object)["reason"] != "ACTION_NEEDS_CALL" {
		t.Errorf("%v", got)
	}
	id := uuid.NewString()
	if a := w.must("POST", "/activeflows", object{"id": strings.ToUpper(id), "flow_id": nil, "actions": []object{}}); a.id() != id {
		t.Errorf("%s", a.raw)
	}
	w.refused(409, "ALREADY_EXISTS", "POST", "/activeflows", object{"id": id, "actions": []object{}})
	w.refused(409, "ALREADY_EXISTS", "POST", "/activeflows", object{"id": id, "actions": []object{}}, "Authorization", "Bearer "+otherKey)
	if list := w.must("GET", "/activeflows", nil).list(); len(list) != 2 {
		t.Errorf("list %v", list)
	}
	var types []string
	for _, typ := range w.types("") {
		if strings.HasPrefix(typ, "activeflow_") {
			types = append(types, strings.TrimPrefix(typ, "activeflow_"))
		}
	}
	if len(types) < 4 || types[0] != "created" || types[1] != "updated" {
		t.Errorf("events %v", types)
	}
}

func TestRefusedActiveflows(t *testing.T) {
	w := withFlows(t)
	theirs := w.must("POST", "/flows", object{"actions": []object{}}, "Authorization", "Bearer "+otherKey).id()
	for _, c := range []struct {
		status int
		reason string
		body   object
	}{
		{400, "INVALID_ARGUMENT", object{}},
		{400, "INVALID_ARGUMENT", object{"flow_id": theirs, "actions": []object{}}},
		{400, "INVALID_ARGUMENT", object{"flow_id": "x"}},
		{400, "INVALID_ID", object{"id": "x", "actions": []object{}}},
		{404, "FLOW_NOT_FOUND", object{"flow_id": theirs}},
		{404, "FLOW_NOT_FOUND", object{"flow_id": uuid.NewString()}},
		{400, "INVALID_ACTION_TYPE", object{"actions": []object{{"type": "dance"}}}},
		{400, "INVALID_VARIABLES", object{"actions": []object{}, "variables": object{"": "x"}}},
		{400, "INVALID_WEBHOOK_URI", object{"actions": []object{}, "webhook_uri": "ftp://a"}},
		{400, "INVALID_WEBHOOK_METHOD", object{"actions": []object{}, "webhook_method": "BREW"}},
		{400, "INVALID_JSON_BODY", object{"variables": object{"a": 1}}},
	} {
		w.refused(c.status, c.reason, "POST", "/activeflows", c.body)
	}
	if list := w.must("GET", "/activeflows", nil).list(); len(list) != 0 {
		t.Errorf("list %v", list)
	}
}

func TestStopActiveflow(t *testing.T) {
	w := withFlows(t)
	start := func() string {
		return w.must("POST", "/activeflows", object{"actions": []object{{"type": "block"}}}).id()
	}
	id, deleted := start(), start()
	if a := w.must("GET", "/activeflows?status=running", nil).list(); len(a) != 2 {
		t.Errorf("%v", a)
	}
	last := start()
	w.refused(503, "FLOWS_BUSY", "POST", "/activeflows", object{"actions": []object{}})
	w.refused(404, "ACTIVEFLOW_NOT_FOUND", "POST", "/activeflows/"+id+"/stop", nil, "Authorization", "Bearer "+otherKey)
	w.refused(404, "ACTIVEFLOW_NOT_FOUND", "DELETE", "/activeflows/"+id, nil, "Authorization", "Bearer "+otherKey)
	for range 2 {
		if a := w.must("POST", "/activeflows/"+id+"/stop", nil); a.body["status"] != "ended" || a.body["end_reason"] != "stopped" {
			t.Errorf("%s", a.raw)
		}
	}
	for range 2 {
		if a := w.must("DELETE", "/activeflows/"+deleted, nil); a.body["tm_delete"] == nil || a.body["end_reason"] != "stopped" {
			t.Errorf("%s", a.raw)
		}
	}
	w.refused(404, "ACTIVEFLOW_NOT_FOUND", "GET", "/activeflows/"+deleted, nil)
	w.refused(404, "ACTIVEFLOW_NOT_FOUND", "POST", "/activeflows/"+deleted+"/stop", nil)
	w.refused(404, "ACTIVEFLOW_NOT_FOUND", "POST", "/activeflows/"+uuid.NewString()+"/stop", nil)
	w.refused(400, "INVALID_ID", "DELETE", "/activeflows/x", nil)
	if list := w.must("GET", "/activeflows", nil).list(); len(list) != 2 {
		t.Errorf("list %v", list)
	}
	w.must("DELETE", "/activeflows/"+last, nil)
}

// TestNoRuns says what a server answers that keeps flows and runs none.
func TestNoRuns(t *testing.T) {
	w := newWorld(t)
	w.refused(503, "FLOWS_UNAVAILABLE", "POST", "/activeflows", object{"actions": []object{}})
	w.refused(503, "FLOWS_UNAVAILABLE", "POST", "/activeflows/"+uuid.NewString()+"/stop", nil)
}
