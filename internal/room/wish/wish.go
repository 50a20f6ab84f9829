// Package wish knows what a room has to know of the commands to a conference besides what the rules do with them: whom they name, which may share a
// write with others, what brings those about that nobody has asked for, and what is refused before the rules
// are asked. It is pure.
package wish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"parley/internal/conference"
	"parley/internal/conference/tape"
	"parley/internal/fault"
	"parley/internal/store"
	"parley/internal/store/cause"
)

// Named returns the participant that a command names, "" for none.
func Named(c conference.Command) conference.ParticipantID {
	switch c := c.(type) {
	case conference.Join:
		return c.ID
	case conference.Connected:
		return c.ID
	case conference.Leave:
		return c.ID
	case conference.Kick:
		return c.ID
	case conference.Left:
		return c.ID
	case conference.Set:
		return c.ID
	case conference.Speech:
		return c.ID
	case conference.Digit:
		return c.ID
	}
	return ""
}

// Alone reports whether a command may take a name that is in use: its failure must not be that of others.
func Alone(c conference.Command) bool {
	switch c := c.(type) {
	case conference.Update:
		return c.Patch.DialIn != nil
	case conference.SetDirectHash:
		return true
	}
	return false
}

// Cause is what brings a command about that nobody has asked for: what its kind says. It is nil for commands that only somebody asks for.
func Cause(c conference.Command) json.RawMessage {
	switch c := c.(type) {
	case conference.Expire:
		return cause.ByTimer
	case conference.Recover:
		return cause.ByRecovery
	case conference.StopRecording:
		return stopped(c.Reason)
	case conference.Connected, conference.Speech, conference.Digit, conference.Announce, conference.Announced, conference.FinishRecording:
		return cause.ByMedia
	case conference.StartAnnouncement:
		return heard(c.Announcement.Cause)
	case conference.EndAnnouncement:
		return heard(c.Announcement.Cause)
	}
	return nil
}

func stopped(reason tape.Reason) json.RawMessage {
	switch reason {
	case tape.ByLimit, tape.BySilence:
		return cause.ByTimer
	case tape.ByCrash:
		return cause.ByRecovery
	}
	return cause.ByMedia
}

func heard(asked json.RawMessage) json.RawMessage {
	if asked != nil {
		return asked
	}
	return cause.ByMedia
}

// Unknown is the refusal of a conference that does not exist, or is somebody else's.
func Unknown() error {
	return fault.New(fault.NotFound, "CONFERENCE_NOT_FOUND", "there is no such conference; check the id")
}

// Stopping is the answer of a server that stops.
func Stopping() error {
	return fault.New(fault.Unavailable, "STOPPING", "the server is stopping; try again when it is back")
}

// Late is the answer to who could not wait.
func Late(ctx context.Context) error {
	return fault.New(fault.Unavailable, "ROOM_BUSY", "the conference did not answer in time (%v); try again", context.Cause(ctx))
}

// Creation says why a conference could not be made.
func Creation(err error, c *conference.Conference) error {
	switch {
	case errors.Is(err, store.ErrFenced):
		return fault.New(fault.Conflict, "ALREADY_EXISTS", "conference %s exists; choose another id or leave it out", c.ID)
	case fault.ReasonOf(err) == "ALREADY_EXISTS" && c.DialIn != "":
		return fault.New(fault.Conflict, "ALREADY_EXISTS", "dial_in %q is in use; choose another", c.DialIn)
	}
	return fmt.Errorf("create conference: %w", err)
}
