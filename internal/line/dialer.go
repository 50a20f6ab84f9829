package line

import (
	"context"
	"time"

	"parley/internal/call"
	"parley/internal/line/callee"
	"parley/internal/line/door"
	"parley/internal/line/groups"
)

// Dialer places calls to phones; the SIP door is one.
type Dialer interface {
	// Dial sends an INVITE and returns at once with its dialog. It fails with fault.Invalid when the target cannot be dialled, and with
	// fault.Unavailable while the door stops or has no place for one more. l is asked for what comes inside the dialog.
	Dial(ctx context.Context, o Outgoing, l *Line) (Departure, error)
	// Contacts returns where an extension is registered: SIP URIs to dial, the most preferred first; none when it is not.
	Contacts(ctx context.Context, customerID, extension string) ([]Outgoing, error)
}

// What a call out is made of.
type (
	Placed   = groups.Placed   // what an order has become
	Outgoing = callee.Outgoing // whom to call, and how
	Trunks   = callee.Trunks   // finds ways to callees, and guards them; *trunk.Trunks is one
)

// What a door and a line promise one another.
type (
	Dialog    = door.Dialog    // of a call that came in
	Departure = door.Departure // of one that we place
	Live      = door.Live      // of either, once it is answered
	Ended     = door.Ended
	Control   = door.Control // a wish about a live call
	Invite    = door.Invite
	Progress  = door.Progress
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
	agent        string // whose calls they are, "" for nobody's

	Join *Joining // enter this conference on answer, instead of a flow
}

// Joining says how a call that is dialled out enters a conference.
type Joining struct {
	ConferenceID, Name, Role string
	Muted                    bool
	PreFlowID                string

	straight bool // for a connect: without flows, and not before the callee has answered
}
