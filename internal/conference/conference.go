package conference

import (
	"time"

	"parley/internal/conference/announcement"
)

// ID is the UUID of a conference; ParticipantID that of a participant (the API's conferencecall id).
type (
	ID            string
	ParticipantID string
)

// Status of a conference. It only moves forward.
type Status string

// The states of a conference.
const (
	Starting    Status = "starting"
	Progressing Status = "progressing"
	Terminating Status = "terminating"
	Terminated  Status = "terminated"
)

// Type of a conference.
type Type string

// The types of a conference.
const (
	Standard Type = "conference" // lives with any number of participants until it is ended
	Connect  Type = "connect"    // exactly two; ends when one leaves, unless for somebody else
)

// EndReason says why a conference ended.
type EndReason string

// The reasons for the end of a conference.
const (
	EndDeleted       EndReason = "deleted"        // DELETE
	EndTimeout       EndReason = "timeout"        // its deadline
	EndTerminated    EndReason = "terminated"     // POST …/terminate
	EndPeerLeft      EndReason = "peer_left"      // connect: the other one left
	EndModeratorLeft EndReason = "moderator_left" // end_on_moderator_leave
	EndInterrupted   EndReason = "interrupted"    // the server died under a connect conference
)

// Conference is the record. It may be copied freely: slices in it are replaced, never written to. Its JSON is the store's form,
// complete with the PINs; Resource is the API's.
type Conference struct {
	ID         ID
	CustomerID string
	Type       Type
	Status     Status
	Settings
	Unlocked    Admission `json:",omitempty"` // what it was before it was locked
	DirectHash  string    // 12 hex digits without the prefix; "" as soon as the conference is terminating
	Joined      []string  // ids of participants that have joined and not leaved, in join order
	Recordings  History
	Transcribes History
	Playing     []announcement.Announcement `json:",omitempty"` // that are heard, in order of their start
	Count       int                         // participants that are not leaved; follows participant events, see State.Apply
	EndReason   EndReason
	Times
}

// History is the active id, "" for none, and all ids in start order.
type History struct {
	Active string
	All    []string
}

// Times of a conference in UTC; zero when it has not happened.
type Times struct {
	Created, Updated, Ended, Deleted time.Time
}

// Deadline returns when the conference times out, zero for never: creation plus timeout, as the last
// update has it.
func (c *Conference) Deadline() time.Time {
	if c.Timeout <= 0 || c.Status == Terminated {
		return time.Time{}
	}
	return c.Created.Add(c.Timeout)
}
