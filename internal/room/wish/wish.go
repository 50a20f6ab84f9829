// Package wish knows what a room has to know of the commands to a conference besides what the rules do with them: whom they name, which may share a
// write with others, and what brings those about that nobody has asked for. It is pure.
package wish

import (
	"encoding/json"

	"parley/internal/conference"
	"parley/internal/conference/tape"
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
