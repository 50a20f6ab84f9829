package conference

import (
	"slices"
	"time"

	"parley/internal/conference/tape"
)

// consentKey is the key of press_1.
const consentKey = "1"

type (
	// Announce begins to tell a joined participant of the recording that runs, again when it could not be told, three times in all; one that knows, or needs
	// not to, changes nothing.
	Announce struct {
		At time.Time
		ID ParticipantID
	}
	// Announced says that the participant has heard the notice, or that it cannot.
	Announced struct {
		At        time.Time
		ID        ParticipantID
		Recording string
		Failed    bool
	}
)

func (Announce) command()  {}
func (Announced) command() {}

// Unannounced returns who has to be told of the recording that runs.
func (s *State) Unannounced() (out []ParticipantID) {
	i := s.active()
	if i < 0 || s.Recordings[i].Notice == tape.NoNotice {
		return nil
	}
	for j := range s.Participants {
		if p := s.Participants[j]; p.Status == Joined && s.notice(p.ID) < 0 {
			out = append(out, p.ID)
		}
	}
	return out
}

// notice returns the place of the participant's notice of the recording that runs, -1 for none.
func (s *State) notice(id ParticipantID) int { return tape.FindNotice(s.Notices, string(id)) }

// announceable reports whether a participant may be told now, and how often that has been tried: one of Unannounced, or one whose notice has failed.
func (s *State) announceable(id ParticipantID, at time.Time) (tries int, due bool) {
	i, n := s.active(), s.notice(id)
	if i < 0 || n < 0 {
		return 0, slices.Contains(s.Unannounced(), id)
	}
	p := slices.IndexFunc(s.Participants, func(p *Participant) bool { return p.ID == id })
	was := s.Notices[n]
	return was.Tries, was.Status == tape.NoticeFailed && was.Tries < tape.NoticeTries && !at.Before(was.At.Add(tape.NoticeAgain)) && was.Recording == s.Recordings[i].ID && p >= 0 && s.Participants[p].Status == Joined
}

func (d *decision) announce(c Announce) error {
	tries, due := d.next.announceable(c.ID, d.at)
	if !due {
		return nil
	}
	r := &d.next.Recordings[d.next.active()]
	d.emit(Event{Type: tape.AnnouncementStarted, Notice: &tape.Notice{
		At: d.at, Conference: string(d.next.Conference.ID), Recording: r.ID, Participant: string(c.ID), Kind: r.Notice, Status: tape.NoticePlaying, Tries: tries + 1,
	}})
	return nil
}

func (d *decision) announced(c Announced) error {
	i := d.next.notice(c.ID)
	if i < 0 || d.next.Notices[i].Recording != c.Recording || d.next.Notices[i].Status != tape.NoticePlaying {
		return nil
	}
	if c.Failed {
		d.noticed(i, tape.AnnouncementFailed, tape.NoticeFailed)
		return nil
	}
	d.noticed(i, tape.AnnouncementEnded, tape.NoticeWaiting)
	if n := d.next.Notices[i]; n.Kind == tape.Announce || n.Pressed {
		d.noticed(i, tape.ConsentedEvent, tape.NoticeConsented)
	}
	return nil
}

// noticed records what has become of the i-th notice.
func (d *decision) noticed(i int, event string, status tape.NoticeStatus) {
	n := d.next.Notices[i]
	n.At, n.Status = d.at, status
	d.emit(Event{Type: event, Notice: &n})
}

// agree takes the key of press_1, which counts when the announcement has ended: everybody is to hear it. Apply notes one that comes before.
func (d *decision) agree(id ParticipantID) {
	if i := d.next.notice(id); i >= 0 && d.next.Notices[i].Pressed && d.next.Notices[i].Status == tape.NoticeWaiting {
		d.noticed(i, tape.ConsentedEvent, tape.NoticeConsented)
	}
}
