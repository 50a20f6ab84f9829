package chat

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"parley/internal/conference"
	"parley/internal/fault"
)

// toMost is how many participants a message can name.
const toMost = 100

// clean returns a text as it is kept: lines end with LF, and there is neither an empty text nor one that a screen or a log could trip over.
func clean(text string, most int) (string, error) {
	if !utf8.ValidString(text) {
		return "", invalid("text: it is not UTF-8")
	}
	text = strings.ReplaceAll(text, "\r\n", "\n")
	if strings.TrimSpace(text) == "" {
		return "", invalid("text: there is none; write something")
	}
	if n := utf8.RuneCountInString(text); n > most {
		return "", invalid("text: it has %d characters; at most %d are kept", n, most)
	}
	for _, r := range text {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return "", invalid("text: it has the control character %U; of those only line feed and tab are kept", r)
		}
	}
	return text, nil
}

// write decides whether the message may be written in the conference as it is, and completes it.
func write(s *conference.State, m Message, at time.Time) (Message, error) {
	if err := goesOn(s); err != nil {
		return m, err
	}
	if m.From != "" {
		p, err := present(s, m.From)
		if err != nil {
			return m, err
		}
		if p.Status != conference.Joined {
			return m, fault.New(fault.Conflict, "STATE_INVALID", "conferencecall %s is %s; it can write when it has joined", p.ID, p.Status)
		}
		m.Name = p.Name
	}
	for _, id := range m.To {
		if _, err := present(s, id); err != nil {
			return m, err
		}
	}
	m.CustomerID, m.ConferenceID, m.Times = s.Conference.CustomerID, s.Conference.ID, Times{Created: at}
	return m, nil
}

// edit decides whether the text of a message may be replaced by whoever as is: its writer, or "" for the customer. The same text changes nothing.
func edit(s *conference.State, m Message, as conference.ParticipantID, text string, at time.Time) (Message, error) {
	if err := goesOn(s); err != nil {
		return m, err
	}
	if err := owns(m, as); err != nil {
		return m, err
	}
	if !m.Deleted.IsZero() {
		return m, fault.New(fault.Conflict, "MESSAGE_DELETED", "message %s has been deleted; write a new one", m.ID)
	}
	if as != "" {
		if _, err := present(s, as); err != nil {
			return m, err
		}
	}
	if text != m.Text {
		m.Text, m.Updated = text, at
	}
	return m, nil
}

// remove is the same for its deletion, which is possible after the end of the conference too. Repeated, it changes nothing.
func remove(m Message, as conference.ParticipantID, at time.Time) (Message, error) {
	if err := owns(m, as); err != nil {
		return m, err
	}
	if m.Deleted.IsZero() {
		m.Text, m.Deleted = "", at
	}
	return m, nil
}

func goesOn(s *conference.State) error {
	if s.Conference.Status != conference.Progressing {
		return fault.New(fault.Conflict, "CONFERENCE_NOT_PROGRESSING", "the conference is %s; nothing can be written in it any more", s.Conference.Status)
	}
	return nil
}

// owns refuses who did not write the message. Who may not even read it does not learn of it.
func owns(m Message, as conference.ParticipantID) error {
	switch {
	case as == "" || as == m.From:
		return nil
	case !m.For(as):
		return unknown()
	}
	return fault.New(fault.Denied, "MESSAGE_NOT_YOURS", "message %s was written by somebody else; only its writer and the customer's keys change it", m.ID)
}

// present returns a participant that has not left.
func present(s *conference.State, id conference.ParticipantID) (*conference.Participant, error) {
	i := slices.IndexFunc(s.Participants, func(p *conference.Participant) bool { return p.ID == id })
	if i < 0 || s.Participants[i].Status == conference.Leaving {
		return nil, fault.New(fault.Conflict, "CONFERENCECALL_LEAVED", "conferencecall %s has left or is leaving; it neither writes nor reads any more", id)
	}
	return s.Participants[i], nil
}

// joined returns who is in the conference, and not on the way or in the lobby.
func joined(s *conference.State) (ids []conference.ParticipantID) {
	for i := range s.Participants {
		if s.Participants[i].Status == conference.Joined {
			ids = append(ids, s.Participants[i].ID)
		}
	}
	return ids
}

func unknown() error {
	return fault.New(fault.NotFound, "MESSAGE_NOT_FOUND", "this conference has no such message; check the id")
}

func unknownParticipant(id conference.ParticipantID) error {
	return fault.New(fault.NotFound, "CONFERENCECALL_NOT_FOUND", "this conference has no conferencecall %s; list its conferencecalls for the ids", id)
}

func invalid(format string, args ...any) error {
	return fault.New(fault.Invalid, "INVALID_ARGUMENT", format, args...)
}
