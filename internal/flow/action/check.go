package action

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"parley/internal/call"
	"parley/internal/wire"
)

// The limits of options.
const (
	echoDefault    = 180_000 // ms
	durationMax    = 86_400_000
	textMax        = 5000 // characters of a spoken text
	wordMax        = 255
	urlMax         = wire.URLMax
	urlsMax        = 50
	destinationMax = 50
	dataMax        = 64 << 10 // bytes
	targetsMax     = 500
	digitsMax      = 100
)

// Option is what an action is told: one of the structs of this package. A read option is never changed.
type Option interface {
	check(c *check)
}

// Stage says how much is known of an option's texts.
type Stage uint8

// The stages: as written in a flow, where ${name} may stand for anything that comes later; and as executed, with every variable in its place.
const (
	Written Stage = iota
	Final
)

// Read returns the option of an action of the type, with nil UUIDs as "". Unknown keys are ignored; a wrong type or value is an error that begins with
// the option's key. The type has to be a known one (Check).
func Read(t Type, option []byte, stage Stage) (Option, error) {
	s, known := shapes[t]
	if !known {
		return nil, fmt.Errorf("type: %q is no type of action", clip(string(t)))
	}
	o := s.make()
	if len(option) > 0 {
		if err := json.Unmarshal(option, o); err != nil {
			return nil, explain(err)
		}
	}
	c := &check{stage: stage, kind: t}
	o.check(c)
	return o, c.err
}

func explain(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) && wrong.Field != "" {
		return fmt.Errorf("%s: a %s does not fit here; it must be %s", wrong.Field, wrong.Value, inJSON(wrong.Type.Kind().String()))
	}
	return fmt.Errorf("it must be a JSON object: %w", err)
}

func inJSON(kind string) string {
	switch {
	case kind == "slice":
		return "a list"
	case kind == "map" || kind == "struct":
		return "an object"
	case kind == "bool":
		return "true or false"
	case strings.HasPrefix(kind, "int"):
		return "a whole number"
	case strings.HasPrefix(kind, "float"):
		return "a number"
	}
	return "a text"
}

// check collects the first thing that is wrong with an option.
type check struct {
	stage Stage
	kind  Type
	err   error
}

func (c *check) fail(field, format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("%s: %s", field, fmt.Sprintf(format, args...))
	}
}

// later reports whether the text cannot be judged yet because a variable is in it.
func (c *check) later(s string) bool { return c.stage == Written && strings.Contains(s, "${") }

func (c *check) text(field, s string, least, most int) {
	if err := wire.Text(s, most); err != nil {
		c.fail(field, "%v", err)
	} else if utf8.RuneCountInString(s) < least && !c.later(s) {
		c.fail(field, "it is missing")
	}
}

func (c *check) uuid(field string, v *string, required bool) {
	if c.later(*v) {
		c.text(field, *v, 0, wordMax)
		return
	}
	read := wire.OptionalUUID
	if required {
		read = wire.RequiredUUID
	}
	id, err := read(*v)
	if err != nil {
		c.fail(field, "%s", clip(err.Error()))
	}
	*v = id
}

// target checks the id of an action. It is never made from variables: what a flow can do is known before it runs.
func (c *check) target(field string, v *string, required bool) {
	stage := c.stage
	c.stage = Final
	c.uuid(field, v, required)
	c.stage = stage
}

func (c *check) word(field, s string, allowed ...string) {
	if !c.later(s) && !slices.Contains(allowed, s) {
		c.fail(field, "%q is unknown; use one of %q", clip(s), allowed)
	}
}

func (c *check) number(field string, n, least, most int64) {
	if n < least || n > most {
		c.fail(field, "%d is out of range; it must be %d to %d", n, least, most)
	}
}

func (c *check) url(field, s string) { c.place(field, s, wire.HTTP) }

// place checks an address on the web, as ok says.
func (c *check) place(field, s string, ok func(string) error) {
	c.text(field, s, 1, urlMax)
	if c.later(s) {
		return
	}
	if err := ok(s); err != nil {
		c.fail(field, "%v", err)
	}
}

func (c *check) digits(field, s string, most int) {
	if c.later(s) {
		return
	}
	if len(s) > most || strings.Trim(s, "0123456789ABCD*#") != "" {
		c.fail(field, "it must be at most %d of 0-9 A-D * #", most)
	}
}

func (c *check) addresses(field string, list []call.Address) {
	if len(list) == 0 || len(list) > destinationMax {
		c.fail(field, "it has %d destinations; 1 to %d can be called", len(list), destinationMax)
	}
	for i := range list {
		c.address(fmt.Sprintf("%s[%d]", field, i), &list[i])
		if list[i].Target == "" {
			c.fail(fmt.Sprintf("%s[%d].target", field, i), "it is missing")
		}
	}
}

func (c *check) address(field string, a *call.Address) {
	c.word(field+".type", a.Type, "", "agent", "conference", "extension", "sip", "tel")
	for _, s := range []string{a.Target, a.TargetName, a.Name, a.Detail} {
		c.text(field, s, 0, 1024)
	}
}
