// Package wire holds the JSON forms that all resources share: time stamps and UUIDs as the API writes them. It owns no state
// and starts no goroutine; which fields a resource has is the business of the package that owns the resource.
package wire

import (
	"errors"
	"time"
)

// NilUUID is how the API writes an id that is not set: never null, "" or absent.
const NilUUID = "00000000-0000-0000-0000-000000000000"

// layout is RFC 3339 with exactly six digits, so that texts sort as times do.
const layout = "2006-01-02T15:04:05.000000Z"

// Time is a time as JSON: RFC 3339 in UTC with exactly six fraction digits, null when zero.
type Time time.Time

// MarshalJSON writes the time. Years beyond 9999 have no RFC 3339 form and are an error.
func (t Time) MarshalJSON() ([]byte, error) {
	at := time.Time(t)
	if at.IsZero() {
		return []byte("null"), nil
	}
	at = at.UTC()
	if y := at.Year(); y < 0 || y > 9999 {
		return nil, errors.New("write time: year outside 0..9999")
	}
	return []byte(at.Format(`"` + layout + `"`)), nil
}

// UnmarshalJSON reads any RFC 3339 time, and null as the zero time.
func (t *Time) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*t = Time{}
		return nil
	}
	var at time.Time
	if err := at.UnmarshalJSON(b); err != nil {
		return err
	}
	*t = Time(at.UTC())
	return nil
}

// String returns the text that JSON has between the quotes, "" for the zero time.
func (t Time) String() string {
	if time.Time(t).IsZero() {
		return ""
	}
	return time.Time(t).UTC().Format(layout)
}

// UUID returns s, or NilUUID for "".
func UUID(s string) string {
	if s == "" {
		return NilUUID
	}
	return s
}

// ParseUUID reads the 36-character text form (RFC 9562 section 4) and nothing else: no braces, no URN, no bare digits. The
// result is in lower case.
func ParseUUID(s string) (id string, ok bool) {
	if len(s) != len(NilUUID) {
		return "", false
	}
	lower := make([]byte, len(s))
	for i := range len(s) {
		c := s[i]
		switch {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return "", false
			}
		case 'A' <= c && c <= 'F':
			c += 'a' - 'A'
		case '0' <= c && c <= '9', 'a' <= c && c <= 'f':
		default:
			return "", false
		}
		lower[i] = c
	}
	return string(lower), true
}
