package flows_test

import (
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"parley"
	"parley/internal/flow/action"
)

// described is what is read of a schema in openapi.yaml.
type described struct {
	Actions    []string             `yaml:"x-actions"`
	Properties map[string]yaml.Node `yaml:"properties"`
}

// keys returns the keys that an option of the type is read from.
func keys(t *testing.T, kind action.Type) []string {
	t.Helper()
	option, err := action.Read(kind, minimum[kind], action.Written)
	if err != nil {
		t.Fatalf("%s: %v", kind, err)
	}
	var list []string
	for f := range reflect.TypeOf(option).Elem().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// minimum is an option that the type takes, where the empty one is refused.
var minimum = map[action.Type]json.RawMessage{
	action.Call:                json.RawMessage(`{"flow_id":"6f0a1c52-8e0e-4a55-9a53-0a4f3f0f6c11","destinations":[{"target":"a"}]}`),
	action.Connect:             json.RawMessage(`{"destinations":[{"target":"a"}]}`),
	action.ConditionCallStatus: json.RawMessage(`{"status":"ringing"}`),
	action.ConditionDatetime:   json.RawMessage(`{"condition":"=="}`),
	action.ConditionVariable:   json.RawMessage(`{"condition":"=="}`),
	action.ConferenceJoin:      json.RawMessage(`{"conference_id":"6f0a1c52-8e0e-4a55-9a53-0a4f3f0f6c11"}`),
	action.ConfbridgeJoin:      json.RawMessage(`{"confbridge_id":"6f0a1c52-8e0e-4a55-9a53-0a4f3f0f6c11"}`),
	action.DigitsReceive:       json.RawMessage(`{"length":1}`),
	action.DigitsSend:          json.RawMessage(`{"digits":"1"}`),
	action.ExternalMediaStart:  json.RawMessage(`{"external_host":"a:1"}`),
	action.Fetch:               json.RawMessage(`{"event_url":"http://a/"}`),
	action.FetchFlow:           json.RawMessage(`{"flow_id":"6f0a1c52-8e0e-4a55-9a53-0a4f3f0f6c11"}`),
	action.Goto:                json.RawMessage(`{"target_id":"6f0a1c52-8e0e-4a55-9a53-0a4f3f0f6c11"}`),
	action.Play:                json.RawMessage(`{"stream_urls":["http://a/"]}`),
	action.Talk:                json.RawMessage(`{"text":"a"}`),
	action.VariableSet:         json.RawMessage(`{"key":"a"}`),
	action.WebhookSend:         json.RawMessage(`{"uri":"http://a/"}`),
}

// TestOptionsAreDescribed compares openapi.yaml and docs/flows.md with what the actions read: each type is in both, with its keys and no others.
func TestOptionsAreDescribed(t *testing.T) {
	var doc struct {
		Components struct {
			Schemas map[string]yaml.Node
		}
	}
	if err := yaml.Unmarshal(parley.OpenAPI, &doc); err != nil {
		t.Fatal(err)
	}
	var written struct {
		Properties struct {
			Type   struct{ Enum []action.Type }
			Option struct {
				AnyOf []struct {
					Ref string `yaml:"$ref"`
				} `yaml:"anyOf"`
			}
		}
	}
	node := doc.Components.Schemas["NewAction"]
	if err := node.Decode(&written); err != nil {
		t.Fatal(err)
	}
	types := written.Properties.Type.Enum
	if len(types) < 30 {
		t.Fatalf("openapi.yaml names %d types of actions", len(types))
	}
	schemas := map[action.Type][]string{}
	for _, ref := range written.Properties.Option.AnyOf {
		name, ok := strings.CutPrefix(ref.Ref, "#/components/schemas/")
		if !ok {
			continue // null
		}
		var d described
		node, known := doc.Components.Schemas[name]
		if err := node.Decode(&d); err != nil || !known {
			t.Fatalf("%s: %v", name, err)
		}
		for _, a := range d.Actions {
			if _, twice := schemas[action.Type(a)]; twice {
				t.Errorf("openapi.yaml describes %s twice", a)
			}
			schemas[action.Type(a)] = append([]string(nil), slices.Sorted(maps.Keys(d.Properties))...)
		}
	}
	rows := rows(t)
	for _, kind := range types {
		read := keys(t, kind)
		if !slices.Equal(read, schemas[kind]) {
			t.Errorf("%s reads %q; openapi.yaml describes %q", kind, read, schemas[kind])
		}
		for _, key := range read {
			if !strings.Contains(rows[kind], "`"+key+"`") {
				t.Errorf("docs/flows.md: the row of %s does not name %s", kind, key)
			}
		}
		if rows[kind] == "" {
			t.Errorf("docs/flows.md has no row of %s", kind)
		}
	}
	for kind := range rows {
		if !slices.Contains(types, kind) {
			t.Errorf("docs/flows.md has a row of %s, which is no type of action", kind)
		}
	}
}

var row = regexp.MustCompile("(?m)^\\| ((?:`[a-z_]+`(?:, )?)+) \\|(.*)$")

// rows returns the lines of docs/flows.md that say what an action's options are.
func rows(t *testing.T) map[action.Type]string {
	t.Helper()
	text, err := os.ReadFile("../../../docs/flows.md")
	if err != nil {
		t.Fatal(err)
	}
	list := map[action.Type]string{}
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		for name := range strings.SplitSeq(m[1], ", ") {
			list[action.Type(strings.Trim(name, "`"))] = m[2]
		}
	}
	return list
}
