package group

import (
	"slices"
	"time"

	"parley/internal/call"
)

// ID is the UUID of a groupcall.
type ID string

// Status of a groupcall. It only moves forward.
type Status string

// The states of a groupcall.
const (
	Progressing Status = "progressing" // being dialled, or answered and under way
	HangingUp   Status = "hangingup"   // to be hung up; calls of it are still live
	Ended       Status = "hangup"      // no call of it is live, and no other will come
)

// RingMethod says in which order the destinations are dialled.
type RingMethod string

// The ring methods.
const (
	RingAll RingMethod = "ring_all"
	Linear  RingMethod = "linear" // each one when all calls of the one before have ended unanswered
)

// AnswerMethod says what an answer does to the other calls.
type AnswerMethod string

// HangupOthers is the only answer method: the first answer counts, the other calls are hung up.
const HangupOthers AnswerMethod = "hangup_others"

// Most is the highest number of destinations of one groupcall.
const Most = 50

// Groupcall is the record. It may be copied freely: what slices in it show is replaced, never written to. Its JSON is the store's form;
// Resource is the API's. The zero Groupcall is one that does not exist.
type Groupcall struct {
	ID         ID
	CustomerID string
	Status     Status
	FlowID     string
	Source     call.Address
	Methods
	Links
	Destinations []call.Address
	DialIndex    int   // of a linear one: the destination whose turn it is
	Dialed       []int // destinations that have been dialled, in the order of their dialling
	Legs         []Leg // their calls, in the order of their making
	AnswerCallID string
	Created      time.Time
	Updated      time.Time
	Deleted      time.Time
}

// Methods say how a groupcall rings and what an answer does.
type Methods struct {
	Ring   RingMethod
	Answer AnswerMethod
}

// Links are the ids of what the groupcall belongs to; "" for none.
type Links struct {
	OwnerType, OwnerID string // "" or "agent"
	MasterCallID       string
	MasterGroupcallID  string
}

// Leg is one call of a groupcall.
type Leg struct {
	CallID      string
	Destination int               // index
	Ended       bool              // it is over
	Reason      call.HangupReason // why, once it is over
}

// Dial returns the indices of the destinations whose turn it is, none when nothing is to be dialled now. They stay the same until Dialed has
// told of them.
func (g *Groupcall) Dial() []int {
	if g.Status != Progressing || g.AnswerCallID != "" {
		return nil
	}
	var turn []int
	for i := range g.Destinations {
		if (g.Ring != Linear || i == g.DialIndex) && !slices.Contains(g.Dialed, i) {
			turn = append(turn, i)
		}
	}
	return turn
}

// Surplus returns the ids of the live calls that are to be hung up: all once the groupcall is, those that have lost once one has answered.
func (g *Groupcall) Surplus() []string {
	var ids []string
	for _, l := range g.Legs {
		if !l.Ended && (g.Status != Progressing || g.AnswerCallID != "" && l.CallID != g.AnswerCallID) {
			ids = append(ids, l.CallID)
		}
	}
	return ids
}

// live counts the calls that are not over.
func (g *Groupcall) live() (n int) {
	for _, l := range g.Legs {
		if !l.Ended {
			n++
		}
	}
	return n
}

// find returns the index of a call's leg, -1 when the groupcall has no such call.
func (g *Groupcall) find(callID string) int {
	return slices.IndexFunc(g.Legs, func(l Leg) bool { return l.CallID == callID })
}
