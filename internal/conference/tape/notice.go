package tape

import (
	"encoding/json"
	"fmt"
	"time"

	"parley/internal/wire"
)

// A notice that cannot be played is tried so often, with so long in between at least.
const (
	NoticeTries = 3
	NoticeAgain = 10 * time.Second
)

// NoticeStatus of a Notice. It only moves forward, but that a failed one may be tried again.
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

// Notice is what a participant is told of a recording before it is stored.
type Notice struct {
	At          time.Time
	Conference  string
	Recording   string
	Participant string
	Kind        string // announce or press_1
	Status      NoticeStatus
	Tries       int  // that have begun
	Pressed     bool // the key came while it played
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

// Data returns the JSON that the log and its readers carry.
func (n *Notice) Data() ([]byte, error) {
	data, err := json.Marshal(noticeResource{
		RecordingID: n.Recording, ConferenceID: n.Conference, ConferencecallID: n.Participant, Notice: n.Kind, Status: n.Status,
		Time: wire.Time(n.At),
	})
	if err != nil {
		return nil, fmt.Errorf("write notice: %w", err)
	}
	return data, nil
}
