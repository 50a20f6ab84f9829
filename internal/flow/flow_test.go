package flow_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"parley/internal/fault"
	"parley/internal/flow"
	"parley/internal/flow/action"
)

const (
	idA = "aaaaaaaa-0000-4000-8000-000000000001"
	idB = "bbbbbbbb-0000-4000-8000-000000000002"
)

// ids returns a source of ids that counts.
func ids() func() string {
	n := 0
	return func() string {
		n++
		return fmt.Sprintf("cccccccc-0000-4000-8000-%012d", n)
	}
}

func read(list string) ([]flow.Action, error) {
	return flow.ReadActions([]byte(list), flow.Reading{NewID: ids()})
}

func TestReadActions(t *testing.T) {
	got, err := read(`[
		{"id":"ask","type":"talk","option":{"text":"your pin <please>","gender":"female"}},
		{"type":"digits_receive","option":{"length":4,"duration":5000}},
		{"type":"branch","option":{"target_ids":{"1234":"in","0000":"` + flow.FinishID + `"},"default_target_id":"ask"}},
		{"id":"in","type":"conference_join","option":{"conference_id":"${room}"},"next_id":"` + strings.ToUpper(idA) + `"},
		{"id":"` + idA + `","type":"call","option":{"destinations":[{"target":"sip:a@b"}],"actions":[{"id":"ask","type":"goto","option":{"target_id":"ask"}}]}}
	]`)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(got)
	for _, want := range []string{
		`"text":"your pin \u003cplease\u003e"`, `"gender":"female"`, // events and answers escape as they like
		`"1234":"` + got[3].ID + `"`, `"default_target_id":"` + got[0].ID + `"`, `"next_id":"` + idA + `"`, `"tm_execute":null`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	if strings.Contains(string(text), `"ask"`) {
		t.Errorf("a label is left: %s", text)
	}
	var back []flow.Action
	if err := json.Unmarshal(text, &back); err != nil || len(back) != 5 || back[3].NextID != idA || back[1].NextID != "" {
		t.Errorf("%v: %+v", err, back)
	}
	again, err := flow.ReadActions(text, flow.Reading{NewID: ids()})
	if err != nil || !reflect.DeepEqual(again, got) {
		t.Errorf("read again: %v\n%+v\n%+v", err, again, got)
	}
	if none, err := read("null"); err != nil || len(none) != 0 {
		t.Errorf("null: %v %v", none, err)
	}
}

func TestRefusedActions(t *testing.T) {
	const talk = `{"type":"talk","option":{"text":"a"}}`
	for _, tt := range []struct{ list, reason, place string }{
		{`{}`, "INVALID_ARGUMENT", "actions"},
		{`[7]`, "INVALID_ARGUMENT", "actions"},
		{`[{"type":7}]`, "INVALID_ARGUMENT", "actions"},
		{`[` + talk + `,{"type":"dance"}]`, "INVALID_ACTION_TYPE", "actions[1].type"},
		{`[{"option":{}}]`, "INVALID_ACTION_TYPE", "actions[0].type"},
		{`[{"type":"queue_join"}]`, "ACTION_UNSUPPORTED", "actions[0].type"},
		{`[{"type":"ai_talk"}]`, "ACTION_UNSUPPORTED", "actions[0].type"},
		{`[{"type":"talk","option":{"text":7}}]`, "INVALID_ARGUMENT", "actions[0].option.text"},
		{`[{"type":"talk"}]`, "INVALID_ARGUMENT", "actions[0].option.text"},
		{`[{"type":"talk","option":[]}]`, "INVALID_ARGUMENT", "actions[0].option"},
		{`[{"type":"talk","option":{"text":"` + strings.Repeat("x", 5001) + `"}}]`, "INVALID_ARGUMENT", "actions[0].option.text"},
		{`[{"type":"sleep","option":{"duration":-1}}]`, "INVALID_ARGUMENT", "actions[0].option.duration"},
		{`[{"type":"sleep","option":{"duration":1.5}}]`, "INVALID_ARGUMENT", "actions[0].option.duration"},
		{`[{"type":"sleep","option":{"duration":86400001}}]`, "INVALID_ARGUMENT", "actions[0].option.duration"},
		{`[{"type":"digits_receive"}]`, "INVALID_ARGUMENT", "actions[0].option.duration"},
		{`[{"type":"digits_send","option":{"digits":"12x"}}]`, "INVALID_ARGUMENT", "actions[0].option.digits"},
		{`[{"type":"play","option":{"stream_urls":["http://a/b","file:///etc/passwd"]}}]`, "INVALID_ARGUMENT", "actions[0].option.stream_urls[1]"},
		{`[{"type":"play"}]`, "INVALID_ARGUMENT", "actions[0].option.stream_urls"},
		{`[{"type":"fetch","option":{"event_url":"http://u:p@a/"}}]`, "INVALID_ARGUMENT", "actions[0].option.event_url"},
		{`[{"type":"fetch_flow","option":{"flow_id":"main"}}]`, "INVALID_ARGUMENT", "actions[0].option.flow_id"},
		{`[{"type":"webhook_send","option":{"uri":"http://a/","method":"BREW"}}]`, "INVALID_ARGUMENT", "actions[0].option.method"},
		{`[{"type":"conference_join","option":{}}]`, "INVALID_ARGUMENT", "actions[0].option.conference_id"},
		{`[{"type":"variable_set","option":{"key":"voipbin.call.id","value":"x"}}]`, "INVALID_ARGUMENT", "actions[0].option.key"},
		{`[{"type":"connect","option":{"destinations":[{"type":"email","target":"a@b"}]}}]`, "INVALID_ARGUMENT", "actions[0].option.destinations[0].type"},
		{`[{"type":"call","option":{"destinations":[{"target":"a"}]}}]`, "INVALID_ARGUMENT", "actions[0].option.flow_id"},
		{`[{"type":"call","option":{"destinations":[{"target":"a"}],"actions":[` + talk + `,{"type":"talk"}]}}]`, "INVALID_ARGUMENT", "actions[0].option.actions[1].option.text"},
		{`[{"type":"condition_datetime","option":{"condition":"=","hour":9}}]`, "INVALID_ARGUMENT", "actions[0].option.condition"},
		{`[{"type":"condition_datetime","option":{"condition":"==","hour":24}}]`, "INVALID_ARGUMENT", "actions[0].option.hour"},
		{`[{"type":"goto","option":{}}]`, "ACTION_TARGET_UNKNOWN", "actions[0].option.target_id"},
		{`[{"type":"goto","option":{"target_id":"` + idA + `"}}]`, "ACTION_TARGET_UNKNOWN", "actions[0].option.target_id"},
		{`[{"type":"goto","option":{"Target_ID":"` + idA + `"}}]`, "INVALID_ARGUMENT", "actions[0].option.Target_ID"},
		{`[{"type":"branch","option":{"target_ids":{"1":"x"}}}]`, "ACTION_TARGET_UNKNOWN", `actions[0].option.target_ids["1"]`},
		{`[{"type":"branch","option":{"target_ids":{"1":""}}}]`, "ACTION_TARGET_UNKNOWN", `actions[0].option.target_ids["1"]`},
		{`[{"type":"branch","option":{"target_ids":[]}}]`, "INVALID_ARGUMENT", "actions[0].option.target_ids"},
		{`[{"type":"beep","next_id":"` + idB + `"}]`, "ACTION_TARGET_UNKNOWN", "actions[0].next_id"},
		{`[{"id":"a","type":"beep"},{"id":"a","type":"beep"}]`, "INVALID_ARGUMENT", "actions[1].id"},
		{`[{"id":"` + flow.FinishID + `","type":"beep"}]`, "INVALID_ARGUMENT", "actions[0].id"},
		{`[{"type":"hangup","option":{"reason":"bored"}}]`, "INVALID_ARGUMENT", "actions[0].option.reason"},
		{`[` + strings.Repeat(talk+",", 500) + talk + `]`, "FLOW_TOO_LARGE", "actions"},
		{`["` + strings.Repeat(" ", 512<<10) + `"]`, "FLOW_TOO_LARGE", "actions"},
	} {
		_, err := read(tt.list)
		var r *flow.Refusal
		if !errors.As(err, &r) || r.Place != tt.place || fault.ReasonOf(err) != tt.reason || !strings.HasPrefix(err.Error(), tt.place+": ") {
			t.Errorf("%.120s: %v (%s), want %s at %s", tt.list, err, fault.ReasonOf(err), tt.reason, tt.place)
		}
	}
}

func TestFragmentsMayPointOutside(t *testing.T) {
	list := []byte(`[{"type":"goto","option":{"target_id":"` + idA + `","loop_count":1}}]`)
	if _, err := flow.ReadActions(list, flow.Reading{NewID: ids(), Fragment: true}); err != nil {
		t.Error(err)
	}
}

func TestFlowLife(t *testing.T) {
	at := time.Date(2026, 1, 15, 9, 30, 0, 123456789, time.UTC)
	name := "menu"
	f, err := flow.New(at, idA, idB, "0123456789ab", flow.Patch{Name: &name})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"id":"` + idA + `","customer_id":"` + idB + `","type":"flow","name":"menu","detail":"","actions":[],` +
		`"direct_hash":"direct.0123456789ab","on_complete_flow_id":"00000000-0000-0000-0000-000000000000",` +
		`"tm_create":"2026-01-15T09:30:00.123456Z","tm_update":null,"tm_delete":null}`
	if got, err := f.Data(); err != nil || string(got) != want {
		t.Errorf("%v\n%s\n%s", err, got, want)
	}
	text, _ := json.Marshal(f)
	var back flow.Flow
	if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back, f) {
		t.Errorf("store: %v\n%+v\n%+v", err, back, f)
	}
	bad := "x"
	if _, err := f.Update(at, flow.Patch{OnCompleteFlowID: &bad}); fault.ReasonOf(err) != "INVALID_ARGUMENT" {
		t.Error(err)
	}
	f = f.Delete(at.Add(time.Hour))
	if f.DirectHash != "" || f.Deleted.IsZero() || !reflect.DeepEqual(f.Delete(at.Add(2*time.Hour)), f) {
		t.Errorf("%+v", f)
	}
	if _, err := f.Update(at, flow.Patch{Name: &name}); fault.ReasonOf(err) != "STATE_INVALID" {
		t.Error(err)
	}
}

// FuzzReadActions says that whatever is read can be read again as the same, has unique ids and no target outside.
func FuzzReadActions(f *testing.F) {
	f.Add(`[{"id":"a","type":"goto","option":{"target_id":"a","loop_count":2}},{"type":"talk","option":{"text":"\u0024{x} \ud800"}}]`)
	f.Add(`[{"type":"call","option":{"destinations":[{"target":"a"}],"actions":[{"type":"beep"}]}}]`)
	f.Add(`[{"type":"branch","option":{"variable":"v","target_ids":{"1":"b"}}},{"id":"b","type":"stop"}]`)
	f.Fuzz(func(t *testing.T, list string) {
		got, err := read(list)
		if err != nil {
			var r *flow.Refusal
			if !errors.As(err, &r) || r.Place == "" {
				t.Fatalf("no place: %v", err)
			}
			return
		}
		known := map[string]bool{"": true, flow.FinishID: true, flow.NextID: true}
		for _, a := range got {
			if known[a.ID] {
				t.Fatalf("id %s twice", a.ID)
			}
			known[a.ID] = true
		}
		for _, a := range got {
			o, err := action.Read(a.Type, a.Option, action.Written)
			if err != nil {
				t.Fatalf("%+v: %v", a, err)
			}
			for _, id := range append(targets(o), a.NextID) {
				if !known[id] {
					t.Fatalf("%s leads to %s", a.Type, id)
				}
			}
		}
		text, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		again, err := flow.ReadActions(text, flow.Reading{NewID: ids()})
		if err != nil || len(got) > 0 && !reflect.DeepEqual(again, got) {
			t.Fatalf("read again: %v\n%+v\n%+v", err, again, got)
		}
	})
}

func targets(o action.Option) (list []string) {
	switch o := o.(type) {
	case *action.Jump:
		return []string{o.TargetID}
	case *action.IfDigits:
		return []string{o.FalseTargetID}
	case *action.IfStatus:
		return []string{o.FalseTargetID}
	case *action.IfTime:
		return []string{o.FalseTargetID}
	case *action.IfVariable:
		return []string{o.FalseTargetID}
	case *action.Branching:
		list = append(list, o.DefaultTargetID)
		for _, id := range o.TargetIDs {
			list = append(list, id)
		}
	}
	return list
}
