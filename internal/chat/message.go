package chat

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"parley/internal/conference"
	"parley/internal/wire"
)

// The types of events.
const (
	Created = "conference_message_created"
	Updated = "conference_message_updated"
	Deleted = "conference_message_deleted"
)

// Message is what somebody wrote in a conference. Values may be copied freely: slices in it are never written to. Its JSON is the store's form;
// Resource is the API's.
type Message struct {
	ID           string
	CustomerID   string
	ConferenceID conference.ID
	From         conference.ParticipantID   // "" for the customer, by its access key
	Name         string                     // of the participant who wrote, as it was then
	To           []conference.ParticipantID // who may read it besides the writer; none for everybody
	ReplyTo      string                     // id of a message, or ""
	Text         string                     // "" once deleted
	Order        int64                      // ascending within the conference, with gaps
	Times
}

// Times of a message in UTC; zero when it has not happened.
type Times struct{ Created, Updated, Deleted time.Time }

// For reports whether a participant may read the message: everybody may read what names nobody; else those it names and who wrote it. The customer's
// own keys read everything.
func (m *Message) For(who conference.ParticipantID) bool {
	return len(m.To) == 0 || m.From == who || slices.Contains(m.To, who)
}

// again reports whether a message that is to be written is one that has been, whatever has been done with its text since.
func (m *Message) again(old *Message) bool {
	return m.From == old.From && m.ReplyTo == old.ReplyTo && slices.Equal(m.To, old.To) && (m.Text == old.Text || !old.Times.Updated.IsZero() || !old.Times.Deleted.IsZero())
}

// Resource is a message as the API writes it, none of its fields left out.
type Resource struct {
	ID               string    `json:"id"`
	CustomerID       string    `json:"customer_id"`
	ConferenceID     string    `json:"conference_id"`
	ConferencecallID string    `json:"conferencecall_id"` // of the writer; the nil UUID for the customer
	Name             string    `json:"name"`
	To               []string  `json:"to"`
	ReplyTo          string    `json:"reply_to"` // the nil UUID for none
	Text             string    `json:"text"`
	Order            int64     `json:"order"`
	Edited           bool      `json:"edited"`
	Created          wire.Time `json:"tm_create"`
	Updated          wire.Time `json:"tm_update"`
	Deleted          wire.Time `json:"tm_delete"`
}

// Resource returns the message as the API writes it.
func (m *Message) Resource() Resource {
	to := make([]string, len(m.To))
	for i, id := range m.To {
		to[i] = string(id)
	}
	return Resource{
		m.ID, wire.UUID(m.CustomerID), wire.UUID(string(m.ConferenceID)), wire.UUID(string(m.From)), m.Name, to, wire.UUID(m.ReplyTo), m.Text, m.Order,
		!m.Updated.IsZero(), wire.Time(m.Times.Created), wire.Time(m.Times.Updated), wire.Time(m.Times.Deleted),
	}
}

// Data returns the resource as JSON, for the log.
func (m *Message) Data() (json.RawMessage, error) { return json.Marshal(m.Resource()) }

// Line returns the message as phones show it: who wrote it, that it is for few, and the text.
func (m *Message) Line() string {
	who := m.Name
	if who == "" && m.From != "" {
		who = string(m.From)
	}
	if len(m.To) > 0 {
		who = strings.TrimSpace(who + " (private)")
	}
	if who == "" {
		return m.Text
	}
	return who + ": " + m.Text
}
