package store

import (
	"encoding/json"

	"parley/internal/wire"
)

// Entry is a row of the log as everybody outside sees it: in lists, streams and the bodies of webhooks.
type Entry struct {
	Seq          int64           `json:"seq"`
	ID           string          `json:"id"`
	Type         string          `json:"type"`
	At           wire.Time       `json:"tm_event"`
	CustomerID   string          `json:"customer_id"`
	ConferenceID string          `json:"conference_id"`
	Data         json.RawMessage `json:"data"`
	Cause        json.RawMessage `json:"cause,omitempty"` // as of package store/cause; nil for entries of earlier versions
}

// Entry returns the event as everybody outside sees it.
func (e *Event) Entry() Entry {
	return Entry{e.Seq, e.ID, e.Type, wire.Time(e.At), wire.UUID(e.CustomerID), wire.UUID(e.Conference), e.Data, e.Cause}
}

// OfType reports whether a type is one of the wanted: exact ones, or prefixes that end in *. Nothing wanted is everything.
func OfType(have string, wanted []string) bool {
	for _, t := range wanted {
		if n := len(t) - 1; t == have || n >= 0 && t[n] == '*' && len(have) >= n && have[:n] == t[:n] {
			return true
		}
	}
	return len(wanted) == 0
}
