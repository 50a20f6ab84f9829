package conference

import (
	"slices"

	"parley/internal/conference/setting"
	"parley/internal/fault"
	"parley/internal/wire"
)

func (d *decision) join(c Join) error {
	if c.CustomerID != d.next.Conference.CustomerID {
		return unknownConference()
	}
	if err := d.checkPIN(&c); err != nil {
		return err
	}
	p, err := d.newcomer(c)
	if err != nil {
		return err
	}
	if d.next.index(p.ID) >= 0 || d.gone(p.ID) {
		return fault.New(fault.Conflict, "ALREADY_EXISTS", "conferencecall %s exists; choose another id", p.ID)
	}
	if err := d.admit(&p, len(d.next.Participants)); err != nil {
		return err
	}
	p.Waiting = d.waiting(&p)
	d.emit(Event{Type: ConferencecallJoining, Participant: &p})
	return nil
}

// newcomer checks what the command says about the participant and makes its record.
func (d *decision) newcomer(c Join) (p Participant, err error) {
	var v setting.Verdict
	id, err := wire.RequiredUUID(string(c.ID))
	v.On("id", err)
	v.UUID("reference_id", &c.CallID)
	v.UUID("activeflow_id", &c.ActiveflowID)
	setting.Choose(&v, "role", &c.Role, Member, Moderator, Listener)
	v.Text("name", c.Name, setting.NameMax)
	checkMedia(&v, c.Media)
	now := &d.next.Conference
	return Participant{
		ID: ParticipantID(id), CustomerID: now.CustomerID, ConferenceID: now.ID, CallID: c.CallID, ActiveflowID: c.ActiveflowID,
		Status: Joining, Name: c.Name, Role: c.Role, Media: c.Media,
		Muted:            c.Muted || c.Role == Listener || now.MuteNewcomers && c.Role != Moderator,
		ParticipantTimes: ParticipantTimes{Created: d.at},
	}, v.Err
}

func (d *decision) connected(c Connected) error {
	i, err := d.find(c.ID)
	if err != nil {
		return err
	}
	p := *d.next.Participants[i]
	switch p.Status {
	case Joined:
		return nil
	case Leaving:
		return alreadyLeaving(c.ID)
	}
	if w := d.waiting(&p); w != "" {
		d.holdBack(i, w)
		return nil
	}
	if err := d.admit(&p, len(d.next.Participants)-1); err != nil {
		return err
	}
	d.participant(i, ConferencecallJoined, func(p *Participant) {
		p.Status, p.ParticipantTimes.Joined, p.Waiting = Joined, d.at, ""
	})
	d.conference(ConferenceUpdated, func(x *Conference) { x.Joined = append(slices.Clone(x.Joined), string(c.ID)) })
	if p.Role == Moderator {
		d.wait()
	}
	return nil
}

// admit says whether p may be in the conference besides the others.
func (d *decision) admit(p *Participant, others int) error {
	role := p.Role
	if err := d.progressing(); err != nil {
		return err
	}
	now := &d.next.Conference
	if d.timedOut() {
		return fault.New(fault.Conflict, "CONFERENCE_NOT_PROGRESSING", "the conference has reached its timeout; make a new one")
	}
	if now.Admission == Locked && role != Moderator && !p.Admitted {
		return fault.New(fault.Conflict, "CONFERENCE_LOCKED", "the conference is locked; a moderator has to open it first")
	}
	if places, bounded := d.places(role); bounded && others >= places {
		return fault.New(fault.Conflict, "CONFERENCE_FULL", "the conference is full (%d participants); try again when somebody has left", places)
	}
	return nil
}

// places returns how many participants somebody of this role may be one of. A moderator gets into a room that is full by its own
// setting, never beyond the server's limit or as a third into a connect.
func (d *decision) places(role Role) (n int, bounded bool) {
	limits := []int{d.next.Limits.MaxParticipants}
	if d.next.Conference.Type == Connect {
		limits = append(limits, 2)
	}
	if role != Moderator {
		limits = append(limits, d.next.Conference.MaxParticipants)
	}
	for _, limit := range limits {
		if limit > 0 && (!bounded || limit < n) {
			n, bounded = limit, true
		}
	}
	return n, bounded
}
