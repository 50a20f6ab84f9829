package flow

import (
	"bytes"
	"encoding/json"
	"time"

	"parley/internal/flow/action"
	"parley/internal/wire"
)

// The ids that stand for no action of a list.
const (
	StartID  = "00000000-0000-0000-0000-000000000001" // before the first action
	FinishID = "00000000-0000-0000-0000-000000000002" // as a target: end the flow
	NextID   = "00000000-0000-0000-0000-000000000003" // as a target: the next element of the list
)

// Action is one step of a flow. Read actions have an id, unique in their document, and options that fit their type.
type Action struct {
	ID       string
	NextID   string // "": the next element of the list
	Type     action.Type
	Option   json.RawMessage // object; nil for none
	Executed time.Time       // zero before
}

// shape is an action's JSON, in the API, in events and in the store.
type shape struct {
	ID       string          `json:"id"`
	NextID   string          `json:"next_id"`
	Type     action.Type     `json:"type"`
	Option   json.RawMessage `json:"option"`
	Executed wire.Time       `json:"tm_execute"`
}

var noOption = json.RawMessage("{}")

// MarshalJSON writes the action with all its fields: unset ids as nil UUIDs, no option as {}.
func (a Action) MarshalJSON() ([]byte, error) {
	option := a.Option
	if len(option) == 0 {
		option = noOption
	}
	if !Plain(a.ID) || !Plain(a.NextID) || !Plain(string(a.Type)) || bytes.ContainsAny(option, "<>&\u2028\u2029") {
		return json.Marshal(shape{wire.UUID(a.ID), wire.UUID(a.NextID), a.Type, option, wire.Time(a.Executed)})
	}
	executed, err := wire.Time(a.Executed).MarshalJSON()
	if err != nil {
		return nil, err
	}
	b := make([]byte, 0, 256+len(option)) // a run writes its actions with every step
	b = append(append(b, `{"id":"`...), wire.UUID(a.ID)...)
	b = append(append(b, `","next_id":"`...), wire.UUID(a.NextID)...)
	b = append(append(b, `","type":"`...), a.Type...)
	b = append(append(b, `","option":`...), option...)
	b = append(append(b, `,"tm_execute":`...), executed...)
	return append(b, '}'), nil
}

// Plain reports whether JSON has the text as it is, between quotes.
func Plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return false
		}
	}
	return true
}

// UnmarshalJSON reads what MarshalJSON wrote. Documents of strangers are read by ReadActions.
func (a *Action) UnmarshalJSON(b []byte) error {
	var s shape
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	*a = Action{unset(s.ID), unset(s.NextID), s.Type, s.Option, time.Time(s.Executed)}
	if string(s.Option) == "{}" {
		a.Option = nil
	}
	return nil
}

func unset(id string) string {
	if id == wire.NilUUID {
		return ""
	}
	return id
}
