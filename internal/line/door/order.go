package door

import (
	"time"

	"parley/internal/call"
)

// Order asks for calls out.
type Order struct {
	CustomerID   string
	Source       call.Address
	Destinations []call.Address
	FlowID       string // wins over Actions
	Actions      []byte // JSON list of actions; nil for none
	Variables    map[string]string
	Anonymous    string // "", "auto": as the source says; yes, no

	RingMethod   string // of a group: "ring_all" (also ""), "linear"
	AnswerMethod string // of a group: "hangup_others" (also "")
	Group        bool   // make one groupcall of all destinations

	MasterCallID string // "" for none: that call ends, these end
	CallCount    int    // how many calls came before, each placed by a flow of the one before
	Timeout      time.Duration
	AgentID      string // whose calls they are, "" for nobody's
	Early        bool   // begin the flow while the phone rings; what needs its ear waits for the answer

	Join *Joining // enter this conference on answer, instead of a flow
}

// Joining says how a call that is dialled out enters a conference.
type Joining struct {
	ConferenceID, Name, Role string
	Muted                    bool
	PreFlowID                string

	Straight bool // for a connect: without flows, and not before the callee has answered
}
