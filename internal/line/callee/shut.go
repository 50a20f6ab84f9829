package callee

import (
	"context"

	"parley/internal/fault"
	"parley/internal/line/door"
)

// Shut is the door of a server that has none: it places no calls, L being what they would be made for, and nobody is registered at it.
type Shut[L any] struct{}

// Dial refuses.
func (Shut[L]) Dial(context.Context, Outgoing, L) (door.Departure, error) {
	return nil, fault.New(fault.Unavailable, "DIALLING_UNAVAILABLE", "this server cannot place calls")
}

// Contacts finds none.
func (Shut[L]) Contacts(context.Context, string, string) ([]Outgoing, error) { return nil, nil }
