package flow

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"parley/internal/flow/action"
)

// singles are the option keys that hold one target; many is the one that holds a map of them.
var singles = []string{"target_id", "false_target_id", "default_target_id"}

const many = "target_ids"

// jumping are the types with targets, and which of their targets has to be there.
var jumping = map[action.Type]string{
	action.Branch: "", action.Goto: "target_id", action.ConditionCallDigits: "", action.ConditionCallStatus: "",
	action.ConditionDatetime: "", action.ConditionVariable: "",
}

// option returns the option of an action in the form that is kept: compact, targets and inline lists with the ids of their actions. nil for none.
func (d *document) option(i int, e entry) (json.RawMessage, error) {
	place := d.at(i, "option")
	text := bytes.TrimSpace(e.Option)
	switch {
	case len(text) == 0 || string(text) == "null":
		text = noOption
	case len(text) > optionMax:
		return nil, refuse(place, "FLOW_TOO_LARGE", "it has %d bytes; at most %d are kept", len(text), optionMax)
	case text[0] != '{':
		return nil, refuse(place, "INVALID_ARGUMENT", "it must be a JSON object")
	}
	if _, jumps := jumping[e.Type]; jumps || e.Type == action.Call {
		var err error
		if text, err = d.rewrite(place, e.Type, text); err != nil {
			return nil, err
		}
	}
	text, err := canonical(text)
	if err != nil {
		return nil, refuse(place, "INVALID_ARGUMENT", "%v", err)
	}
	if _, err := action.Read(e.Type, text, action.Written); err != nil {
		field, what, _ := strings.Cut(err.Error(), ": ")
		return nil, refuse(place+"."+field, "INVALID_ARGUMENT", "%s", what)
	}
	if string(text) == "{}" {
		return nil, nil
	}
	return text, nil
}

// canonical writes JSON in the one form in which a variable is found by looking for ${: nothing escaped that need not be.
func canonical(text []byte) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var tree map[string]any
	if err := dec.Decode(&tree); err != nil {
		return nil, err
	}
	return encode(tree)
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	out := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	if !utf8.Valid(out) {
		return nil, fmt.Errorf("it is not UTF-8")
	}
	return out, nil
}

// rewrite gives references their ids and reads lists inside the option.
func (d *document) rewrite(place string, t action.Type, text []byte) ([]byte, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil, refuse(place, "INVALID_ARGUMENT", "it must be a JSON object")
	}
	for key := range fields {
		// JSON in Go reads keys in any case; what is rewritten here must be what is read later.
		if low := strings.ToLower(key); low != key && (low == many || low == "actions" || slices.Contains(singles, low)) {
			return nil, refuse(place+"."+key, "INVALID_ARGUMENT", "write it %s", low)
		}
	}
	var err error
	if t == action.Call {
		err = d.inner(place, fields)
	} else {
		err = d.retarget(place, t, fields)
	}
	if err != nil {
		return nil, err
	}
	return encode(fields)
}

func (d *document) retarget(place string, t action.Type, fields map[string]json.RawMessage) error {
	for _, key := range singles {
		raw, ok := fields[key]
		if !ok {
			continue
		}
		id, err := d.reference(place+"."+key, raw)
		if err != nil {
			return err
		}
		fields[key] = id
	}
	if key := jumping[t]; key != "" && len(fields[key]) < len(`"`+FinishID+`"`) {
		return refuse(place+"."+key, "ACTION_TARGET_UNKNOWN", "it is missing; name an action of this list")
	}
	raw, ok := fields[many]
	if !ok || t != action.Branch || string(raw) == "null" {
		return nil
	}
	var list map[string]json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		return refuse(place+"."+many, "INVALID_ARGUMENT", "it must be an object of values and ids of actions")
	}
	values := make([]string, 0, len(list))
	for value := range list {
		values = append(values, value)
	}
	slices.Sort(values) // the first refusal is always the same one
	for _, value := range values {
		at := fmt.Sprintf("%s.%s[%q]", place, many, value)
		id, err := d.reference(at, list[value])
		if err != nil {
			return err
		}
		if list[value] = id; len(id) < len(FinishID) {
			return refuse(at, "ACTION_TARGET_UNKNOWN", "it is missing; name an action of this list")
		}
	}
	var err error
	fields[many], err = encode(list)
	return err
}

// reference returns a target in JSON with its id, "" for none.
func (d *document) reference(place string, raw json.RawMessage) (json.RawMessage, error) {
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, refuse(place, "INVALID_ARGUMENT", "it must be the id of an action, a text")
	}
	id, err := d.target(place, s)
	if err != nil {
		return nil, err
	}
	return encode(id)
}

// inner reads the list of actions inside an option; it is a document of its own.
func (d *document) inner(place string, fields map[string]json.RawMessage) error {
	raw, ok := fields["actions"]
	if !ok {
		return nil
	}
	if d.depth+1 >= depthMax {
		return refuse(place+".actions", "FLOW_TOO_LARGE", "lists of actions are at most %d deep", depthMax)
	}
	list, err := ReadActions(raw, Reading{Place: place + ".actions", NewID: d.NewID, depth: d.depth + 1})
	if err != nil {
		return err
	}
	fields["actions"], err = encode(list)
	return err
}
