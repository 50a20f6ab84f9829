package action

import (
	"cmp"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// IfTime holds when each given part, compared with that of the present time in UTC, does: "part condition now". Hour and minute always count,
// absent as 0; day and month only above 0; weekdays is a list of allowed ones, 0 is Sunday.
type IfTime struct {
	Condition     string  `json:"condition"`
	Minute        int64   `json:"minute"`
	Hour          int64   `json:"hour"`
	Day           int64   `json:"day"`
	Month         int64   `json:"month"`
	Weekdays      []int64 `json:"weekdays"`
	FalseTargetID string  `json:"false_target_id"`
}

func (o *IfTime) check(c *check) {
	comparison(c, o.Condition)
	c.number("minute", o.Minute, 0, 59)
	c.number("hour", o.Hour, 0, 23)
	c.number("day", o.Day, 0, 31)
	c.number("month", o.Month, 0, 12)
	for _, d := range o.Weekdays {
		c.number("weekdays", d, 0, 6)
	}
	c.target("false_target_id", &o.FalseTargetID, false)
}

// Holds reports whether the time fulfils the condition.
func (o *IfTime) Holds(at time.Time) bool {
	at = at.UTC()
	if len(o.Weekdays) > 0 && !slices.Contains(o.Weekdays, int64(at.Weekday())) {
		return false
	}
	return compare(o.Condition, o.Minute, int64(at.Minute())) &&
		compare(o.Condition, o.Hour, int64(at.Hour())) &&
		(o.Day == 0 || compare(o.Condition, o.Day, int64(at.Day()))) &&
		(o.Month == 0 || compare(o.Condition, o.Month, int64(at.Month())))
}

// IfVariable compares a text, which has the variables in it by then, with a value: as text, as number, or its length in characters.
type IfVariable struct {
	Condition     string  `json:"condition"`
	Variable      string  `json:"variable"`   // for example ${voipbin.call.digits}
	ValueType     string  `json:"value_type"` // string (also ""), number, length
	ValueString   string  `json:"value_string"`
	ValueNumber   float64 `json:"value_number"`
	ValueLength   int64   `json:"value_length"`
	FalseTargetID string  `json:"false_target_id"`
}

func (o *IfVariable) check(c *check) {
	comparison(c, o.Condition)
	c.text("variable", o.Variable, 0, dataMax)
	c.word("value_type", o.ValueType, "", "string", "number", "length")
	c.text("value_string", o.ValueString, 0, dataMax)
	c.target("false_target_id", &o.FalseTargetID, false)
}

// Holds reports whether the text fulfils the condition. What is no number fulfils none about numbers.
func (o *IfVariable) Holds() bool {
	switch o.ValueType {
	case "number":
		n, err := strconv.ParseFloat(o.Variable, 64)
		return err == nil && compare(o.Condition, n, o.ValueNumber)
	case "length":
		return compare(o.Condition, int64(utf8.RuneCountInString(o.Variable)), o.ValueLength)
	}
	return compare(o.Condition, o.Variable, o.ValueString)
}

func comparison(c *check, condition string) {
	c.word("condition", condition, "==", "!=", ">", ">=", "<", "<=")
}

func compare[T cmp.Ordered](condition string, a, b T) bool {
	switch condition {
	case "==":
		return a == b
	case "!=":
		return a != b
	case ">":
		return a > b
	case ">=":
		return a >= b
	case "<":
		return a < b
	case "<=":
		return a <= b
	}
	return false
}
