package conference

import (
	"slices"

	"parley/internal/conference/announcement"
	"parley/internal/conference/setting"
	"parley/internal/conference/tape"
	"parley/internal/fault"
	"parley/internal/wire"
)

func (d *decision) create(c Create) error {
	if d.next.Conference.ID != "" {
		return fault.New(fault.Conflict, "ALREADY_EXISTS", "conference %s exists; choose another id or leave it out", c.ID)
	}
	var v setting.Verdict
	id, err := wire.RequiredUUID(string(c.ID))
	v.On("id", err)
	customer, err := wire.RequiredUUID(c.CustomerID)
	v.On("customer_id", err)
	setting.Choose(&v, "type", &c.Type, Standard, Connect)
	v.On("direct_hash", checkDirectHash(c.DirectHash))
	if v.Err != nil {
		return v.Err
	}
	if err := c.Settings.SetData(c.Settings.Data); err != nil {
		return err
	}
	if err := c.Settings.Normalize(d.next.Limits.TimeoutCompat); err != nil {
		return err
	}
	starting := Conference{
		ID: ID(id), CustomerID: customer, Type: c.Type, Status: Starting, Settings: c.Settings, DirectHash: c.DirectHash,
		Times: Times{Created: d.at},
	}
	d.emit(Event{Type: ConferenceCreated, Conference: &starting})
	// Not by d.conference: the second entry is still part of the creation, tm_update stays null.
	open := starting
	open.Status = Progressing
	d.emit(Event{Type: ConferenceUpdated, Conference: &open})
	return nil
}

func (d *decision) update(c Update) error {
	if err := d.progressing(); err != nil {
		return err
	}
	old := d.next.Conference.Settings
	settings, err := c.Patch.Apply(old)
	if err != nil {
		return err
	}
	if err := settings.Normalize(d.next.Limits.TimeoutCompat); err != nil {
		return err
	}
	if settings.Equal(old) {
		return nil
	}
	d.conference(ConferenceUpdated, func(c *Conference) {
		c.Settings = settings
		if settings.Admission == Locked && old.Admission != Locked {
			c.Unlocked = old.Admission
		}
	})
	d.wait()
	return nil
}

func (d *decision) setDirectHash(c SetDirectHash) error {
	if err := d.progressing(); err != nil {
		return err
	}
	if err := checkDirectHash(c.Hash); err != nil || c.Hash == "" {
		return invalid("direct_hash", "it must be 12 lower-case hex digits")
	}
	if c.Hash != d.next.Conference.DirectHash {
		d.conference(ConferenceUpdated, func(x *Conference) { x.DirectHash = c.Hash })
	}
	return nil
}

// leaveReasons tells each participant why the conference ended under it.
var leaveReasons = map[EndReason]LeaveReason{
	EndDeleted:       LeftTerminated,
	EndTimeout:       LeftTimeout,
	EndTerminated:    LeftTerminated,
	EndPeerLeft:      LeftPeer,
	EndModeratorLeft: LeftModeratorGone,
	EndInterrupted:   LeftLost,
}

func (d *decision) terminate(c Terminate) error {
	reason := c.Reason
	if reason == "" {
		reason = EndTerminated
		if c.Delete {
			reason = EndDeleted
		}
	}
	if _, ok := leaveReasons[reason]; !ok {
		return invalid("end_reason", "%q is not a reason for an end", reason)
	}
	switch now := &d.next.Conference; {
	case now.Status != Terminating && now.Status != Terminated:
		d.conclude(reason, c.Delete)
	case c.Delete && now.Deleted.IsZero():
		d.conference(ConferenceUpdated, func(x *Conference) { x.Deleted = d.at })
	}
	return nil
}

// conclude begins the end: nobody enters any more, everybody is on the way out. With nobody inside it is the end.
func (d *decision) conclude(reason EndReason, deleted bool) {
	d.conference(ConferenceUpdated, func(c *Conference) {
		c.Status, c.EndReason, c.DirectHash = Terminating, reason, ""
		if deleted {
			c.Deleted = d.at
		}
	})
	d.hushAnnouncements("", announcement.ConferenceEnded)
	for i := range d.next.Participants {
		if d.next.Participants[i].Status != Leaving {
			d.leaving(i, leaveReasons[reason])
		}
	}
	d.finish()
}

// finish ends a terminating conference when the last participant is gone: first its recording, and when that can be downloaded the
// conference. Only here conference_deleted is made.
func (d *decision) finish() {
	if d.next.Conference.Status != Terminating || len(d.next.Participants) > 0 {
		return
	}
	if i := d.next.active(); i >= 0 {
		d.stop(i, tape.ByConference)
	}
	if len(d.next.Recordings) > 0 {
		return
	}
	d.conference(ConferenceDeleted, func(c *Conference) { c.Status, c.Ended = Terminated, d.at })
}

func (d *decision) expire() error {
	for i := 0; i < len(d.next.Participants); {
		if d.next.Participants[i].Status == Leaving && d.overdue(i) {
			d.leaved(i)
			continue
		}
		i++
	}
	if d.next.Conference.Status == Progressing && d.timedOut() {
		d.conclude(EndTimeout, true)
	}
	for i := range d.next.Participants {
		if d.next.Participants[i].Status != Leaving && d.overdue(i) {
			d.eject(i, LeftMaxDuration)
		}
	}
	d.expireRecordings()
	return nil
}

// overdue reports whether the i-th participant's deadline has passed.
func (d *decision) overdue(i int) bool {
	at := d.next.deadline(d.next.Participants[i])
	return !at.IsZero() && !d.at.Before(at)
}

// timedOut reports whether the conference's deadline has passed, whether or not Expire has come.
func (d *decision) timedOut() bool {
	at := d.next.Conference.Deadline()
	return !at.IsZero() && !d.at.Before(at)
}

func (d *decision) recoverAll() error {
	if i := d.next.active(); i >= 0 {
		d.stop(i, tape.ByCrash) // first: nothing of what follows is in it
	}
	d.hushAnnouncements("", announcement.Interrupted)
	c := &d.next.Conference
	if c.Type == Connect && c.Status == Progressing && len(c.Joined) > 0 {
		d.conclude(EndInterrupted, false)
	}
	// No rule about who left applies here: everybody lost the line at once, and a permanent conference waits for them.
	for len(d.next.Participants) > 0 {
		if d.next.Participants[0].Status != Leaving {
			d.leaving(0, LeftLost)
		}
		d.leaved(0)
	}
	d.finish()
	return nil
}

// without returns a new list: lists inside records are shared by their copies.
func without(ids []string, id string) []string {
	return slices.DeleteFunc(slices.Clone(ids), func(x string) bool { return x == id })
}
