// Package health is the health check of the participants of a conference: who is lost, by what is known of its leg. It is pure: no goroutine, no clock;
// what is known comes from the room.
package health

import (
	"time"

	"parley/internal/conference"
)

// Evidence is what is known of a participant's leg at a health check. Unknown is not failing.
type Evidence struct {
	CallEnded bool          // signalling says that the call is over
	Silence   time.Duration // since the last packet; 0 when media flows, negative when unknown
	MediaFree bool          // no media is expected (hold, inactive, recvonly leg)
}

// Checks counts the failed checks of the participants of one conference. The zero value is ready; it belongs to the goroutine of
// the State that it looks at. The counts are not state: after a restart they begin anew.
type Checks struct {
	failures map[conference.ParticipantID]int
}

// Round is one health check. It returns a Leave for each participant that has failed more than Limits.Retries rounds in a row; a
// healthy round in between forgives, one without evidence neither counts nor forgives. Age and the end of the conference are the
// business of Expire and Terminate. Leaves come in order of the participants' creation.
func (h *Checks) Round(s *conference.State, at time.Time, evidence map[conference.ParticipantID]Evidence) []conference.Command {
	var out []conference.Command
	failures := map[conference.ParticipantID]int{} // made anew: who is gone is forgotten
	for i := range s.Participants {
		p := s.Participants[i]
		if p.Status == conference.Leaving {
			continue // has its own deadline
		}
		count := h.failures[p.ID]
		if e, known := evidence[p.ID]; known {
			reason := failing(p, e, s.Limits.MediaTimeout)
			switch {
			case reason != "" && count >= s.Limits.Retries:
				out = append(out, conference.Leave{At: at, ID: p.ID, Reason: reason})
			case reason != "":
				count++
			case e.Silence >= 0 || mediaFree(p, e):
				count = 0
			}
		}
		if count > 0 {
			failures[p.ID] = count
		}
	}
	h.failures = failures
	return out
}

// failing returns the reason that the evidence gives, "" for none.
func failing(p *conference.Participant, e Evidence, mediaTimeout time.Duration) conference.LeaveReason {
	if e.CallEnded {
		return conference.LeftCallEnded
	}
	if (p.Status == conference.Joined || p.Waiting != "") && !mediaFree(p, e) && mediaTimeout > 0 && e.Silence >= mediaTimeout {
		return conference.LeftMediaTimeout
	}
	return ""
}

func mediaFree(p *conference.Participant, e Evidence) bool {
	return e.MediaFree || p.Held || p.RemoteHeld
}
