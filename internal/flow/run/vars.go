package run

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"parley/internal/call"
	"parley/internal/fault"
	"parley/internal/flow/action"
	"parley/internal/wire"
)

// Variables are a run's. Names that begin with voipbin. are the server's.
type Variables map[string]string

// The limits of variables that are not the server's, and of a text with them in it.
const (
	variablesMax = 100
	nameMax      = 255
	valueMax     = 32 << 10 // bytes of one value
	valuesMax    = 64 << 10 // bytes of all
	filledMax    = 64 << 10 // bytes of one text once its variables are in it
)

const reserved = "voipbin."

// Names of the server's variables that a run itself sets.
const (
	varDigits           = action.DefaultVariable
	varStatus           = "voipbin.call.status"
	varConference       = "voipbin.conference.id"
	varConferenceName   = "voipbin.conference.name"
	varParticipant      = "voipbin.conference.conferencecall_id"
	varConferenceResult = "voipbin.conference.result"
	varConferenceReason = "voipbin.conference.reason"
)

// variables returns what a run begins with.
func (e *Env) variables() (Variables, error) {
	v := Variables{
		"voipbin.activeflow.id": wire.UUID(e.ActiveflowID), "voipbin.activeflow.flow_id": wire.UUID(e.FlowID),
		"voipbin.activeflow.reference_type": e.ReferenceType, "voipbin.activeflow.reference_id": wire.UUID(e.ReferenceID),
		"voipbin.activeflow.reference_activeflow_id": wire.UUID(e.ReferenceActiveflowID),
		"voipbin.activeflow.complete_count":          strconv.Itoa(e.CompleteCount),
		"voipbin.flow.reference_data":                e.ReferenceData,
	}
	if e.onCall() {
		v["voipbin.call.id"], v["voipbin.call.direction"] = wire.UUID(e.ReferenceID), string(e.Direction)
		v["voipbin.call.master_call_id"], v[varDigits] = wire.UUID(e.MasterCallID), ""
		v.address("voipbin.call.source.", e.Source)
		v.address("voipbin.call.destination.", e.Destination)
	}
	for name, value := range e.Variables {
		if strings.HasPrefix(name, reserved) {
			continue
		}
		if reason := v.set(name, value); reason != "" {
			return nil, fault.New(fault.Invalid, "INVALID_VARIABLES",
				"variables: at most %d, names of 1 to %d characters, %d bytes of each value and %d of all, text in UTF-8", variablesMax, nameMax, valueMax, valuesMax)
		}
	}
	return v, nil
}

// onCall reports whether there is somebody to talk to.
func (e *Env) onCall() bool { return e.ReferenceType == "call" }

func (v Variables) address(prefix string, a call.Address) {
	v[prefix+"name"], v[prefix+"detail"], v[prefix+"type"] = a.Name, a.Detail, a.Type
	v[prefix+"target"], v[prefix+"target_name"] = a.Target, a.TargetName
}

// set gives a variable of somebody's a value, or returns why not.
func (v Variables) set(name, value string) string {
	if name == varDigits && len(value) <= digitsKept {
		v[name] = value
		return ""
	}
	if strings.HasPrefix(name, reserved) {
		return "VARIABLE_RESERVED"
	}
	old, known := v[name]
	count, bytes := 0, len(value)-len(old)
	for n, x := range v {
		if !strings.HasPrefix(n, reserved) {
			count++
			bytes += len(n) + len(x)
		}
	}
	if !known {
		count++
		bytes += len(name)
	}
	if name == "" || wire.Text(name, nameMax) != nil || wire.Text(value, valueMax) != nil || len(value) > valueMax ||
		count > variablesMax || bytes > valuesMax {
		return "VARIABLES_TOO_LARGE"
	}
	v[name] = value
	return ""
}

var mark = []byte("${")

// fill returns the option with the variables in its texts; an unknown variable is the empty text. What a variable holds is taken as it is. ok is
// false when a text becomes too long.
func (v Variables) fill(option []byte) (filled []byte, ok bool) {
	if !bytes.Contains(option, mark) {
		return option, true
	}
	dec := json.NewDecoder(bytes.NewReader(option))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return nil, false
	}
	left := filledMax
	tree = v.fillTree(tree, &left)
	filled, err := json.Marshal(tree)
	return filled, err == nil && left >= 0
}

// fillTree works on all texts of a tree but its keys, and on no list of actions inside it: that one has its own run.
func (v Variables) fillTree(tree any, left *int) any {
	switch t := tree.(type) {
	case string:
		return v.text(t, left)
	case []any:
		for i := range t {
			t[i] = v.fillTree(t[i], left)
		}
	case map[string]any:
		for key := range t {
			if key != "actions" {
				t[key] = v.fillTree(t[key], left)
			}
		}
	}
	return tree
}

// text puts the variables in. It gives up, with left below 0, as soon as there is too much.
func (v Variables) text(s string, left *int) string {
	var b strings.Builder
	for *left >= 0 {
		before, after, found := strings.Cut(s, "${")
		name, rest, closed := strings.Cut(after, "}")
		if !found || !closed {
			*left -= len(s)
			b.WriteString(s)
			break
		}
		value := v[strings.TrimSpace(name)]
		*left -= len(before) + len(value)
		b.WriteString(before)
		b.WriteString(value)
		s = rest
	}
	if *left < 0 {
		return ""
	}
	return b.String()
}
