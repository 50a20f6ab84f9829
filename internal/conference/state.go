package conference

import "time"

// Event is a fact: the new value of the conference or of one participant, under the type that the log gives it. Exactly one of
// Conference and Participant is set.
type Event struct {
	Type        string
	At          time.Time
	Conference  *Conference
	Participant *Participant
	Digit       string // conferencecall_digit_received only
}

// The types of events.
const (
	ConferenceCreated           = "conference_created"
	ConferenceUpdated           = "conference_updated"
	ConferenceDeleted           = "conference_deleted"
	ConferencecallJoining       = "conferencecall_joining"
	ConferencecallJoined        = "conferencecall_joined"
	ConferencecallLeaving       = "conferencecall_leaving"
	ConferencecallLeaved        = "conferencecall_leaved"
	ConferencecallUpdated       = "conferencecall_updated"
	ConferencecallSpeechStarted = "conferencecall_speech_started"
	ConferencecallSpeechStopped = "conferencecall_speech_stopped"
	ConferencecallDigitReceived = "conferencecall_digit_received"
)

// Limits bound what the rules accept; every figure comes from the configuration.
type Limits struct {
	MaxParticipants int           // per conference, whatever its own setting
	MaxAge          time.Duration // of a participant; 24 h
	LeavingDeadline time.Duration // 5 s
	MediaTimeout    time.Duration // silence that a health check counts as a failure
	Retries         int           // failed checks that are forgiven; 2
	TimeoutCompat   bool          // timeouts of 1–59 s become 24 h instead of an error
}

// State is one conference with its participants that have not leaved, in order of creation. The zero State is a
// conference that does not exist. It belongs to one goroutine.
type State struct {
	Conference   Conference
	Participants []Participant
	Limits       Limits
}
