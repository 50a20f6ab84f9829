package conference

import (
	"crypto/subtle"

	"parley/internal/fault"
)

// waiting returns what p, who has not joined, has to wait for. A lock lets nobody go on waiting who did not wait before.
func (d *decision) waiting(p *Participant) Waiting {
	if p.Role == Moderator || p.Admitted {
		return ""
	}
	switch d.next.Conference.Admission {
	case Lobby:
		return ForAdmission
	case WaitForModerator:
		if !d.moderated() {
			return ForModerator
		}
	case Locked:
		return p.Waiting
	}
	return ""
}

// wait makes those that have not joined wait, or go on, as it should be now.
func (d *decision) wait() {
	for i := range d.next.Participants {
		if p := d.next.Participants[i]; p.Status == Joining {
			d.holdBack(i, d.waiting(p))
		}
	}
}

func (d *decision) holdBack(i int, w Waiting) {
	if d.next.Participants[i].Waiting != w {
		d.participant(i, ConferencecallUpdated, func(p *Participant) { p.Waiting = w })
	}
}

func (d *decision) admitWaiting(c Admit) error {
	return d.eachWaiting(c.ID, c.All, func(i int) error {
		p := *d.next.Participants[i]
		switch {
		case p.Status == Leaving:
			return alreadyLeaving(p.ID)
		case p.Waiting != "":
			d.participant(i, ConferencecallUpdated, func(p *Participant) { p.Waiting, p.Admitted = "", true })
		}
		return nil
	})
}

func (d *decision) deny(c Deny) error {
	return d.eachWaiting(c.ID, c.All, func(i int) error {
		p := *d.next.Participants[i]
		switch {
		case p.Status == Leaving:
		case p.Waiting == "":
			return fault.New(fault.Conflict, "CONFERENCECALL_NOT_WAITING", "conferencecall %s does not wait to be let in; delete it to send it away", p.ID)
		default:
			d.eject(i, LeftDenied)
		}
		return nil
	})
}

// eachWaiting does something to one participant, or to all that wait.
func (d *decision) eachWaiting(id ParticipantID, all bool, do func(i int) error) error {
	if err := d.progressing(); err != nil {
		return err
	}
	if !all {
		i, err := d.find(id)
		if err != nil {
			return err
		}
		return do(i)
	}
	for i := range d.next.Participants {
		if p := d.next.Participants[i]; p.Status == Joining && p.Waiting != "" {
			if err := do(i); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *decision) unlock() error {
	open := d.next.Conference.Unlocked
	if open == "" {
		open = Open
	}
	if d.next.Conference.Admission != Locked {
		return d.progressing()
	}
	return d.update(Update{Patch: Patch{Admission: &open}})
}

func (d *decision) muteAll(muted bool) error {
	if err := d.update(Update{Patch: Patch{MuteNewcomers: &muted}}); err != nil {
		return err
	}
	for i := range d.next.Participants {
		p := d.next.Participants[i]
		if p.Status == Leaving || p.Role != Member || p.Muted == muted {
			continue
		}
		if muted {
			d.hush(i)
		}
		d.participant(i, ConferencecallUpdated, func(p *Participant) { p.Muted = muted })
	}
	return nil
}

// AsksPIN reports whether there is a PIN to ask callers for.
func (c *Conference) AsksPIN() bool { return c.PIN != "" || c.ModeratorPIN != "" }

// CheckPIN returns the role that typed digits give: the moderators' PIN makes a moderator. Without a PIN for everybody no digits are right too.
func (c *Conference) CheckPIN(digits string) (role Role, ok bool) {
	same := func(pin string) bool { return subtle.ConstantTimeCompare([]byte(pin), []byte(digits)) == 1 }
	switch {
	case c.ModeratorPIN != "" && same(c.ModeratorPIN):
		return Moderator, true
	case same(c.PIN):
		return Member, true
	}
	return "", false
}

// checkPIN refuses a join that has not passed the conference's PIN.
func (d *decision) checkPIN(c *Join) error {
	if c.Trusted && c.PIN == "" {
		return nil
	}
	role, ok := d.next.Conference.CheckPIN(c.PIN)
	switch {
	case !ok && c.PIN == "":
		return fault.New(fault.Denied, "PIN_REQUIRED", "the conference has a PIN; enter it")
	case !ok:
		return fault.New(fault.Denied, "PIN_WRONG", "this is not the conference's PIN; try again")
	case role == Moderator:
		c.Role = Moderator
	}
	return nil
}
