package call

import (
	"encoding/json"
	"time"
)

// Command is a wish, or a fact that signalling reports. The set is closed; every command carries its time, and ids that it needs are
// made by the caller.
type Command interface{ command() }

type (
	// Incoming makes the record of a call that came in. Texts of its addresses that cannot be stored as they are get cleaned.
	Incoming struct {
		At           time.Time
		ID           ID
		CustomerID   string
		Type         Type
		Source       Address
		Destination  Address
		SIPCallID    string
		FlowID       string
		ActiveflowID string
		GroupcallID  string
		MasterCallID string
		AgentID      string // whose call it is, "" for nobody's
	}
	// Outgoing makes the record of a call that we dial. Addresses that cannot be stored as they are get refused.
	Outgoing Incoming
	// Ring says that the other side rings. Too late, it changes nothing.
	Ring struct{ At time.Time }
	// Answer says that the call has been answered. It is refused once the call is ending: whoever sent it has a leg to hang up.
	Answer struct{ At time.Time }
	// Cancel begins to end the call from our side: an unanswered outgoing one becomes canceling, any other terminating. Hangup
	// follows when the other side has confirmed, or will not.
	Cancel struct{ At time.Time }
	// Hangup says that the call is over. When we ended it without Cancel before, that step is made up for. Repeated, it changes nothing.
	Hangup struct {
		At      time.Time
		By      Side         // "" means local after Cancel, else remote
		Reason  HangupReason // "" means what the state suggests: cancel, normal after an answer, else noanswer
		Detail  string       // for people; cleaned if need be
		Quality *Quality     // nil when nothing was measured
	}
	// Seat says in which conference the call sits, as which conferencecall; both "" for none. It leaves its seat with the hangup at the latest.
	Seat struct {
		At               time.Time
		ConferenceID     string
		ConferencecallID string
	}
	// Mute says what the call is kept from: in, speaking; out, hearing; both; "" nothing. It is refused once the call has ended.
	Mute struct {
		At        time.Time
		Direction string
	}
	// Act says which action of a flow runs, as its JSON; nil for none. It is no event of its own when it is the one before.
	Act struct {
		At     time.Time
		Action json.RawMessage
	}
	// Tape says that a recording of the call has begun, or that it has ended.
	Tape struct {
		At          time.Time
		RecordingID string
		Ended       bool
	}
	// Chain adds a call that ends when this one does.
	Chain struct {
		At     time.Time
		CallID string
	}
	// Replace says that another phone has taken the place of the one that the call was with: its dialog, and who it is. What cannot be stored as
	// it is gets cleaned. It is refused once the call has ended.
	Replace struct {
		At        time.Time
		SIPCallID string
		Party     Address
	}
	// Delete hides an ended call from lists. Repeated, it changes nothing.
	Delete struct{ At time.Time }
	// Recover ends a call that a dead process left behind: by us, with reason failed and detail "lost". Repeated, it changes nothing.
	Recover struct{ At time.Time }
)

func (Incoming) command() {}
func (Outgoing) command() {}
func (Ring) command()     {}
func (Answer) command()   {}
func (Cancel) command()   {}
func (Hangup) command()   {}
func (Seat) command()     {}
func (Mute) command()     {}
func (Act) command()      {}
func (Tape) command()     {}
func (Chain) command()    {}
func (Replace) command()  {}
func (Delete) command()   {}
func (Recover) command()  {}
