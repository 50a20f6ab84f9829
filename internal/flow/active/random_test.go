package active_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"parley/internal/flow"
	"parley/internal/flow/action"
	"parley/internal/flow/active"
	"parley/internal/flow/run"
)

// texts are what people and servers may have written anywhere.
var texts = []string{
	"", "a", `"`, `\`, `","Status":"x`, `"Executed":null`, "<&>", "\u2028\u2029", "\x00\x1f\x7f", "\xff\xfe", "漢😀", `{"outcomes":[`, `]}`, "executed_actions", "FLOW_NOT_FOUND",
}

// TestScribeRandom says that no course of a run and no text in it makes a record that is not what json.Marshal writes.
func TestScribeRandom(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		text := func() string { return texts[rnd.IntN(len(texts))] + texts[rnd.IntN(len(texts))] }
		a := active.Activeflow{
			ID: id, CustomerID: id, Status: active.Running, Created: at, Origin: active.Origin{ReferenceType: text(), WebhookURI: text(), CallCount: rnd.IntN(3)},
			Progress: active.Progress{Executed: []*active.Executed{}},
		}
		var s active.Scribe
		var doc, data []byte
		for n := range 20 {
			next(rnd, &a, text, at.Add(time.Duration(n)*time.Second))
			var err error
			if doc, data, err = s.Append(doc[:0], data[:0], &a); err != nil {
				t.Fatal(err)
			}
			want, err := json.Marshal(a)
			if err != nil {
				t.Fatal(err)
			}
			shown, err := active.Event{Activeflow: a}.Data()
			if err != nil {
				t.Fatal(err)
			}
			if a.Variables == nil {
				want = bytes.Replace(want, []byte(`"Variables":null`), []byte(`"Variables":{}`), 1)
			}
			if !json.Valid(doc) || !json.Valid(data) || !same(t, doc, want) || !same(t, data, shown) {
				t.Fatalf("seed %d, step %d: doc\n%s, want\n%s\ndata\n%s, want\n%s", seed, n, doc, want, data, shown)
			}
		}
	}
}

// next moves the record on, as runs do: what was executed gets its outcome, something else runs, variables change, and some day it ends.
func next(rnd *rand.Rand, a *active.Activeflow, text func() string, now time.Time) {
	a.Updated = now
	list := append([]*active.Executed{}, a.Executed...)
	for i, e := range list {
		if e.Outcome == run.Running {
			list[i] = &active.Executed{Action: e.Action, Outcome: run.Failed, Reason: text()}
		}
	}
	for range rnd.IntN(3) {
		option, _ := json.Marshal(map[string]any{"text": text(), text(): []string{text()}})
		if rnd.IntN(3) == 0 {
			option = nil
		}
		list = append(list, &active.Executed{Outcome: run.Done, Action: flow.Action{
			ID: fmt.Sprintf("cccccccc-0000-4000-8000-%012d", rnd.IntN(3)), Type: action.Talk, Option: option, Executed: now,
		}})
	}
	if n := len(list); n > 0 {
		list[n-1] = &active.Executed{Action: list[n-1].Action}
		a.Current = list[n-1].Action
	}
	a.Executed = list
	if rnd.IntN(2) == 0 {
		a.Variables = maps.Clone(a.Variables)
		if a.Variables == nil {
			a.Variables = map[string]string{}
		}
		a.Variables[text()] = text()
	}
	switch rnd.IntN(10) {
	case 0:
		a.Status, a.EndReason = active.Ended, text()
	case 1:
		a.Deleted = now
	case 2:
		a.Current = flow.Action{ID: flow.FinishID}
	}
}

// same compares values: a text that is no UTF-8 may be written in two ways.
func same(t *testing.T, a, b []byte) bool {
	t.Helper()
	if bytes.Equal(a, b) {
		return true
	}
	var x, y any
	if err := json.Unmarshal(a, &x); err != nil {
		t.Error(err)
	}
	if err := json.Unmarshal(b, &y); err != nil {
		t.Error(err)
	}
	return fmt.Sprint(x) == fmt.Sprint(y)
}
