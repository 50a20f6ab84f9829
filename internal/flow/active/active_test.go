package active_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"parley/internal/fault"
	"parley/internal/flow"
	"parley/internal/flow/active"
	"parley/internal/flow/run"
)

const id = "aaaaaaaa-0000-4000-8000-000000000001"

var at = time.Date(2026, 1, 15, 9, 30, 0, 0, time.UTC)

// decide carries a command out and returns the record with the events' types and states.
func decide(t *testing.T, a active.Activeflow, c active.Command) (active.Activeflow, string) {
	t.Helper()
	events, err := active.Decide(a, c)
	if err != nil {
		return a, fault.ReasonOf(err)
	}
	var said []string
	for _, e := range events {
		a = e.Activeflow
		said = append(said, string(e.Type)+" "+string(a.Status)+" "+a.EndReason)
	}
	return a, strings.Join(said, ", ")
}

func begun(t *testing.T) (active.Activeflow, *run.Run) {
	t.Helper()
	list, err := flow.ReadActions([]byte(`[{"id":"`+id+`","type":"talk","option":{"text":"a"}},{"type":"beep"}]`), flow.Reading{NewID: func() string { return "bbbbbbbb-0000-4000-8000-000000000001" }})
	if err != nil {
		t.Fatal(err)
	}
	r, err := run.Start(run.Env{ActiveflowID: id, ReferenceType: active.OnCall, ReferenceID: id}, list)
	if err != nil {
		t.Fatal(err)
	}
	a, said := decide(t, active.Activeflow{}, active.Create{At: at, ID: id, CustomerID: id, Origin: active.Origin{ReferenceType: active.OnCall, ReferenceID: id}, Progress: active.ProgressOf(r)})
	if said != "activeflow_created running " || a.Current.ID != flow.StartID {
		t.Fatal(said, a.Current)
	}
	return a, r
}

func TestLife(t *testing.T) {
	a, r := begun(t)
	r.Next(run.Result{At: at})
	a, said := decide(t, a, active.Advance{At: at, Progress: active.ProgressOf(r)})
	if said != "activeflow_updated running " || a.Current.Type != "talk" {
		t.Error(said, a.Current)
	}
	if _, said := decide(t, a, active.Advance{At: at, Progress: active.ProgressOf(r)}); said != "" {
		t.Error("the same again:", said)
	}
	r.Next(run.Result{At: at})
	step := r.Next(run.Result{At: at})
	last := active.ProgressOf(r)
	a, said = decide(t, a, active.End{At: at, Reason: step.End.Reason, Progress: &last})
	if said != "activeflow_updated ended finished" || a.Current.ID != flow.FinishID || len(a.Executed) != 2 {
		t.Error(said, a)
	}
	for _, tt := range []struct {
		c    active.Command
		want string
	}{
		{active.End{At: at, Reason: "x"}, ""},
		{active.Recover{At: at}, ""},
		{active.Advance{At: at}, "ACTIVEFLOW_ALREADY_STOPPED"},
		{active.Create{At: at, ID: id}, "ALREADY_EXISTS"},
		{active.Delete{At: at}, "activeflow_deleted ended finished"},
	} {
		if _, said := decide(t, a, tt.c); said != tt.want {
			t.Errorf("%T: %s, want %s", tt.c, said, tt.want)
		}
	}
	a, _ = decide(t, a, active.Delete{At: at})
	if _, said := decide(t, a, active.Delete{At: at}); said != "" {
		t.Error(said)
	}
	if _, said := decide(t, active.Activeflow{}, active.Delete{At: at}); said != "ACTIVEFLOW_NOT_FOUND" {
		t.Error(said)
	}
}

// TestCrash says that what a process left behind ends by rule, from the store's form.
func TestCrash(t *testing.T) {
	a, r := begun(t)
	r.Next(run.Result{At: at})
	a, _ = decide(t, a, active.Advance{At: at, Progress: active.ProgressOf(r)})
	text, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	var back active.Activeflow
	if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back, a) {
		t.Fatalf("%v\n%+v\n%+v", err, back, a)
	}
	back, said := decide(t, back, active.Recover{At: at.Add(time.Minute)})
	if said != "activeflow_updated ended lost" || back.Executed[0].Outcome != run.Failed || back.Executed[0].Reason != run.Lost {
		t.Error(said, back.Executed)
	}
	if a.Executed[0].Outcome != run.Running {
		t.Error("the record before has changed")
	}
	a, said = decide(t, a, active.Delete{At: at})
	if said != "activeflow_updated ended stopped, activeflow_deleted ended stopped" {
		t.Error(said)
	}
}

func TestResource(t *testing.T) {
	a, r := begun(t)
	r.Next(run.Result{At: at})
	events, err := active.Decide(a, active.Advance{At: at, Progress: active.ProgressOf(r)})
	if err != nil {
		t.Fatal(err)
	}
	got, err := events[0].Data()
	if err != nil {
		t.Fatal(err)
	}
	const action = `{"id":"` + id + `","next_id":"00000000-0000-0000-0000-000000000000","type":"talk","option":{"text":"a"},"tm_execute":"2026-01-15T09:30:00.000000Z"}`
	for _, want := range []string{
		`{"id":"` + id + `","customer_id":"` + id + `","flow_id":"00000000-0000-0000-0000-000000000000","status":"running","reference_type":"call",`,
		`"current_action":` + action, `"executed_actions":[` + action + `]`, `"forward_action_id":"00000000-0000-0000-0000-000000000000"`,
		`"outcomes":[{"action_id":"` + id + `","outcome":"","reason":""}]`, `"voipbin.call.id":"` + id + `"`, `"tm_delete":null`,
	} {
		if !strings.Contains(string(got), want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
}

func TestRefusedOrigins(t *testing.T) {
	for want, o := range map[string]active.Origin{
		"INVALID_WEBHOOK_URI": {WebhookURI: "ftp://a"}, "INVALID_WEBHOOK_METHOD": {WebhookMethod: "BREW"}, "INVALID_ARGUMENT": {FlowID: "x"},
	} {
		if _, said := decide(t, active.Activeflow{}, active.Create{At: at, ID: id, Origin: o}); said != want {
			t.Errorf("%s, want %s", said, want)
		}
	}
}
