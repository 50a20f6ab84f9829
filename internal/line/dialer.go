package line

import (
	"context"
	"time"

	"parley/internal/call"
	"parley/internal/line/callee"
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
	Outgoing = callee.Outgoing // whom to call, and how
	Trunks   = callee.Trunks   // finds ways to callees, and guards them; *trunk.Trunks is one
)

// Departure is the dialog of a call that we place: a Dialog, in which Ring, Answer and Reject have no use.
type Departure interface {
	// Progress brings the responses in order: provisional ones (status below 200; reliable ones are confirmed with PRACK), then one final
	// status, with which the channel is closed. A Body is the answer to the offer, early or final. Forked dialogs: the first 2xx counts,
	// the others are hung up.
	Progress() <-chan Progress
	// Cancel takes an unanswered call back (CANCEL; BYE if the answer crosses it).
	Cancel(reason string)
	Live
}

// Progress is a response to an INVITE of ours.
type Progress struct {
	Status int // of SIP; 408 also when nothing came, 503 when it could not be sent
	Phrase string
	Body   []byte // SDP, nil for none
}

// Live is what both kinds of dialog can do once the call is answered.
type Live interface {
	// Hangup ends an answered call (SIP BYE) with a reason for the peer (RFC 3326 text).
	Hangup(reason string)
	// Done closes when the dialog is over, whoever ended it.
	Done() <-chan struct{}
	// Cause says how it ended, once Done is closed: by "remote" or "local", with the SIP status of a failure or 0.
	Cause() (by string, status int)
	// Reoffer sends an offer inside the dialog (re-INVITE) and returns the answer. Glare (491) is repeated as RFC 3261 section 14.1 says.
	Reoffer(ctx context.Context, offer []byte) (answer []byte, err error)
	// Refer asks the peer to call somebody else (REFER, RFC 3515) and returns when the peer has told how that went.
	Refer(ctx context.Context, to string) error
	// Message sends a text (SIP MESSAGE, RFC 3428) inside the dialog; fault.Conflict when the peer does not take any.
	Message(ctx context.Context, contentType string, body []byte) error
}

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
	Timeout      time.Duration

	Join *Joining // enter this conference on answer, instead of a flow
}

// Joining says how a call that is dialled out enters a conference.
type Joining struct {
	ConferenceID, Name, Role string
	Muted                    bool
	PreFlowID                string

	straight bool // for a connect: without flows, and not before the callee has answered
}

// Control is a wish about a live call.
type Control struct {
	Do                            string // mute, unmute, hold, unhold, moh, unmoh, silence, unsilence, talk, play, stop, digits, refer, recording_start, recording_stop
	Direction                     string // of mute and unmute: both (also ""), in, out
	Text, Language, Provider      string // of talk
	Voice                         string // of talk: voice_id, or gender
	URLs                          []string
	Digits                        string
	To                            string        // of refer: a SIP URI
	Format, OnEndFlowID, EndOfKey string        // of recording_start
	Duration, EndOfSilence        time.Duration // of recording_start; 0 for none
}
