package line

import (
	"context"

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
	Order     = door.Order   // for calls out
	Joining   = door.Joining // how such a call enters a conference
	Invite    = door.Invite
	Progress  = door.Progress
)
