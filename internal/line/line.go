// Package line runs live calls: one goroutine per call joins a signalling dialog, a media session, and (by route) a seat in a room; whichever
// ends first ends the others. It owns the call's record and its events. Doors bring dialogs; line never calls a door but through Dialog.
package line

import (
	"context"
	"net/netip"

	"parley/internal/call"
)

// Dialog is the signalling handle of one call, as a door provides it. Methods are called from the line's goroutine.
type Dialog interface {
	// Ring tells the caller that it rings (SIP 180).
	Ring() error
	// Answer accepts the call with an SDP body and returns when the caller has confirmed it (SIP ACK) with the answer that the confirmation
	// carried, if any (late offer). It fails when the caller gave up.
	Answer(ctx context.Context, body []byte) (confirmed []byte, err error)
	// Reject refuses an unanswered call; the status follows fault.KindOf(err) and the reason is shown to the peer.
	Reject(err error)
	// Hangup ends an answered call (SIP BYE) with a reason for the peer (RFC 3326 text).
	Hangup(reason string)
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
	Peer                netip.AddrPort
}

// Exchange owns the lines of this node. Its methods may be called from any goroutine.
type Exchange struct{}

// Accept routes the invite (conference UUID, conference:<uuid>, direct.<hash>, dial-in alias) and makes the call's record. A refusal is a fault: NotFound, Unauthenticated (the
// door should challenge), Denied, Conflict, Exhausted, Unavailable; nothing has been written then.
func (x *Exchange) Accept(ctx context.Context, in Invite, d Dialog) (*Line, error) { panic("skeleton") }

// Line is one live call.
type Line struct{}

// Run walks the call to its end: answer, seat, wait, clean up. It returns when everything is written. The door calls it in the dialog's goroutine.
func (l *Line) Run(ctx context.Context) error { panic("skeleton") }

// Offer answers a re-INVITE or UPDATE with SDP. nil asks for an offer of ours (re-INVITE without SDP).
func (l *Line) Offer(ctx context.Context, offer []byte) (answer []byte, err error) { panic("skeleton") }

// Answered takes the peer's answer to an offer of ours (in ACK).
func (l *Line) Answered(ctx context.Context, answer []byte) error { panic("skeleton") }

// Digit reports a key that came by SIP INFO.
func (l *Line) Digit(ctx context.Context, digit string) { panic("skeleton") }
