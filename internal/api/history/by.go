package history

import (
	"encoding/json"
	"strings"

	"parley/internal/store/cause"
)

// by says a cause, as the log keeps it, as a part of a sentence; "" for one that is not known.
func by(raw json.RawMessage) string {
	var c cause.Cause
	if json.Unmarshal(raw, &c) != nil {
		return ""
	}
	switch c.Kind {
	case cause.API:
		return "request " + c.RequestID + with(" of agent ", c.AgentID) + with(" with access key ", c.AccesskeyID) + with(" from ", c.Address)
	case cause.SIP:
		return "the phone of call " + c.CallID + with(" (SIP Call-ID ", c.SIPCallID, ")") + with(" at ", c.Address)
	case cause.Keypad:
		return "keys " + c.Digits + with(" of conferencecall ", c.Participant)
	case cause.Flow:
		if c.ActionID == "" {
			return "the end of activeflow " + c.ActiveflowID
		}
		return "action " + c.ActionID + " of activeflow " + c.ActiveflowID
	case cause.Timer:
		return "a time that had passed"
	case cause.Health:
		return "a check that somebody is still there"
	case cause.Recovery:
		return "the stop or the new start of the server"
	case cause.Media:
		return "what was heard"
	}
	return ""
}

// with returns the words around a value that is there, "" for none.
func with(before, value string, after ...string) string {
	if value == "" {
		return ""
	}
	return before + value + strings.Join(after, "")
}
