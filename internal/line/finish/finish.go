// Package finish says what the end of a call means to everybody who has to hear of it: the call's record, the participant that it was, the other side, the
// flow that ran on it, and the log. It is rules alone.
package finish

import (
	"encoding/json"
	"fmt"

	"parley/internal/call"
	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/store/cause"
)

// Ending is why a call ends, as each of those who have to hear of it is told.
type Ending struct {
	Hangup call.Hangup            // the call's record
	Leave  conference.LeaveReason // the seat
	Refuse error                  // the caller, when it has no answer yet; nil: that the call has ended
	By     json.RawMessage        // the log; nil: the dialog
}

// Because has the log say who or what ended the call.
func (e Ending) Because(by json.RawMessage) Ending {
	e.By = by
	return e
}

// ByUs is an end that this server decides on.
func ByUs(reason call.HangupReason, leave conference.LeaveReason, detail string) Ending {
	return Ending{Hangup: call.Hangup{By: call.Local, Reason: reason, Detail: detail}, Leave: leave}
}

// ByDialog is the end of a call whose dialog has ended: by "remote" or "local", with the SIP status of a failure or 0.
func ByDialog(by string, status int, answered bool) Ending {
	e := Ending{Hangup: call.Hangup{By: call.Remote, Reason: call.ReasonOf(status)}, Leave: conference.LeftHangup}
	if by != string(call.Remote) { // the door ended it: session timer, transport
		e.Hangup.By, e.Leave = call.Local, conference.LeftCallEnded
	}
	if status != 0 {
		e.Hangup.Detail = fmt.Sprintf("SIP status %d", status)
		if answered {
			e.Hangup.Reason = call.Failed
		}
	}
	return e
}

// Declined is the end of a call that its callee does not take. late says that our patience has ended, not the callee's.
func Declined(status int, phrase string, late bool) Ending {
	e := Ending{Hangup: call.Hangup{By: call.Remote, Reason: call.ReasonOf(status)}, Leave: conference.LeftRefused}
	e.Hangup.Detail = fmt.Sprintf("SIP status %d %s", status, phrase)
	if late {
		e.Hangup.By, e.Hangup.Reason = call.Local, call.DialOut
	}
	return e
}

// seatReasons are the ends of seats that are not a normal end of the call.
var seatReasons = map[conference.LeaveReason]call.HangupReason{
	conference.LeftMaxDuration:  call.TimedOut,
	conference.LeftLost:         call.Failed,
	conference.LeftMediaTimeout: call.Failed,
	conference.LeftCallEnded:    call.Failed,
	conference.LeftRefused:      call.Failed,
}

// BySeat is the end of a call whose only reason to be was its seat.
func BySeat(why conference.LeaveReason, by json.RawMessage) Ending {
	reason, special := seatReasons[why]
	if !special {
		reason = call.Normal
	}
	e := ByUs(reason, why, string(why)).Because(by)
	e.Refuse = fault.New(fault.Conflict, "CALL_ENDED", "the conference has ended the call (%s)", why)
	return e
}

// results are the ends of seats in the words of flows.
var results = map[conference.LeaveReason]string{
	conference.LeftKicked: "kicked", conference.LeftTerminated: "terminated", conference.LeftTimeout: "timeout", conference.LeftPeer: "peer_left",
	conference.LeftLost: "lost", conference.LeftMediaTimeout: "lost", conference.LeftCallEnded: "lost", conference.LeftModeratorGone: "terminated",
}

// Result is the end of a seat in the word of flows.
func Result(why conference.LeaveReason) string {
	if result := results[why]; result != "" {
		return result
	}
	return "left"
}

// Refused is the end of a call that may not have what it wants.
func Refused(err error) Ending {
	e := ByUs(call.Failed, conference.LeftRefused, err.Error())
	if fault.KindOf(err) == fault.Exhausted || fault.ReasonOf(err) == "CONFERENCE_FULL" {
		e.Hangup.Reason = call.Busy
	}
	e.Refuse = err
	return e
}

// Stopped is the end of a call with that of the server.
func Stopped() Ending {
	e := ByUs(call.Failed, conference.LeftLost, "the server is stopping").Because(cause.ByRecovery)
	e.Refuse = fault.New(fault.Unavailable, "STOPPING", "the server is stopping; try again when it is back")
	return e
}

// HungUp is the end of a call that somebody has just hung up from our side. unanswered: one that we placed, and nobody has answered.
func HungUp(unanswered bool) Ending {
	e := ByUs(call.Normal, conference.LeftHangup, "hung up")
	if unanswered {
		e.Hangup.Reason = call.Canceled
	}
	e.Refuse = fault.New(fault.Conflict, "CALL_ENDED", "the call was ended before it was answered")
	return e
}

// ByFlow is the end of a call that its flow has come to, "" for a normal one.
func ByFlow(reason call.HangupReason, detail string) Ending {
	if reason == "" {
		reason = call.Normal
	}
	e := ByUs(reason, conference.LeftHangup, detail)
	switch reason {
	case call.Busy:
		e.Refuse = fault.New(fault.Exhausted, "CALL_REFUSED", "the call was refused as busy")
	case call.Failed:
		e.Refuse = fault.New(fault.Unavailable, "CALL_FAILED", "the flow of this call failed (%s)", detail)
	default:
		e.Refuse = fault.New(fault.Conflict, "CALL_ENDED", "the call was ended before it was answered (%s)", detail)
	}
	return e
}
