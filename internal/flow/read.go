package flow

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"parley/internal/fault"
	"parley/internal/flow/action"
	"parley/internal/wire"
)

// The limits of a document.
const (
	actionsMax = 500
	optionMax  = 256 << 10 // bytes of one option
	bytesMax   = 512 << 10 // of the whole list
	depthMax   = 3         // lists inside options
	labelMax   = 255
)

// Refusal is a fault with the place in the document that it is about, for example actions[3].option.duration.
type Refusal struct {
	Place string
	Fault *fault.Error
}

func (r *Refusal) Error() string { return r.Fault.Message }

// Unwrap returns the fault.
func (r *Refusal) Unwrap() error { return r.Fault }

func refuse(place, reason, format string, args ...any) error {
	return &Refusal{place, fault.New(fault.Invalid, reason, "%s: %s", place, fmt.Sprintf(format, args...))}
}

// Reading says how a list of actions is read.
type Reading struct {
	Place string        // where the list stands in its document, for messages; "" is actions
	NewID func() string // makes the ids of actions that have none
	// Fragment is a list that is pushed on another flow: its targets may be actions of that flow, and are looked for when they are needed.
	Fragment bool

	depth int
}

// ReadActions reads a list of actions: unknown types, options that do not fit, targets that are not in the list and lists that are too long are refused
// with their place (Refusal). null and nothing are the empty list. Ids that are no UUIDs are labels: the action gets an id, and whatever
// refers to the label then refers to that.
func ReadActions(list []byte, r Reading) ([]Action, error) {
	if r.Place == "" {
		r.Place = "actions"
	}
	if len(list) > bytesMax {
		return nil, refuse(r.Place, "FLOW_TOO_LARGE", "it has %d bytes; at most %d are kept", len(list), bytesMax)
	}
	var in []entry
	if len(bytes.TrimSpace(list)) > 0 {
		if err := json.Unmarshal(list, &in); err != nil || !utf8.Valid(list) {
			return nil, r.malformed(err)
		}
	}
	if len(in) > actionsMax {
		return nil, refuse(r.Place, "FLOW_TOO_LARGE", "it has %d actions; at most %d are kept", len(in), actionsMax)
	}
	d := document{Reading: r, ids: map[string]string{}}
	return d.read(in)
}

// entry is an action as somebody has written it.
type entry struct {
	ID     string          `json:"id"`
	NextID string          `json:"next_id"`
	Type   action.Type     `json:"type"`
	Option json.RawMessage `json:"option"`
}

func (r *Reading) malformed(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) && wrong.Field != "" {
		return refuse(r.Place, "INVALID_ARGUMENT", "%s of an action cannot be a %s", wrong.Field, wrong.Value)
	}
	return refuse(r.Place, "INVALID_ARGUMENT", "it must be a list of actions, in UTF-8")
}

// document is a list while it is read.
type document struct {
	Reading
	ids map[string]string // ids and labels as written, to ids
}

func (d *document) at(i int, field string) string { return fmt.Sprintf("%s[%d].%s", d.Place, i, field) }

func (d *document) read(in []entry) ([]Action, error) {
	out := make([]Action, len(in))
	for i, e := range in {
		id, err := d.identify(i, e.ID)
		if err != nil {
			return nil, err
		}
		out[i] = Action{ID: id, Type: e.Type}
		if f := e.Type.Check(); f != nil {
			return nil, &Refusal{d.at(i, "type"), fault.New(f.Kind, f.Reason, "%s: %s", d.at(i, "type"), f.Message)}
		}
	}
	for i, e := range in {
		var err error
		if out[i].NextID, err = d.target(d.at(i, "next_id"), e.NextID); err != nil {
			return nil, err
		}
		if out[i].Option, err = d.option(i, e); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// identify returns the id of an action that is written as s.
func (d *document) identify(i int, s string) (string, error) {
	id, isID := wire.ParseUUID(s)
	switch {
	case s == "" || id == wire.NilUUID:
		return d.NewID(), nil
	case id == StartID || id == FinishID || id == NextID:
		return "", refuse(d.at(i, "id"), "INVALID_ARGUMENT", "this id has a meaning of its own; use another one")
	case !isID:
		if err := wire.Text(s, labelMax); err != nil {
			return "", refuse(d.at(i, "id"), "INVALID_ARGUMENT", "%v", err)
		}
		id = d.NewID()
	default:
		s = id
	}
	if _, taken := d.ids[s]; taken {
		return "", refuse(d.at(i, "id"), "INVALID_ARGUMENT", "another action has this id")
	}
	d.ids[s] = id
	return id, nil
}

// target returns the id that a reference means, "" for none.
func (d *document) target(place, s string) (string, error) {
	written, isID := wire.ParseUUID(s)
	if !isID {
		written = s
	}
	id, known := d.ids[written]
	switch {
	case known:
		return id, nil
	case s == "" || written == wire.NilUUID:
		return "", nil
	case written == FinishID || written == NextID, d.Fragment && isID:
		return written, nil
	}
	return "", refuse(place, "ACTION_TARGET_UNKNOWN", "no action of this list has that id; name one that has")
}

// Time returns t as records keep it: UTC, in microseconds.
func Time(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
