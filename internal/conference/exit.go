package conference

import (
	"slices"

	"parley/internal/conference/announcement"
	"parley/internal/conference/setting"
	"parley/internal/fault"
)

func (d *decision) leave(c Leave) error {
	var v setting.Verdict
	if checkLeaveReason(&v, &c.Reason, LeftHangup); v.Err != nil {
		return v.Err
	}
	i := d.next.index(c.ID)
	if i < 0 {
		return nil
	}
	p := *d.next.Participants[i]
	if p.Status == Leaving {
		d.leaved(i)
		return nil
	}
	d.leaving(i, c.Reason)
	d.leaved(i)
	d.after(p, c.Reason)
	return nil
}

func (d *decision) kick(c Kick) error {
	var v setting.Verdict
	if checkLeaveReason(&v, &c.Reason, LeftKicked); v.Err != nil {
		return v.Err
	}
	if d.gone(c.ID) {
		return nil
	}
	i, err := d.find(c.ID)
	if err != nil {
		return err
	}
	if d.next.Participants[i].Status != Leaving {
		d.eject(i, c.Reason)
	}
	return nil
}

func (d *decision) left(c Left) error {
	i := d.next.index(c.ID)
	if i < 0 {
		return nil
	}
	if status := d.next.Participants[i].Status; status != Leaving {
		return fault.New(fault.Conflict, "CONFERENCECALL_NOT_LEAVING", "conferencecall %s is %s; kick it first", c.ID, status)
	}
	d.leaved(i)
	return nil
}

// eject sends the i-th participant, who is not leaving yet, on its way out.
func (d *decision) eject(i int, reason LeaveReason) {
	p := *d.next.Participants[i]
	d.leaving(i, reason)
	d.after(p, reason)
}

// leaving is the step joining or joined to leaving.
func (d *decision) leaving(i int, reason LeaveReason) {
	d.hush(i)
	d.hushAnnouncements(d.next.Participants[i].ID, announcement.Left)
	d.participant(i, ConferencecallLeaving, func(p *Participant) {
		p.Status, p.LeaveReason, p.ParticipantTimes.Leaving, p.Waiting = Leaving, reason, d.at, ""
	})
}

// leaved is the step leaving to leaved. The participant is out of the state then.
func (d *decision) leaved(i int) {
	id := string(d.next.Participants[i].ID)
	d.participant(i, ConferencecallLeaved, func(p *Participant) { p.Status, p.ParticipantTimes.Leaved = Leaved, d.at })
	if slices.Contains(d.next.Conference.Joined, id) {
		d.conference(ConferenceUpdated, func(c *Conference) { c.Joined = without(c.Joined, id) })
	}
	d.finish()
}

// hush makes the one stop of a speech start before whatever silences the participant.
func (d *decision) hush(i int) {
	if d.next.Participants[i].Speaking {
		d.participant(i, ConferencecallSpeechStopped, func(p *Participant) { p.Speaking = false })
	}
}

// after ends the conference when p was the one it could not do without. Somebody who never joined is never missed.
func (d *decision) after(p Participant, reason LeaveReason) {
	now := &d.next.Conference
	if now.Status != Progressing || p.Status != Joined {
		return
	}
	switch {
	case now.Type == Connect && reason == LeftTransferred: // another one is on its way
	case now.Type == Connect:
		d.conclude(EndPeerLeft, false)
	case now.EndOnModeratorLeave && p.Role == Moderator && !d.moderated():
		d.conclude(EndModeratorLeft, false)
	}
}

// moderated reports whether a joined moderator is there.
func (d *decision) moderated() bool {
	return slices.ContainsFunc(d.next.Participants, func(p *Participant) bool { return p.Role == Moderator && p.Status == Joined })
}
