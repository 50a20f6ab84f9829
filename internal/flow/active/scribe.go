package active

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
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
	status           Status
	reason           string
	created, deleted time.Time
}

// The places that change, in their order.
var (
	docPlaces  = []string{`"Current":`, `"Executed":`, `"Variables":`, `"Updated":`}
	dataPlaces = []string{`"current_action":`, `"executed_actions":`, `"tm_update":`, `"outcomes":`, `"variables":`}
)

// Write returns what json.Marshal(a) and Event.Data return: the store's form and the API's.
func (s *Scribe) Write(a *Activeflow) (doc, data []byte, err error) {
	if err := s.outline(a); err != nil {
		return nil, nil, err
	}
	kept, executed, outcomes, err := s.past(a)
	if err != nil {
		return nil, nil, err
	}
	current, err := s.current(a)
	if err != nil {
		return nil, nil, err
	}
	if s.text == nil || !maps.Equal(s.variables, a.Variables) {
		if s.text, err = json.Marshal(a.Variables); err != nil {
			return nil, nil, err
		}
		if a.Variables == nil {
			s.text = []byte("{}")
		}
		s.variables = a.Variables
	}
	updated, err := json.Marshal(a.Updated)
	if err != nil {
		return nil, nil, err
	}
	shown, err := json.Marshal(wire.Time(a.Updated))
	if err != nil {
		return nil, nil, err
	}
	return join(s.doc, current, kept, s.text, updated), join(s.data, current, executed, shown, outcomes, s.text), nil
}

// outline writes everything around the places that change.
func (s *Scribe) outline(a *Activeflow) (err error) {
	f := frame{a.ID, a.CustomerID, a.Origin, a.Status, a.EndReason, a.Created, a.Deleted}
	if f == s.frame {
		return nil
	}
	empty := *a
	empty.Progress, empty.Updated = Progress{}, time.Time{}
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
		d := json.NewDecoder(bytes.NewReader(text[at:]))
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, fmt.Errorf("write activeflow: %s: %w", key, err)
		}
		parts, text = append(parts, text[:at:at]), text[at+len(value):]
	}
	return append(parts, text), nil
}

// join puts the values between the parts.
func join(parts [][]byte, values ...[]byte) []byte {
	size := len(parts[len(values)])
	for i, v := range values {
		size += len(parts[i]) + len(v)
	}
	out := make([]byte, 0, size)
	for i, v := range values {
		out = append(append(out, parts[i]...), v...)
	}
	return append(out, parts[len(values)]...)
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
		if s.kept, s.executed, s.outcomes, err = s.add(&a.Executed[s.settled], s.kept, s.executed, s.outcomes); err != nil {
			return nil, nil, nil, err
		}
		s.settled++
	}
	kept, executed, outcomes = s.kept, s.executed, s.outcomes // what is added here is overwritten the next time
	for i := s.settled; i < len(a.Executed); i++ {
		if kept, executed, outcomes, err = s.add(&a.Executed[i], kept, executed, outcomes); err != nil {
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
		s.last = *e
	}
	outcome := []byte(`"` + e.Outcome + `"`)
	reason, err := json.Marshal(e.Reason)
	if err != nil {
		return nil, nil, nil, err
	}
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
