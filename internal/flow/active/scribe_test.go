package active_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"parley/internal/flow"
	"parley/internal/flow/active"
	"parley/internal/flow/run"
)

// TestScribe says that what is written bit by bit is what is written at once, whatever texts a flow has.
func TestScribe(t *testing.T) {
	evil := `{"text":"\"Executed\":null \"outcomes\":null","Executed":null,"executed_actions":null,"outcomes":null}`
	list := `[{"type":"talk","option":` + evil + `},{"type":"variable_set","option":{"key":"Executed","value":"null"}},{"type":"variable_set","option":{"key":"outcomes","value":"<null>"}},
		{"type":"branch","option":{"variable":"x","default_target_id":"` + flow.NextID + `"}},{"type":"talk","option":` + evil + `},{"type":"beep"},{"type":"stop"}]`
	n := 0
	actions, err := flow.ReadActions([]byte(list), flow.Reading{NewID: func() string { n++; return fmt.Sprintf("bbbbbbbb-0000-4000-8000-%012d", n) }})
	if err != nil {
		t.Fatal(err)
	}
	r, err := run.Start(run.Env{ActiveflowID: id, ReferenceType: active.OnCall, ReferenceID: id}, actions)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := decide(t, active.Activeflow{}, active.Create{At: at, ID: id, CustomerID: id, Progress: active.ProgressOf(r)})
	var s active.Scribe
	compare := func() {
		t.Helper()
		doc, data, err := s.Append([]byte("~"), []byte("~"), &a)
		if err != nil {
			t.Fatal(err)
		}
		want, _ := json.Marshal(a)
		shown, _ := active.Event{Activeflow: a}.Data()
		if a.Executed == nil {
			want = []byte(strings.Replace(string(want), `"Executed":null`, `"Executed":[]`, 1))
		}
		if string(doc) != "~"+string(want) || string(data) != "~"+string(shown) {
			t.Errorf("doc\n%s, want\n%s\ndata\n%s, want\n%s", doc, want, data, shown)
		}
	}
	compare()
	for i := 0; ; i++ {
		step := r.Next(run.Result{At: at, Failed: []string{"", "TALK_FAILED", ""}[i%3]})
		if step.Kind == run.Over {
			last := active.ProgressOf(r)
			a, _ = decide(t, a, active.End{At: at, Reason: step.End.Reason, Progress: &last})
			compare()
			break
		}
		a, _ = decide(t, a, active.Advance{At: at, Progress: active.ProgressOf(r)})
		compare()
		compare()
	}
	if len(a.Executed) != 7 {
		t.Errorf("%d actions", len(a.Executed))
	}
}
