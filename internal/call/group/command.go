package group

import (
	"time"

	"parley/internal/call"
)

// Command is a wish, or a fact that whoever dials reports. The set is closed; every command carries its time, and ids that it needs are made
// by the caller.
type Command interface{ command() }

type (
	// Create makes a groupcall. Empty methods are ring_all and hangup_others.
	Create struct {
		At           time.Time
		ID           ID
		CustomerID   string
		FlowID       string
		Source       call.Address
		Destinations []call.Address // 1 to Most
		Methods
		Links
	}
	// Dialed says that a destination has been dialled, with which calls: more than one when it is registered at several places, none when it
	// could not be dialled at all. Calls that come while the groupcall is ending are Surplus at once; calls that come when it has ended are
	// refused. Once for each destination.
	Dialed struct {
		At          time.Time
		Destination int // index
		CallIDs     []string
	}
	// Answered says that one of the calls has been answered. It is refused when another one was first and when the groupcall is ending:
	// whoever sent it has a call to hang up. Repeated, it changes nothing.
	Answered struct {
		At     time.Time
		CallID string
	}
	// CallEnded says that one of the calls is over, and why. Repeated, it changes nothing.
	CallEnded struct {
		At     time.Time
		CallID string
		Reason call.HangupReason
	}
	// Hangup ends the groupcall: Surplus names its live calls, it is over when they are. Repeated, it changes nothing.
	Hangup struct{ At time.Time }
	// Recover ends a groupcall that a dead process left behind, and its calls with it. Repeated, it changes nothing.
	Recover struct{ At time.Time }
	// Delete hides an ended groupcall from lists. Repeated, it changes nothing.
	Delete struct{ At time.Time }
)

func (Create) command()    {}
func (Dialed) command()    {}
func (Answered) command()  {}
func (CallEnded) command() {}
func (Hangup) command()    {}
func (Recover) command()   {}
func (Delete) command()    {}
