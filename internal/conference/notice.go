package conference

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"parley/internal/conference/tape"
	"parley/internal/wire"
)

// NoticeStatus of a Notice. It only moves forward.
type NoticeStatus string

// The states of a notice.
const (
	NoticePlaying   NoticeStatus = "playing"
	NoticeWaiting   NoticeStatus = "waiting" // press_1: it has been played, the key has not come
	NoticeConsented NoticeStatus = "consented"
	NoticeFailed    NoticeStatus = "failed" // it could not be played; nothing of the leg is stored
)

// The events of a notice. What a leg says is stored only after ConsentedEvent.
const (
	AnnouncementStarted = "announcement_started"
	AnnouncementEnded   = "announcement_ended"
	AnnouncementFailed  = "announcement_failed"
	ConsentedEvent      = "recording_consented"
)

// consentKey is the key of press_1.
const consentKey = "1"

// Notice is what a participant is told of a recording before it is stored.
type Notice struct {
	At          time.Time
	Conference  ID
	Recording   string
	Participant ParticipantID
	Kind        string // announce or press_1
	Status      NoticeStatus
	Pressed     bool // the key came while it played
}

type (
	// Announce begins to tell a joined participant of the recording that runs; one that knows, or needs not to, changes nothing.
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
		if p := &s.Participants[j]; p.Status == Joined && s.notice(p.ID) < 0 {
			out = append(out, p.ID)
		}
	}
	return out
}

// notice returns the place of the participant's notice of the recording that runs, -1 for none.
func (s *State) notice(id ParticipantID) int {
	return slices.IndexFunc(s.Notices, func(n Notice) bool { return n.Participant == id })
}

func (s *State) applyNotice(n Notice) {
	s.Notices = slices.Clone(s.Notices)
	if i := s.notice(n.Participant); i >= 0 {
		s.Notices[i] = n
	} else {
		s.Notices = append(s.Notices, n)
	}
}

// forgetNotices drops those of who has left and of what does not run any more.
func (s *State) forgetNotices(gone func(Notice) bool) {
	if slices.ContainsFunc(s.Notices, gone) {
		s.Notices = slices.DeleteFunc(slices.Clone(s.Notices), gone)
	}
}

func (d *decision) announce(c Announce) error {
	if !slices.Contains(d.next.Unannounced(), c.ID) {
		return nil
	}
	r := &d.next.Recordings[d.next.active()]
	d.emit(Event{Type: AnnouncementStarted, Notice: &Notice{
		At: d.at, Conference: d.next.Conference.ID, Recording: r.ID, Participant: c.ID, Kind: r.Notice, Status: NoticePlaying,
	}})
	return nil
}

func (d *decision) announced(c Announced) error {
	i := d.next.notice(c.ID)
	if i < 0 || d.next.Notices[i].Recording != c.Recording || d.next.Notices[i].Status != NoticePlaying {
		return nil
	}
	if c.Failed {
		d.noticed(i, AnnouncementFailed, NoticeFailed)
		return nil
	}
	d.noticed(i, AnnouncementEnded, NoticeWaiting)
	if n := d.next.Notices[i]; n.Kind == tape.Announce || n.Pressed {
		d.noticed(i, ConsentedEvent, NoticeConsented)
	}
	return nil
}

// noticed records what has become of the i-th notice.
func (d *decision) noticed(i int, event string, status NoticeStatus) {
	n := d.next.Notices[i]
	n.At, n.Status = d.at, status
	d.emit(Event{Type: event, Notice: &n})
}

// agree takes the key of press_1, which counts when the announcement has ended: everybody is to hear it. Apply notes one that comes before.
func (d *decision) agree(id ParticipantID) {
	if i := d.next.notice(id); i >= 0 && d.next.Notices[i].Pressed && d.next.Notices[i].Status == NoticeWaiting {
		d.noticed(i, ConsentedEvent, NoticeConsented)
	}
}

// pressed notes that a participant has agreed to what it is told or has been told.
func (s *State) pressed(id ParticipantID) {
	if i := s.notice(id); i >= 0 && s.Notices[i].Kind == tape.Press1 {
		s.Notices = slices.Clone(s.Notices)
		s.Notices[i].Pressed = true
	}
}

// noticeResource is a notice as the log and its readers carry it.
type noticeResource struct {
	RecordingID      string       `json:"recording_id"`
	ConferenceID     string       `json:"conference_id"`
	ConferencecallID string       `json:"conferencecall_id"`
	Notice           string       `json:"notice"`
	Status           NoticeStatus `json:"status"`
	Time             wire.Time    `json:"tm_event"`
}

func (n *Notice) data() ([]byte, error) {
	data, err := json.Marshal(noticeResource{
		RecordingID: n.Recording, ConferenceID: string(n.Conference), ConferencecallID: string(n.Participant), Notice: n.Kind, Status: n.Status,
		Time: wire.Time(n.At),
	})
	if err != nil {
		return nil, fmt.Errorf("write notice: %w", err)
	}
	return data, nil
}
