package conference

import "time"

// Command is a wish. The set is closed; every command carries its time, and ids that it needs are made by the caller.
type Command interface{ command() }

type (
	// Create makes the conference; only the empty state accepts it. It yields conference_created at starting and
	// conference_updated at progressing.
	Create struct {
		At         time.Time
		ID         ID
		CustomerID string
		Type       Type // "" means Standard
		Settings   Settings
		DirectHash string
	}
	// Update changes what is not nil. Values that are as they were yield nothing.
	Update struct {
		At    time.Time
		Patch Patch
	}
	// SetDirectHash replaces the direct hash: 12 lower-case hex digits.
	SetDirectHash struct {
		At   time.Time
		Hash string
	}
	// Join enters a participant as joining. Refused unless progressing and within limits and admission.
	Join struct {
		At           time.Time
		ID           ParticipantID
		CustomerID   string // the caller's; must be the conference's
		CallID       string
		ActiveflowID string
		Name         string
		Role         Role // "" means Member
		Muted        bool
		PIN          string // what it has typed; the moderators' PIN makes it one
		Trusted      bool   // needs no PIN: invited, moved, known by other means
		Media        Media
	}
	// Connected says that the participant's audio flows: joining becomes joined. The rules of Join are checked again; when they
	// refuse, the caller ends the participant with Leave and LeftRefused.
	Connected struct {
		At time.Time
		ID ParticipantID
	}
	// Leave ends a participant from its own side (hangup, lost media, refused): leaving and leaved in one step. Of a
	// participant that is not there any more it changes nothing.
	Leave struct {
		At     time.Time
		ID     ParticipantID
		Reason LeaveReason // "" means hangup
	}
	// Kick asks a participant out: joining or joined becomes leaving. In a final state it changes nothing.
	Kick struct {
		At     time.Time
		ID     ParticipantID
		Reason LeaveReason // "" means kicked
	}
	// Left says that a leaving participant's port is gone: leaving becomes leaved. Repeated, it changes nothing.
	Left struct {
		At time.Time
		ID ParticipantID
	}
	// Terminate ends the conference. Delete also marks it deleted, even when it has ended before. Repeated, it changes nothing.
	Terminate struct {
		At     time.Time
		Reason EndReason // "" means deleted or terminated, as Delete says
		Delete bool
	}
	// Expire is sent when a deadline has passed; it checks the deadlines of State.NextDeadline itself.
	Expire struct{ At time.Time }
	// Set changes what is not nil of a participant.
	Set struct {
		At    time.Time
		ID    ParticipantID
		Patch ParticipantPatch
	}
	// Admit lets one who waits in, or all. Of those that do not wait it changes nothing.
	Admit struct {
		At  time.Time
		ID  ParticipantID
		All bool // whoever waits; ID is not looked at
	}
	// Deny sends one who waits away, or all, with LeftDenied. Whoever has been let in is refused: that is Kick's business.
	Deny struct {
		At  time.Time
		ID  ParticipantID
		All bool
	}
	// Unlock gives a locked conference the admission that it had before, Open if it never had another. Of any other it changes nothing.
	Unlock struct{ At time.Time }
	// MuteAll mutes everybody but moderators, newcomers too, or takes that back; listeners stay muted.
	MuteAll struct {
		At    time.Time
		Muted bool
	}
	// Speech reports talk detection of a joined participant that can be heard; of any other it changes nothing, because media
	// facts may be older than the change that silenced their source.
	Speech struct {
		At       time.Time
		ID       ParticipantID
		Speaking bool
	}
	// Digit reports a key press (0-9, *, #, A-D) of a joined participant; of any other it changes nothing.
	Digit struct {
		At    time.Time
		ID    ParticipantID
		Digit string
	}
	// Recover ends what a dead process left behind: participants leave with reason lost, a recording stops as interrupted, a connect
	// conference with somebody in it terminates, a terminating one gets to its end, a permanent one stays progressing.
	Recover struct{ At time.Time }
)

// ParticipantPatch of a participant; nil keeps the value.
type ParticipantPatch struct {
	Name              *string
	Role              *Role
	Muted, Deaf, Held *bool
	RemoteHeld        *bool
	Volume            *int // dB, -30..30
	Media             *Media
	CanHear, CanSpeak *[]string // of ids; a nil list means everybody, an empty one nobody
}

func (Create) command()        {}
func (Update) command()        {}
func (SetDirectHash) command() {}
func (Join) command()          {}
func (Connected) command()     {}
func (Leave) command()         {}
func (Kick) command()          {}
func (Left) command()          {}
func (Terminate) command()     {}
func (Expire) command()        {}
func (Set) command()           {}
func (Admit) command()         {}
func (Deny) command()          {}
func (Unlock) command()        {}
func (MuteAll) command()       {}
func (Speech) command()        {}
func (Digit) command()         {}
func (Recover) command()       {}
