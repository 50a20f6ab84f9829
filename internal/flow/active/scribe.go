package active

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"parley/internal/flow"
	"parley/internal/flow/run"
	"parley/internal/wire"
)

// Scribe writes the record of one run over and over, as it grows, without writing anew what has not changed. The zero value is ready; it belongs to one
// run and one goroutine.
type Scribe struct {
	frame     frame
	doc, data [][]byte // what stands around the places that change

	settled                  int // executed actions that are in the texts for good
	kept, executed, outcomes []byte
	last                     Executed // the newest one
	action                   []byte   // its action

	variables map[string]string
	text      []byte // of the variables
}

// frame is what hardly ever changes.
type frame struct {
	id, customer     string
	origin           Origin
	created, deleted time.Time
}

// The places that change, in their order.
var (
	docPlaces  = []string{`"Status":`, `"EndReason":`, `"Current":`, `"Executed":`, `"Variables":`, `"Updated":`}
	dataPlaces = []string{`"status":`, `"current_action":`, `"executed_actions":`, `"tm_update":`, `"end_reason":`, `"outcomes":`, `"variables":`}
)

// Append appends what json.Marshal(a) and Event.Data return, the store's form and the API's, to the buffers. What an action brings from elsewhere is
// looked through once, when it comes: all that is appended is JSON.
func (s *Scribe) Append(doc, data []byte, a *Activeflow) (newDoc, newData []byte, err error) {
	if err := s.outline(a); err != nil {
		return doc, data, err
	}
	kept, executed, outcomes, err := s.past(a)
	if err != nil {
		return doc, data, err
	}
	current, err := s.current(a)
	if err != nil {
		return doc, data, err
	}
	if err := s.write(a.Variables); err != nil {
		return doc, data, err
	}
	updated, err := a.Updated.MarshalJSON()
	if err != nil {
		return doc, data, err
	}
	shown, err := wire.Time(a.Updated).MarshalJSON()
	if err != nil {
		return doc, data, err
	}
	status, reason := quoted(string(a.Status)), quoted(a.EndReason)
	return join(doc, s.doc, status, reason, current, kept, s.text, updated), join(data, s.data, status, current, executed, shown, reason, outcomes, s.text), nil
}

// write writes the variables if they are others than before. As long as they stay as they are, records share them.
func (s *Scribe) write(variables map[string]string) (err error) {
	if s.text != nil && (shared(s.variables, variables) || maps.Equal(s.variables, variables)) {
		return nil
	}
	if variables == nil {
		s.text = []byte("{}")
	} else if s.text, err = json.Marshal(variables); err != nil {
		return err
	}
	s.variables = variables
	return nil
}

func shared(a, b map[string]string) bool {
	return a != nil && reflect.ValueOf(a).UnsafePointer() == reflect.ValueOf(b).UnsafePointer()
}

// outline writes everything around the places that change.
func (s *Scribe) outline(a *Activeflow) (err error) {
	f := frame{a.ID, a.CustomerID, a.Origin, a.Created, a.Deleted}
	if f == s.frame {
		return nil
	}
	empty := Activeflow{ID: a.ID, CustomerID: a.CustomerID, Origin: a.Origin, Created: a.Created, Deleted: a.Deleted}
	text, err := json.Marshal(empty)
	if err != nil {
		return err
	}
	if s.doc, err = cut(text, docPlaces); err != nil {
		return err
	}
	if text, err = json.Marshal(empty.Resource()); err != nil {
		return err
	}
	if s.data, err = cut(text, dataPlaces); err != nil {
		return err
	}
	s.frame = f
	return nil
}

// cut returns what stands around the values of the keys. Nothing that somebody has written can be mistaken for a key: there are no quotes in it.
func cut(text []byte, keys []string) (parts [][]byte, err error) {
	for _, key := range keys {
		at := bytes.Index(text, []byte(key))
		if at < 0 {
			return nil, fmt.Errorf("write activeflow: no %s", key)
		}
		at += len(key)
		parts, text = append(parts, text[:at:at]), text[at+span(text[at:]):]
	}
	return append(parts, text), nil
}

// span is the length of the value that the text begins with: one of an empty record, whose texts hold no brackets and no escapes.
func span(text []byte) int {
	depth, quotes := 0, 0
	for i, c := range text {
		switch c {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case '"':
			quotes++
		case ',':
			if depth == 0 && quotes%2 == 0 {
				return i
			}
		}
		if depth < 0 { // the end of what the value stands in
			return i
		}
	}
	return len(text)
}

// join appends the values with the parts around them.
func join(out []byte, parts [][]byte, values ...[]byte) []byte {
	size := len(parts[len(values)])
	for i, v := range values {
		size += len(parts[i]) + len(v)
	}
	out = slices.Grow(out, size)
	for i, v := range values {
		out = append(append(out, parts[i]...), v...)
	}
	return append(out, parts[len(values)]...)
}

// quoted returns a text of ours, a word or a reason, as JSON.
func quoted(text string) []byte {
	if !flow.Plain(text) {
		b, _ := json.Marshal(text) // a text can be written
		return b
	}
	return append(append(append(make([]byte, 0, len(text)+2), '"'), text...), '"')
}

// current returns the text of the action that runs, which mostly is the newest of the executed ones.
func (s *Scribe) current(a *Activeflow) ([]byte, error) {
	if len(a.Executed) > 0 && same(&a.Current, &s.last.Action) {
		return s.action, nil
	}
	return json.Marshal(a.Current)
}

// same reports whether two actions of a run are the same one. Each execution has its time, and the same action twice at one time has one text.
func same(a, b *flow.Action) bool {
	return a.ID == b.ID && a.Type == b.Type && a.Executed.Equal(b.Executed) && a.NextID == b.NextID && bytes.Equal(a.Option, b.Option)
}

// past returns the lists of what was executed. All but the last have got their outcome and stay as they are.
func (s *Scribe) past(a *Activeflow) (kept, executed, outcomes []byte, err error) {
	if s.settled == 0 || len(a.Executed) < s.settled {
		s.settled, s.kept, s.executed, s.outcomes = 0, []byte("["), []byte("["), []byte("[")
	}
	for s.settled < len(a.Executed)-1 && a.Executed[s.settled].Outcome != run.Running {
		if s.kept, s.executed, s.outcomes, err = s.add(a.Executed[s.settled], s.kept, s.executed, s.outcomes); err != nil {
			return nil, nil, nil, err
		}
		s.settled++
	}
	kept, executed, outcomes = s.kept, s.executed, s.outcomes // what is added here is overwritten the next time
	for i := s.settled; i < len(a.Executed); i++ {
		if kept, executed, outcomes, err = s.add(a.Executed[i], kept, executed, outcomes); err != nil {
			return nil, nil, nil, err
		}
	}
	s.kept, s.executed, s.outcomes = kept[:len(s.kept)], executed[:len(s.executed)], outcomes[:len(s.outcomes)]
	return append(kept, ']'), append(executed, ']'), append(outcomes, ']'), nil
}

func (s *Scribe) add(e *Executed, kept, executed, outcomes []byte) (k, x, o []byte, err error) {
	if s.action == nil || !same(&e.Action, &s.last.Action) {
		if s.action, err = e.Action.MarshalJSON(); err != nil {
			return nil, nil, nil, err
		}
		if !json.Valid(s.action) {
			return nil, nil, nil, fmt.Errorf("write activeflow: the option of action %s is not JSON", e.Action.ID)
		}
		s.last = *e
	}
	outcome, reason := quoted(string(e.Outcome)), quoted(e.Reason)
	if len(kept) > 1 {
		kept, executed, outcomes = append(kept, ','), append(executed, ','), append(outcomes, ',')
	}
	for _, part := range [][]byte{actionKey, s.action, outcomeKey, outcome, reasonKey, reason} {
		kept = append(kept, part...)
	}
	outcomes = append(append(outcomes, `{"action_id":"`...), wire.UUID(e.Action.ID)...)
	outcomes = append(append(outcomes, `","outcome":`...), outcome...)
	outcomes = append(append(outcomes, `,"reason":`...), reason...)
	return append(kept, '}'), append(executed, s.action...), append(outcomes, '}'), nil
}

var actionKey, outcomeKey, reasonKey = []byte(`{"Action":`), []byte(`,"Outcome":`), []byte(`,"Reason":`)
