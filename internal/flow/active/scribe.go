package active

import (
	"bytes"
	"encoding/json"
	"fmt"

	"parley/internal/flow/run"
	"parley/internal/wire"
)

// Scribe writes the record of one run over and over, as it grows, without writing its past anew each time. The zero value is ready; it belongs to
// one run and one goroutine.
type Scribe struct {
	settled                  int // executed actions that are in the texts for good
	kept, executed, outcomes []byte
}

// Write returns what json.Marshal(a) and Event.Data return: the store's form and the API's.
func (s *Scribe) Write(a *Activeflow) (doc, data []byte, err error) {
	kept, executed, outcomes, err := s.past(a)
	if err != nil {
		return nil, nil, err
	}
	variables := []byte("{}")
	if a.Variables != nil {
		if variables, err = json.Marshal(a.Variables); err != nil {
			return nil, nil, err
		}
	}
	short := *a
	short.Executed, short.Variables = nil, nil
	r := short.Resource()
	r.ExecutedActions, r.Outcomes, r.Variables = nil, nil, nil
	if doc, err = json.Marshal(short); err != nil {
		return nil, nil, err
	}
	if data, err = json.Marshal(r); err != nil {
		return nil, nil, err
	}
	if doc, err = splice(doc, part{"Executed", kept}, part{"Variables", variables}); err != nil {
		return nil, nil, err
	}
	data, err = splice(data, part{"executed_actions", executed}, part{"outcomes", outcomes}, part{"variables", variables})
	return doc, data, err
}

// part is what belongs to a key.
type part struct {
	key  string
	text []byte
}

// splice puts each text where its key has null, for the last time. The keys stand in this order, and nothing that anybody has written follows them.
func splice(text []byte, parts ...part) ([]byte, error) {
	size, at := len(text), make([]int, len(parts))
	for end, i := len(text), len(parts)-1; i >= 0; i-- {
		at[i] = bytes.LastIndex(text[:end], []byte(`"`+parts[i].key+`":null`))
		if at[i] < 0 {
			return nil, fmt.Errorf("write activeflow: no %s", parts[i].key)
		}
		end, size = at[i], size+len(parts[i].text)
	}
	out, done := make([]byte, 0, size), 0
	for i, p := range parts {
		null := at[i] + len(p.key) + len(`"":`)
		out = append(append(out, text[done:null]...), p.text...)
		done = null + len("null")
	}
	return append(out, text[done:]...), nil
}

// past returns the lists of what was executed. All but the last have got their outcome and stay as they are.
func (s *Scribe) past(a *Activeflow) (kept, executed, outcomes []byte, err error) {
	if s.settled == 0 || len(a.Executed) < s.settled {
		*s = Scribe{kept: []byte("["), executed: []byte("["), outcomes: []byte("[")}
	}
	for s.settled < len(a.Executed)-1 && a.Executed[s.settled].Outcome != run.Running {
		if s.kept, s.executed, s.outcomes, err = add(&a.Executed[s.settled], s.kept, s.executed, s.outcomes); err != nil {
			return nil, nil, nil, err
		}
		s.settled++
	}
	kept, executed, outcomes = s.kept, s.executed, s.outcomes // what is added here is overwritten the next time
	for i := s.settled; i < len(a.Executed); i++ {
		if kept, executed, outcomes, err = add(&a.Executed[i], kept, executed, outcomes); err != nil {
			return nil, nil, nil, err
		}
	}
	s.kept, s.executed, s.outcomes = kept[:len(s.kept)], executed[:len(s.executed)], outcomes[:len(s.outcomes)]
	return append(kept, ']'), append(executed, ']'), append(outcomes, ']'), nil
}

func add(e *Executed, kept, executed, outcomes []byte) (k, x, o []byte, err error) {
	action, err := json.Marshal(e.Action)
	if err != nil {
		return nil, nil, nil, err
	}
	about, err := json.Marshal(struct {
		Outcome run.Outcome
		Reason  string
	}{e.Outcome, e.Reason})
	if err != nil {
		return nil, nil, nil, err
	}
	outcome, err := json.Marshal(Outcome{wire.UUID(e.Action.ID), string(e.Outcome), e.Reason})
	if err != nil {
		return nil, nil, nil, err
	}
	if len(kept) > 1 {
		kept, executed, outcomes = append(kept, ','), append(executed, ','), append(outcomes, ',')
	}
	kept = append(append(append(kept, `{"Action":`...), action...), ',')
	return append(kept, about[1:]...), append(executed, action...), append(outcomes, outcome...), nil
}
