package groups

import (
	"parley/internal/call"
	"parley/internal/call/group"
)

// Placed is what an order of calls has become: the calls that are not part of a group, and the groupcalls.
type Placed struct {
	Calls  []call.Call
	Groups []group.Groupcall
	// Participants are the ids of the conferencecalls of Calls, in their order, when the order was to join a conference.
	Participants []string
}
