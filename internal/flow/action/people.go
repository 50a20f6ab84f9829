package action

import (
	"encoding/json"

	"parley/internal/call"
)

// Joining brings the call into a conference: conference_join as a participant with everything that belongs to it, confbridge_join into the mix.
type Joining struct {
	ConferenceID string `json:"conference_id"`
	ConfbridgeID string `json:"confbridge_id"` // of confbridge_join; a conference's confbridge has the conference's id
}

func (o *Joining) check(c *check) {
	if c.kind == ConferenceJoin {
		c.uuid("conference_id", &o.ConferenceID, true)
		return
	}
	c.uuid("confbridge_id", &o.ConfbridgeID, true)
}

// Calling dials without waiting. Chained calls end with this one.
type Calling struct {
	Source         call.Address    `json:"source"`
	Destinations   []call.Address  `json:"destinations"`
	FlowID         string          `json:"flow_id"`
	Actions        json.RawMessage `json:"actions"` // a list of actions instead of FlowID
	Chained        bool            `json:"chained"`
	EarlyExecution bool            `json:"early_execution"`
	Anonymous      string          `json:"anonymous"` // "", yes, no, auto
}

func (o *Calling) check(c *check) {
	c.address("source", &o.Source)
	c.addresses("destinations", o.Destinations)
	c.uuid("flow_id", &o.FlowID, false)
	c.word("anonymous", o.Anonymous, "", "yes", "no", "auto")
	if string(o.Actions) == "null" || string(o.Actions) == "[]" {
		o.Actions = nil
	}
	if (o.FlowID == "") == (len(o.Actions) == 0) {
		c.fail("flow_id", "give flow_id or actions, one of them")
	}
}

// Connecting dials, joins this call with whoever answers, and goes on when this call leaves.
type Connecting struct {
	Source       call.Address   `json:"source"`
	Destinations []call.Address `json:"destinations"`
	EarlyMedia   bool           `json:"early_media"`
	RelayReason  bool           `json:"relay_reason"` // end this call with the other's reason when that fails
	Anonymous    string         `json:"anonymous"`
}

func (o *Connecting) check(c *check) {
	c.address("source", &o.Source)
	c.addresses("destinations", o.Destinations)
	c.word("anonymous", o.Anonymous, "", "yes", "no", "auto")
}

// Ending hangs up. With ReferenceID the reason is that of another call.
type Ending struct {
	Reason      string `json:"reason"` // "" is normal
	ReferenceID string `json:"reference_id"`
}

func (o *Ending) check(c *check) {
	c.word("reason", o.Reason, "", string(call.Normal), string(call.Failed), string(call.Busy), string(call.Canceled), string(call.TimedOut),
		string(call.NoAnswer), string(call.DialOut), string(call.Machine))
	c.uuid("reference_id", &o.ReferenceID, false)
}
