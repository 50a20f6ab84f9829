package call

import (
	"encoding/json"
	"time"
)

// ID is the UUID of a call.
type ID string

// Status of a call. It only moves forward.
type Status string

// The states of a call. Incoming ones begin at Ringing, outgoing ones at Dialing.
const (
	Dialing     Status = "dialing"
	Ringing     Status = "ringing"
	Progressing Status = "progressing"
	Terminating Status = "terminating" // we are ending it
	Canceling   Status = "canceling"   // we are taking an unanswered outgoing call back
	Ended       Status = "hangup"
)

// Direction of a call, as this server sees it.
type Direction string

// The directions.
const (
	Inbound  Direction = "incoming"
	Outbound Direction = "outgoing"
)

// Type says what the call was made for.
type Type string

// The types of calls. The zero value is a call of no special kind.
const (
	ForFlow       Type = "flow"
	ForConference Type = "conference"
	ForSIPService Type = "sip-service"
)

// Side says who ended a call.
type Side string

// The sides.
const (
	Local  Side = "local"
	Remote Side = "remote"
)

// HangupReason says why a call ended.
type HangupReason string

// The reasons for a hangup.
const (
	Normal   HangupReason = "normal"
	Failed   HangupReason = "failed"
	Busy     HangupReason = "busy"
	Canceled HangupReason = "cancel"   // taken back before the answer
	TimedOut HangupReason = "timeout"  // longest duration reached
	NoAnswer HangupReason = "noanswer" // nobody answered, or declined
	DialOut  HangupReason = "dialout"  // our own patience with the dialling ended
	Machine  HangupReason = "amd"      // an answering machine was detected
)

// ReasonOf returns the reason for a final SIP status (RFC 3261 section 21); 0 and 2xx mean that the call ended without a failure.
func ReasonOf(sipStatus int) HangupReason {
	switch {
	case sipStatus == 0 || sipStatus/100 == 2:
		return Normal
	case sipStatus == 486 || sipStatus == 600:
		return Busy
	case sipStatus == 487:
		return Canceled
	case sipStatus == 408 || sipStatus == 480 || sipStatus == 603:
		return NoAnswer
	}
	return Failed
}

// Call is the record. It may be copied freely: what slices and pointers in it show is replaced, never written to. Its JSON is the
// store's form; Resource is the API's. The zero Call is one that does not exist.
type Call struct {
	ID            ID
	CustomerID    string
	Type          Type
	Direction     Direction
	Status        Status
	Source        Address
	Destination   Address
	SIPCallID     string // Call-ID of its dialog
	MuteDirection string // "both", "out", "in" or ""
	Place
	Links
	Run
	Hung
	Quality *Quality // of the whole call, nil while it runs or when nothing was measured
	Times
}

// Place is where the call sits: both ids, or "" for nowhere.
type Place struct{ ConferenceID, ConferencecallID string }

// Links are the ids of what belongs to the call; "" for none.
type Links struct {
	OwnerType, OwnerID   string // "" or "agent"
	MasterCallID         string
	ChainedCallIDs       []string
	RecordingID          string
	RecordingIDs         []string
	GroupcallID          string
	FlowID, ActiveflowID string
}

// Run is what a flow does with the call.
type Run struct {
	Action   json.RawMessage `json:",omitempty"` // current action; nil for none
	Metadata json.RawMessage `json:",omitempty"` // object; nil for none
}

// Hung says how the call ended.
type Hung struct {
	HangupBy     Side
	HangupReason HangupReason
	HangupDetail string // for people, "" mostly
}

// Quality sums up the media of a call, as we received it. Units are in the names.
type Quality struct {
	MOS         float64 `json:"mos"` // 1..4.5, E-model estimate (ITU-T G.107)
	LossPercent float64 `json:"loss_percent"`
	JitterMS    float64 `json:"jitter_ms"`
	RTTMS       float64 `json:"rtt_ms"`
}

// Times of a call in UTC; zero when it has not happened.
type Times struct {
	Created, Updated, Ringing, Progressing, Ended, Deleted time.Time
}
