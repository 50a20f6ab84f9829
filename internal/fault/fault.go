// Package fault holds the kinds of errors that cross package and node borders, and the one table that turns them into
// HTTP and SIP statuses. It owns no state and may be imported by every package.
package fault

import (
	"errors"
	"fmt"
)

// Kind classifies an error for whoever has to answer a client. The zero Kind is Internal.
type Kind uint8

// The eight kinds.
const (
	Internal Kind = iota
	Invalid
	Unauthenticated
	Denied
	NotFound
	Conflict
	Exhausted
	Unavailable
)

// kinds is indexed by Kind. Class is the canonical upper-snake class of VoIPBIN's error envelope.
var kinds = [...]struct {
	class     string
	http, sip int
}{
	Internal:        {"INTERNAL", 500, 500},
	Invalid:         {"INVALID_ARGUMENT", 400, 400},
	Unauthenticated: {"UNAUTHENTICATED", 401, 401},
	Denied:          {"PERMISSION_DENIED", 403, 403},
	NotFound:        {"NOT_FOUND", 404, 404},
	Conflict:        {"FAILED_PRECONDITION", 409, 480},
	Exhausted:       {"RESOURCE_EXHAUSTED", 429, 486},
	Unavailable:     {"UNAVAILABLE", 503, 503},
}

// Class returns the canonical class of VoIPBIN's error envelope, for example "NOT_FOUND".
func (k Kind) Class() string { return kinds[k].class }

// HTTP returns the HTTP status of the kind.
func (k Kind) HTTP() int { return kinds[k].http }

// SIP returns the SIP status of the kind (RFC 3261 section 21).
func (k Kind) SIP() int { return kinds[k].sip }

// Error is a refusal with a stable reason. Values are immutable.
type Error struct {
	Kind    Kind
	Reason  string // stable, upper snake, listed in docs/errors.md; empty for Internal
	Message string // for people: what is wrong and what to do
}

// Error returns the message for people.
func (e *Error) Error() string { return e.Message }

// New makes a refusal. Every rule that refuses calls New, so that no refusal can be mistaken for success.
func New(kind Kind, reason, format string, args ...any) *Error {
	return &Error{Kind: kind, Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// Of returns the first *Error in err's chain; ok is false when there is none, which means Internal.
func Of(err error) (e *Error, ok bool) {
	ok = errors.As(err, &e)
	return e, ok
}

// KindOf returns the kind of err, Internal when the chain holds no *Error.
func KindOf(err error) Kind {
	if e, ok := Of(err); ok {
		return e.Kind
	}
	return Internal
}

// ReasonOf returns the stable reason of err, "INTERNAL" when the chain holds no *Error.
func ReasonOf(err error) string {
	if e, ok := Of(err); ok {
		return e.Reason
	}
	return "INTERNAL"
}
