// Package setting holds what a conference is told to be: its settings, their limits and meaning, and how a change of them is applied; and the
// checks that the rules of conferences make of what clients say. It is pure: no goroutine, no clock.
package setting

import (
	"parley/internal/fault"
	"parley/internal/wire"
)

// Verdict collects checks; the first failure stays.
type Verdict struct{ Err error }

// On notes the outcome of the check of a field, as the API names it.
func (v *Verdict) On(field string, err error) {
	if v.Err == nil && err != nil {
		v.Err = fault.New(fault.Invalid, "INVALID_ARGUMENT", "%s: %v", field, err)
	}
}

// Text checks a text of at most so many characters.
func (v *Verdict) Text(field, s string, most int) { v.On(field, wire.Text(s, most)) }

// UUID checks one that may be left out, and writes it as it is to be.
func (v *Verdict) UUID(field string, s *string) {
	id, err := wire.OptionalUUID(*s)
	*s = id
	v.On(field, err)
}

// Choose gives "" its meaning, the first of the allowed values, and refuses what is none of them.
func Choose[S ~string](v *Verdict, field string, s *S, allowed ...S) {
	value, err := wire.OneOf(*s, allowed...)
	*s = value
	v.On(field, err)
}

// Put takes a value over unless it is nil.
func Put[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}
