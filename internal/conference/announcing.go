package conference

import (
	"slices"
	"time"

	"parley/internal/conference/announcement"
	"parley/internal/conference/tape"
	"parley/internal/fault"
)

// announcementsMax is how many announcements may be heard at once.
const announcementsMax = 16

type (
	// StartAnnouncement says that an announcement begins to be heard.
	StartAnnouncement struct {
		At           time.Time
		Announcement announcement.Announcement
	}
	// EndAnnouncement says that one is not heard any more, or with Failed that there was trouble, maybe before it was heard at all. Of one that has
	// ended it changes nothing.
	EndAnnouncement struct {
		At           time.Time
		Announcement announcement.Announcement
		Reason       string
		Failed       bool
	}
)

func (StartAnnouncement) command() {}
func (EndAnnouncement) command()   {}

func (s *State) applyAnnouncement(a announcement.Announcement) {
	c := &s.Conference
	c.Playing = slices.DeleteFunc(slices.Clone(c.Playing), func(x announcement.Announcement) bool { return x.ID == a.ID })
	if a.Status == announcement.Playing {
		c.Playing = append(c.Playing, a)
	}
	if len(c.Playing) == 0 {
		c.Playing = nil
	}
}

// MayAnnounce says why the announcement cannot be made just now, nil when it can.
func (s *State) MayAnnounce(a *announcement.Announcement) error {
	d := decision{next: *s}
	if err := d.progressing(); err != nil {
		return err
	}
	if a.ConferencecallID == "" {
		return nil
	}
	i, err := d.find(ParticipantID(a.ConferencecallID))
	if err == nil && s.Participants[i].Status != Joined {
		err = fault.New(fault.Conflict, "CONFERENCECALL_NOT_JOINED", "conferencecall %s is %s; only who has joined hears announcements",
			a.ConferencecallID, s.Participants[i].Status)
	}
	return err
}

func (d *decision) startAnnouncement(c StartAnnouncement) error {
	a := c.Announcement
	if err := d.next.MayAnnounce(&a); err != nil {
		return err
	}
	if len(d.next.Conference.Playing) >= announcementsMax {
		return fault.New(fault.Exhausted, "ANNOUNCEMENTS_EXHAUSTED", "%d announcements are heard in this conference; stop one first", announcementsMax)
	}
	a.ConferenceID, a.CustomerID, a.Status, a.Started = string(d.next.Conference.ID), d.next.Conference.CustomerID, announcement.Playing, d.at
	d.emit(Event{Type: tape.AnnouncementStarted, Announcement: &a})
	return nil
}

func (d *decision) endAnnouncement(c EndAnnouncement) error {
	for _, a := range d.next.Conference.Playing {
		if a.ID == c.Announcement.ID {
			d.announcementEnded(a, c.Reason, c.Failed)
			return nil
		}
	}
	if c.Failed && c.Announcement.Started.IsZero() && d.next.Conference.Status == Progressing {
		a := c.Announcement
		a.ConferenceID, a.CustomerID = string(d.next.Conference.ID), d.next.Conference.CustomerID
		d.announcementEnded(a, c.Reason, true)
	}
	return nil
}

// hushAnnouncements ends those that are for one participant, or all.
func (d *decision) hushAnnouncements(id ParticipantID, reason string) {
	for _, a := range d.next.Conference.Playing { // Apply makes another list
		if id == "" || a.ConferencecallID == string(id) {
			d.announcementEnded(a, reason, false)
		}
	}
}

func (d *decision) announcementEnded(a announcement.Announcement, reason string, failed bool) {
	kind := tape.AnnouncementEnded
	a.Status, a.Reason, a.Times.Ended = announcement.Ended, reason, d.at
	if failed {
		kind, a.Status = tape.AnnouncementFailed, announcement.Failed
	}
	d.emit(Event{Type: kind, Announcement: &a})
}
