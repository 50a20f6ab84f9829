package action

import (
	"fmt"
	"strings"

	"parley/internal/wire"
)

// None is the option of actions that take none.
type None struct{}

func (*None) check(*check) {}

// DefaultVariable is what a branch looks at when it is not told.
const DefaultVariable = "voipbin.call.digits"

// Branching jumps by the value of a variable, which is "" afterwards.
type Branching struct {
	Variable        string            `json:"variable"` // name; "" is DefaultVariable
	DefaultTargetID string            `json:"default_target_id"`
	TargetIDs       map[string]string `json:"target_ids"` // value to action
}

func (o *Branching) check(c *check) {
	c.text("variable", o.Variable, 0, wordMax)
	if o.Variable == "" {
		o.Variable = DefaultVariable
	}
	c.target("default_target_id", &o.DefaultTargetID, false)
	if len(o.TargetIDs) > targetsMax {
		c.fail("target_ids", "it has %d targets; at most %d are kept", len(o.TargetIDs), targetsMax)
	}
	for value, id := range o.TargetIDs {
		c.target(fmt.Sprintf("target_ids[%q]", clip(value)), &id, true)
		o.TargetIDs[value] = id
	}
}

// Jump goes to another action, at most LoopCount times.
type Jump struct {
	TargetID  string `json:"target_id"`
	LoopCount int64  `json:"loop_count"` // 0 and less: never
}

func (o *Jump) check(c *check) { c.target("target_id", &o.TargetID, true) }

// IfDigits holds when the collected digits are as many as Length, or one of them is in Key.
type IfDigits struct {
	Length        int64  `json:"length"` // 0: not asked for
	Key           string `json:"key"`    // "": not asked for
	FalseTargetID string `json:"false_target_id"`
}

func (o *IfDigits) check(c *check) {
	c.number("length", o.Length, 0, digitsMax)
	c.digits("key", o.Key, 16)
	c.target("false_target_id", &o.FalseTargetID, false)
}

// Holds reports whether the digits fulfil the condition.
func (o *IfDigits) Holds(digits string) bool {
	return o.Length > 0 && int64(len(digits)) >= o.Length || o.Key != "" && strings.ContainsAny(digits, o.Key)
}

// IfStatus holds when the call has the status.
type IfStatus struct {
	Status        string `json:"status"`
	FalseTargetID string `json:"false_target_id"`
}

func (o *IfStatus) check(c *check) {
	c.word("status", o.Status, "dialing", "ringing", "progressing", "terminating", "canceling", "hangup")
	c.target("false_target_id", &o.FalseTargetID, false)
}

// Setting gives a variable a value.
type Setting struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

func (o *Setting) check(c *check) {
	c.text("key", o.Key, 1, wordMax)
	if strings.HasPrefix(o.Key, "voipbin.") && o.Key != DefaultVariable {
		c.fail("key", "names that begin with voipbin. are the server's; only %s can be set", DefaultVariable)
	}
	if len(o.Value) > dataMax || wire.Text(o.Value, dataMax) != nil {
		c.fail("value", "it is no text of at most %d bytes", dataMax)
	}
}

// Fetching gets actions from outside: fetch by an HTTP request that is answered with a list of actions, fetch_flow from another flow.
type Fetching struct {
	EventURL    string `json:"event_url"`
	EventMethod string `json:"event_method"` // GET, POST (also ""), PUT or DELETE
	FlowID      string `json:"flow_id"`
}

func (o *Fetching) check(c *check) {
	if c.kind == FetchFlow {
		c.uuid("flow_id", &o.FlowID, true)
		return
	}
	c.url("event_url", o.EventURL)
	o.EventMethod = method(c, "event_method", o.EventMethod)
}

func method(c *check, field, m string) string {
	if c.later(m) {
		return m
	}
	if m == "" {
		return "POST"
	}
	m = strings.ToUpper(m)
	c.word(field, m, "GET", "POST", "PUT", "DELETE")
	return m
}

// Webhook sends an HTTP request; a failure is noted and nothing else follows from it. Sync waits for the answer, which is not used.
type Webhook struct {
	Sync     bool   `json:"sync"`
	URI      string `json:"uri"`
	Method   string `json:"method"`    // as event_method
	DataType string `json:"data_type"` // the body's media type; "" is application/json
	Data     string `json:"data"`
}

func (o *Webhook) check(c *check) {
	c.url("uri", o.URI)
	o.Method = method(c, "method", o.Method)
	c.text("data_type", o.DataType, 0, wordMax)
	if strings.ContainsAny(o.DataType, "\r\n") {
		c.fail("data_type", "it must be a media type")
	}
	c.text("data", o.Data, 0, dataMax)
}
