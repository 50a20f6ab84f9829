// Package door is what a door, such as the SIP one, and the lines of its calls promise one another: calls that come in, dialogs, and what becomes of an
// INVITE of ours, and what either side of the house may wish of a call. It is types alone.
package door

import (
	"context"
	"net/netip"
	"time"

	"parley/internal/call"
)

// Dialog is the signalling handle of a call that came in, as a door provides it. Methods are called from the line's goroutine.
type Dialog interface {
	// Ring tells the caller that it rings (SIP 180), or with a body, the answer to its offer, that it will hear something already (SIP 183). It returns
	// when the caller has confirmed that, where it can (PRACK).
	Ring(ctx context.Context, body []byte) error
	// Answer accepts the call with an SDP body and returns when the caller has confirmed it (SIP ACK) with the answer that the confirmation
	// carried, if any (late offer). It fails when the caller gave up.
	Answer(ctx context.Context, body []byte) (confirmed []byte, err error)
	// Reject refuses an unanswered call; the status follows fault.KindOf(err) and the reason is shown to the peer.
	Reject(err error)
	Ended
	// Hangup ends an answered call (SIP BYE) with a reason for the peer (RFC 3326 text).
	Hangup(reason string)
}

// Ended tells of the end of a dialog.
type Ended interface {
	// Done closes when the dialog is over, whoever ended it.
	Done() <-chan struct{}
	// Cause says how it ended, once Done is closed: by "remote" or "local", with the SIP status of a failure or 0.
	Cause() (by string, status int)
}

// Invite is a call that comes in.
type Invite struct {
	SIPCallID           string
	Source, Destination call.Address
	Target              string // user part of the request URI, unescaped
	Offer               []byte // nil: late offer, ours goes into the 200
	CustomerID          string // of the authenticated extension or trunk, "" for anonymous
	Extension           string // the authenticated extension, or ""
	Secure              bool   // plain RTP is refused
	Peer                netip.AddrPort
}

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
