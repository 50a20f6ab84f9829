package room

import (
	"parley/internal/conference"
	"parley/internal/loop"
)

// leg is the audio of a participant, for those that look at it from outside.
type leg struct {
	port    Port
	session *loop.Session
}

// Live is how a participant's audio does just now.
type Live struct {
	Level int        // of what it says, in dBov: 0 is loud, -127 silence
	Stats loop.Stats // about a second old at most
}

// Live returns how the audio of a participant does that has some on this node; it waits for nothing.
func (h *Host) Live(id conference.ParticipantID) (Live, bool) {
	found, ok := h.legs.Load(id)
	if !ok {
		return Live{}, false
	}
	l := found.(leg)
	return Live{Level: l.port.Level(), Stats: l.session.Stats()}, true
}
