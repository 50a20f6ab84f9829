package conference

import (
	"slices"
	"time"

	"parley/internal/conference/announcement"
	"parley/internal/conference/tape"
)

// Event is a fact: the new value of the conference, of one participant, of one recording or of a notice, under the type that the log gives it.
// One of them is set; but a conference_updated that stops a recording carries that too.
type Event struct {
	Type         string
	At           time.Time
	Conference   *Conference
	Participant  *Participant
	Recording    *tape.Recording
	Notice       *tape.Notice
	Announcement *announcement.Announcement
	Digit        string // conferencecall_digit_received only
}

// The types of events; those of recordings are in package tape.
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

// Limits bound what the rules accept; every figure comes from the configuration. Zero means no limit.
type Limits struct {
	MaxParticipants int           // per conference, whatever its own setting
	MaxAge          time.Duration // of a participant; 24 h
	LeavingDeadline time.Duration // 5 s
	MediaTimeout    time.Duration // silence that a health check counts as a failure
	Retries         int           // failed checks that are forgiven; 2
	FinishDeadline  time.Duration // of a recording that is stopping
	TimeoutCompat   bool          // timeouts of 1–59 s become 24 h instead of an error
}

// State is one conference with its participants that have not leaved and its recordings that have not ended, in order of creation. The zero State is a
// conference that does not exist. It belongs to one goroutine.
type State struct {
	Conference   Conference
	Participants []*Participant // the records that events brought: they are replaced, never written to
	Recordings   []tape.Recording
	Notices      []tape.Notice // of the recording that runs; they are not kept over a restart, because nobody stays over one
	Limits       Limits

	recent []ParticipantID // the last that leaved, so that a late command can be told from a wrong one; never written in place
}

// recentMax bounds State.recent. Commands that race with a leave come within moments of it.
const recentMax = 64

// Apply folds an event into the state. It never fails. Conference.Count is derived: events of participants change it too, and
// the conference's record is to be kept with theirs.
func (s *State) Apply(e Event) {
	if e.Conference != nil {
		s.Conference = *e.Conference
	}
	if e.Participant != nil {
		s.applyParticipant(e.Participant)
	}
	if e.Recording != nil {
		s.applyRecording(*e.Recording)
	}
	if e.Notice != nil {
		s.Notices = tape.WithNotice(s.Notices, *e.Notice)
	}
	if e.Digit == consentKey && e.Participant != nil {
		s.Notices = tape.Pressed(s.Notices, string(e.Participant.ID))
	}
	if e.Announcement != nil {
		s.applyAnnouncement(*e.Announcement)
	}
	s.Conference.Count = len(s.Participants)
}

func (s *State) applyParticipant(p *Participant) {
	i := s.index(p.ID)
	switch {
	case p.Status == Leaved:
		s.Notices = tape.WithoutNotices(s.Notices, func(n tape.Notice) bool { return n.Participant == string(p.ID) })
		if i >= 0 {
			s.Participants = slices.Delete(s.Participants, i, i+1)
		}
		n := len(s.recent)
		s.recent = append(slices.Clone(s.recent[max(0, n-recentMax+1):]), p.ID)
	case i >= 0:
		s.Participants[i] = p
	default:
		s.Participants = append(s.Participants, p)
	}
}

// NextDeadline returns when Expire has something to do: the conference's end, a participant's greatest age, the end of the
// patience with one that is leaving, or a recording's limit or end. Zero means never.
func (s *State) NextDeadline() time.Time {
	var next time.Time
	if s.Conference.Status == Progressing {
		next = s.Conference.Deadline()
	}
	earlier := func(at time.Time) {
		if !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	for i := range s.Participants {
		earlier(s.deadline(s.Participants[i]))
	}
	for i := range s.Recordings {
		earlier(s.Recordings[i].Deadline(s.Limits.FinishDeadline))
	}
	return next
}

// deadline of one participant in its present state, zero for none.
func (s *State) deadline(p *Participant) time.Time {
	if p.Status == Leaving {
		if s.Limits.LeavingDeadline > 0 {
			return p.Leaving.Add(s.Limits.LeavingDeadline)
		}
		return time.Time{}
	}
	if s.Limits.MaxAge > 0 {
		return p.Created.Add(s.Limits.MaxAge)
	}
	return time.Time{}
}

// index returns the participant's place, -1 when it is not there.
func (s *State) index(id ParticipantID) int {
	for i := range s.Participants {
		if s.Participants[i].ID == id {
			return i
		}
	}
	return -1
}
