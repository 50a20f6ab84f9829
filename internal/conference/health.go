package conference

import "time"

// Evidence is what is known of a participant's leg at a health check. Unknown is not failing.
type Evidence struct {
	CallEnded bool          // signalling says that the call is over
	Silence   time.Duration // since the last packet; 0 when media flows, negative when unknown
	MediaFree bool          // no media is expected (hold, inactive, recvonly leg)
}

// Health counts the failed checks of the participants of one conference. The zero value is ready; it belongs to the goroutine of
// the State that it looks at. The counts are not state: after a restart they begin anew.
type Health struct {
	failures map[ParticipantID]int
}

// Round is one health check. It returns a Leave for each participant that has failed more than Limits.Retries rounds in a row; a
// healthy round in between forgives, one without evidence neither counts nor forgives. Age and the end of the conference are the
// business of Expire and Terminate. Leaves come in order of the participants' creation.
func (h *Health) Round(s *State, at time.Time, evidence map[ParticipantID]Evidence) []Command {
	var out []Command
	failures := map[ParticipantID]int{} // made anew: who is gone is forgotten
	for i := range s.Participants {
		p := &s.Participants[i]
		if p.Status == Leaving {
			continue // has its own deadline
		}
		count := h.failures[p.ID]
		if e, known := evidence[p.ID]; known {
			reason := failing(p, e, s.Limits.MediaTimeout)
			switch {
			case reason != "" && count >= s.Limits.Retries:
				out = append(out, Leave{At: at, ID: p.ID, Reason: reason})
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
func failing(p *Participant, e Evidence, mediaTimeout time.Duration) LeaveReason {
	if e.CallEnded {
		return LeftCallEnded
	}
	if (p.Status == Joined || p.Waiting != "") && !mediaFree(p, e) && mediaTimeout > 0 && e.Silence >= mediaTimeout {
		return LeftMediaTimeout
	}
	return ""
}

func mediaFree(p *Participant, e Evidence) bool { return e.MediaFree || p.Held || p.RemoteHeld }
