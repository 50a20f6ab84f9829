// Package script performs flows: it walks through a run of package run on a live call (its Stage) or on none, does what a step asks for, and keeps the
// activeflow's record. One goroutine per flow, lent by whoever calls Perform; those of flows that were started by API are owned by Run.
package script

import (
	"context"

	"parley/internal/call"
	"parley/internal/flow"
	"parley/internal/flow/action"
	"parley/internal/prompt"
)

// Stage is a live call as a script sees it; a line provides it. Methods are called one at a time, with these exceptions: a Play that the flow does
// not wait for and a Listen go on beside other methods (never two Plays at once, and no Play inside Join, Enter and Connect), and Tapes.Stop may come
// while another method runs. They return when what they do is done, with ctx's error as soon as ctx ends, and with a fault when it cannot be done;
// when the call is over, ctx ends. A part that is nil is one that the call does not have: its actions fail.
type Stage struct {
	Phone  Phone
	Rooms  Rooms
	Dials  Dials
	Tapes  Tapes
	Media  Media                              // external media
	Acting func(context.Context, flow.Action) // told of each action that begins; nil for nobody
	Digits <-chan byte                        // keys that the caller presses, also in a conference; never closed
}

// Phone is the call's own sound and signalling.
type Phone interface {
	// Answer accepts the call; nil when it is answered already.
	Answer(ctx context.Context) error
	// Play plays until the end; it answers first if need be.
	Play(ctx context.Context, s prompt.Sound) error
	// Echo sends the caller's own sound back until ctx ends.
	Echo(ctx context.Context) error
	// SendDigits sends keys as RTP events (RFC 4733).
	SendDigits(ctx context.Context, o *action.Sending) error
	// Mute keeps the call from speaking (in), from hearing (out), or both; "" ends that.
	Mute(ctx context.Context, direction string) error
	// Listen tells person from machine by how the greeting sounds.
	Listen(ctx context.Context) (machine bool, err error)
}

// Rooms is the way into conferences.
type Rooms interface {
	// Join makes the call a joining participant. Refusals are faults whose reasons the caller is told.
	Join(ctx context.Context, conferenceID string) (Seat, error)
}

// Seat is a participant on its way into the mix or in it.
type Seat interface {
	Place() Place
	// Done closes when the room has ended the participant, whatever its state.
	Done() <-chan struct{}
	// Enter answers the call, brings it into the mix and returns when it has left, with why: left, kicked, terminated, timeout, peer_left, lost. An
	// error is a refusal: the participant is over then.
	Enter(ctx context.Context) (result string, err error)
	// Result says why the participant ended, once Done is closed, in the words of Enter.
	Result() string
	// Leave gives the place up.
	Leave(ctx context.Context, reason string)
}

// Place names what a script knows of a conference that its call enters.
type Place struct {
	Conference, Name, Participant string
	PreFlow, PostFlow             string // ids of flows, "" for none
}

// Dials places other calls.
type Dials interface {
	// Call dials and does not wait.
	Call(ctx context.Context, o *action.Calling) error
	// Connect dials, joins this call with whoever answers first, and returns when this call has left: with the reason to be relayed, or "".
	Connect(ctx context.Context, o *action.Connecting) (call.HangupReason, error)
}

// Tapes records the call.
type Tapes interface {
	Start(ctx context.Context, o *action.Recording) (variables map[string]string, err error)
	Stop(ctx context.Context) error
}

// Media links the call's media to a host outside.
type Media interface {
	Link(ctx context.Context, o *action.MediaLink) error
	Unlink(ctx context.Context) error
}
