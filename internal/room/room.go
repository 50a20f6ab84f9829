// Package room runs live conferences: one goroutine each, which decides, appends, applies, reacts and replies; a reaper for the
// deadlines of those that are not live; and recovery of what a dead process left. It never calls a door: whoever holds a Seat waits for its end.
package room

import (
	"context"

	"parley/internal/conference"
	"parley/internal/loop"
)

// Host owns the rooms of this node. Its methods may be called from any goroutine.
type Host struct{}

// View is a conference as it was right after a command, with the version of its key and the log position that it reflects.
type View struct {
	Conference  conference.Conference
	Participant *conference.Participant // the one that the command named, when it named one
	Version     int64
	Seq         int64
}

// Create makes a conference. A known id is fault.Conflict ALREADY_EXISTS; a dial-in alias in use likewise.
func (h *Host) Create(ctx context.Context, c conference.Create) (View, error) { panic("skeleton") }

// Do runs a command on a conference and returns after its events are committed. ifVersion, when positive, must be the
// current version, else fault.Conflict VERSION_MISMATCH (HTTP 412 at the API). Unknown conferences, and those of another customer when customer is not "",
// are fault.NotFound CONFERENCE_NOT_FOUND.
func (h *Host) Do(ctx context.Context, id conference.ID, c conference.Command, o DoOptions) (View, error) {
	panic("skeleton")
}

// DoOptions narrow a Do.
type DoOptions struct {
	CustomerID string // "" for the server itself
	IfVersion  int64  // 0: any
}

// Join gives the session a seat as joining. The caller reports Connected (or the first packet does).
func (h *Host) Join(ctx context.Context, id conference.ID, j conference.Join, s *loop.Session) (*Seat, error) {
	panic("skeleton")
}

// Seat is a participant's place in a room as its line holds it.
type Seat struct{}

// ID returns the participant's id.
func (s *Seat) ID() conference.ParticipantID { panic("skeleton") }

// Connected says that the dialog is confirmed and audio may be taken as flowing even if no packet has come.
func (s *Seat) Connected(ctx context.Context) error { panic("skeleton") }

// Leave gives the seat up with a reason; it returns when leaved is committed. Repeated calls change nothing.
func (s *Seat) Leave(ctx context.Context, reason conference.LeaveReason) error { panic("skeleton") }

// Set changes name, hold or media of the participant, as signalling learns them.
func (s *Seat) Set(ctx context.Context, p conference.ParticipantPatch) error { panic("skeleton") }

// Digit reports a key that came by signalling (SIP INFO) instead of media.
func (s *Seat) Digit(ctx context.Context, digit string) error { panic("skeleton") }

// Done closes when the room has ended the seat: kick, end of the conference, health check, lost ownership.
func (s *Seat) Done() <-chan struct{} { panic("skeleton") }

// Cause says why, once Done is closed.
func (s *Seat) Cause() conference.LeaveReason { panic("skeleton") }
