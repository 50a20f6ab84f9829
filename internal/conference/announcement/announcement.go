// Package announcement holds what an announcement to a conference is: spoken text or sounds, to all or to one, its limits, and how the API writes it.
// It is pure: no goroutine, no clock, no ids. When one may be heard is for the rules of the conference.
package announcement

import (
	"encoding/json"
	"fmt"
	"time"

	"parley/internal/fault"
	"parley/internal/wire"
)

// Kind of an announcement.
type Kind string

// The kinds.
const (
	Talk Kind = "talk" // text that is spoken
	Play Kind = "play" // sounds, one after the other
)

// Status of an announcement. It only moves forward.
type Status string

// The states. One that never came to be heard goes from queued to failed.
const (
	Queued  Status = "queued"
	Playing Status = "playing"
	Ended   Status = "ended"
	Failed  Status = "failed"
)

// Reasons of an end that is no failure; a failure has the reason of its error.
const (
	Played          = "played"
	Stopped         = "stopped"
	Left            = "left" // who was to hear it
	ConferenceEnded = "conference_ended"
	Interrupted     = "interrupted" // the server died or stopped under it
)

// Limits of one announcement.
const (
	textMax   = 8192 // characters
	urlsMax   = 16
	nameMax   = 255
	volumeMax = 30 // dB, either way
)

// Announcement is the record. Values are copied, the list is never written to. Its JSON is the store's form; Resource is the API's.
type Announcement struct {
	ID               string
	CustomerID       string
	ConferenceID     string
	ConferencecallID string // who hears it; "" for all
	Kind             Kind
	Voice
	URLs   []string // of a play
	Repeat bool     // until it is stopped
	Volume int      // dB
	Status Status
	Reason string
	Times
	Cause json.RawMessage `json:"-"` // who asked for it, as the log keeps it; nil: nobody knows any more
}

// Voice is what a talk says, and how.
type Voice struct {
	Text     string // plain or SSML
	Language string // BCP 47; "" is the server's
	Provider string // "" is the server's choice
	VoiceID  string // "" is the language's first
}

// Times in UTC; zero when it has not happened.
type Times struct{ Created, Started, Ended time.Time }

// Normal checks what a client has said and returns it with ids as they are written.
func (a Announcement) Normal() (Announcement, error) {
	invalid := func(field string, err error) error {
		return fault.New(fault.Invalid, "INVALID_ARGUMENT", "%s: %v", field, err)
	}
	var err error
	if a.ConferencecallID, err = wire.OptionalUUID(a.ConferencecallID); err != nil {
		return a, invalid("conferencecall_id", err)
	}
	if a.Volume < -volumeMax || a.Volume > volumeMax {
		return a, invalid("volume", fmt.Errorf("%d dB is outside -%d..%d", a.Volume, volumeMax, volumeMax))
	}
	if a.Kind == Talk {
		for _, f := range []struct {
			field, text string
			most        int
		}{{"text", a.Text, textMax}, {"language", a.Language, nameMax}, {"provider", a.Provider, nameMax}, {"voice_id", a.VoiceID, nameMax}} {
			if err := wire.Text(f.text, f.most); err != nil {
				return a, invalid(f.field, err)
			}
		}
		if a.Text == "" {
			return a, invalid("text", fmt.Errorf("it is empty"))
		}
		return a, nil
	}
	if len(a.URLs) == 0 || len(a.URLs) > urlsMax {
		return a, invalid("stream_urls", fmt.Errorf("it must name 1 to %d sounds", urlsMax))
	}
	for _, u := range a.URLs {
		if err := wire.Sound(u); err != nil {
			return a, invalid("stream_urls", fmt.Errorf("%.100q: %w", u, err))
		}
	}
	return a, nil
}

// Resource is an announcement as the API writes it.
type Resource struct {
	ID               string    `json:"id"`
	CustomerID       string    `json:"customer_id"`
	ConferenceID     string    `json:"conference_id"`
	ConferencecallID string    `json:"conferencecall_id"`
	Kind             Kind      `json:"kind"`
	Text             string    `json:"text"`
	Language         string    `json:"language"`
	Provider         string    `json:"provider"`
	VoiceID          string    `json:"voice_id"`
	StreamURLs       []string  `json:"stream_urls"`
	Repeat           bool      `json:"repeat"`
	Volume           int       `json:"volume"`
	Status           Status    `json:"status"`
	Reason           string    `json:"reason"`
	Create           wire.Time `json:"tm_create"`
	Start            wire.Time `json:"tm_start"`
	End              wire.Time `json:"tm_end"`
}

// Resource returns the announcement as the API writes it.
func (a *Announcement) Resource() Resource {
	return Resource{
		ID: wire.UUID(a.ID), CustomerID: wire.UUID(a.CustomerID), ConferenceID: wire.UUID(a.ConferenceID), ConferencecallID: wire.UUID(a.ConferencecallID),
		Kind: a.Kind, Text: a.Text, Language: a.Language, Provider: a.Provider, VoiceID: a.VoiceID, StreamURLs: wire.IDs(a.URLs), Repeat: a.Repeat,
		Volume: a.Volume, Status: a.Status, Reason: a.Reason, Create: wire.Time(a.Created), Start: wire.Time(a.Started), End: wire.Time(a.Times.Ended),
	}
}

// Data returns the JSON that the log carries.
func (a *Announcement) Data() ([]byte, error) {
	data, err := json.Marshal(a.Resource())
	if err != nil {
		return nil, fmt.Errorf("write announcement %s: %w", a.ID, err)
	}
	return data, nil
}
