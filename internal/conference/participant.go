package conference

import "time"

// ParticipantStatus of a participant. It only moves forward.
type ParticipantStatus string

// The states of a participant.
const (
	Joining ParticipantStatus = "joining"
	Joined  ParticipantStatus = "joined"
	Leaving ParticipantStatus = "leaving"
	Leaved  ParticipantStatus = "leaved"
)

// Role of a participant.
type Role string

// The roles.
const (
	Moderator Role = "moderator"
	Member    Role = "participant"
	Listener  Role = "listener" // hears, is not heard
)

// LeaveReason says why a participant left.
type LeaveReason string

// The reasons for a leave. The conference's own end reasons are used too when it ends under the participant.
const (
	LeftHangup        LeaveReason = "hangup"        // hung up by itself
	LeftKicked        LeaveReason = "kicked"        // DELETE
	LeftTerminated    LeaveReason = "terminated"    // the conference was deleted or terminated
	LeftTimeout       LeaveReason = "timeout"       // the conference timed out
	LeftPeer          LeaveReason = "peer_left"     // connect: the other one left
	LeftMediaTimeout  LeaveReason = "media_timeout" // no media for too long
	LeftCallEnded     LeaveReason = "call_ended"    // its call is gone
	LeftMaxDuration   LeaveReason = "max_duration"  // 24 h
	LeftRefused       LeaveReason = "refused"       // the join did not come about (pre-flow, rule, media)
	LeftLost          LeaveReason = "lost"          // the server or node died under it
	LeftModeratorGone LeaveReason = "moderator_left"
	LeftDenied        LeaveReason = "denied"      // a moderator did not let it in
	LeftMoved         LeaveReason = "moved"       // it goes on in another conference
	LeftTransferred   LeaveReason = "transferred" // it made room for somebody who takes its place: a connect goes on with who stays
)

// Waiting says what somebody who is joining waits for; "" is for nothing.
type Waiting string

// What somebody may wait for.
const (
	ForAdmission Waiting = "lobby"     // somebody lets it in
	ForModerator Waiting = "moderator" // a moderator has joined
)

// Participant is the record. Values are copied, never shared. Its JSON is the store's form; Resource is the API's.
type Participant struct {
	ID                          ParticipantID
	CustomerID                  string
	ConferenceID                ID
	CallID                      string
	ActiveflowID                string
	Status                      ParticipantStatus
	Name                        string
	Role                        Role
	Muted, Deaf, Held, Speaking bool
	RemoteHeld                  bool // it has put us on hold
	Volume                      int  // dB
	Waiting                     Waiting
	Admitted                    bool // somebody has let it in, whatever the conference's admission
	Routes
	Media       Media
	LeaveReason LeaveReason
	ParticipantTimes
}

// Routes say who hears whom. nil means everybody, an empty list nobody. Lists are sorted and replaced, never written to.
type Routes struct {
	CanHear  []string // ids of participants that it hears
	CanSpeak []string // ids of participants that hear it
}

// Media describes the leg for the API.
type Media struct {
	Kind    string `json:"kind"`    // "sip" or "webrtc"
	Codec   string `json:"codec"`   // encoding name, "" until negotiated
	Address string `json:"address"` // masked
	Video   bool   `json:"video"`
}

// ParticipantTimes in UTC; zero when it has not happened.
type ParticipantTimes struct {
	Created, Updated, Joined, Leaving, Leaved time.Time
}
