// Package transfer holds the rules of a transfer that the API asked for: one party of a conversation, the transferer, has somebody else take its
// place. A Transfer goes through its states by its methods, which are pure: nothing here starts a goroutine, reads a clock or makes an id. Who dials,
// moves and hangs up is package line's business.
package transfer

import (
	"time"

	"parley/internal/call"
	"parley/internal/fault"
	"parley/internal/wire"
)

// Type says whether the transferer talks with the transferee first.
type Type string

// The types.
const (
	Attended Type = "attended" // it does, and hangs up when it is done
	Blind    Type = "blind"    // it leaves at once
)

// Status of a transfer. It only moves forward.
type Status string

// The states of a transfer.
const (
	Dialing    Status = "dialing"    // the transferee is being called
	Consulting Status = "consulting" // attended: transferer and transferee talk
	Completed  Status = "completed"  // the transferee has the transferer's place
	Failed     Status = "failed"     // it has not; an attended transferer is back in its place, if it is still there
)

// Reason says why a transfer has failed. Besides these, it is the reason why the transferee's call ended: noanswer, busy, cancel, dialout, failed.
type Reason string

// The reasons.
const (
	TransfereeLeft Reason = "transferee_left" // hung up before it was put through
	PartnerLeft    Reason = "partner_left"    // the other side of the conversation has gone
	Canceled       Reason = "canceled"        // by a request
	Lost           Reason = "lost"            // the server stopped or died under it
)

// AddressesMost is how many places of a transferee are called at once.
const AddressesMost = 10

// Transfer is the record. It may be copied freely: what slices in it show is replaced, never written to. Its JSON is the store's form; Resource is the
// API's. The zero Transfer is one that does not exist.
type Transfer struct {
	ID         string
	CustomerID string
	Type       Type
	Status     Status
	EndReason  Reason // of a failed one
	Transferer string // id of its call
	Addresses  []call.Address
	Transferee string // id of the call that has answered, "" for none
	Places
	Created, Updated, Ended time.Time
}

// Places are conferences, by their ids.
type Places struct {
	Conference   string // where the conversation is
	Consultation string // where transferer and transferee talk, "" when that is nowhere
}

// New makes a transfer that is being dialled. Ids come in their one form.
func New(at time.Time, t Transfer) (Transfer, error) {
	if t.Type != Attended && t.Type != Blind {
		return Transfer{}, fault.New(fault.Invalid, "INVALID_ARGUMENT", "transfer_type: %.32q is unknown; use attended or blind", t.Type)
	}
	if n := len(t.Addresses); n == 0 || n > AddressesMost {
		return Transfer{}, fault.New(fault.Invalid, "INVALID_ARGUMENT", "transferee_addresses: there are %d; give 1 to %d", n, AddressesMost)
	}
	for i := range t.Addresses {
		if err := t.Addresses[i].Check(); err != nil {
			return Transfer{}, fault.New(fault.Invalid, "INVALID_ARGUMENT", "transferee_addresses[%d]: %v", i, err)
		}
	}
	t.Status, t.EndReason, t.Transferee = Dialing, "", ""
	t.Created = moment(at)
	return t, nil
}

// moment is a time in the precision of the log.
func moment(at time.Time) time.Time { return at.UTC().Truncate(time.Microsecond) }

// Over reports whether the transfer has ended.
func (t *Transfer) Over() bool { return t.Status == Completed || t.Status == Failed }

// Answer says that the transferee has answered with a call. It returns the type of the event, "" when it changes nothing: another one was first, or the
// transfer has ended.
func (t *Transfer) Answer(at time.Time, callID string) string {
	if t.Over() || t.Transferee != "" {
		return ""
	}
	t.Transferee, t.Updated = callID, moment(at)
	if t.Type == Attended {
		t.Status = Consulting
	}
	return "transfer_updated"
}

// Complete says that the transferee has the transferer's place. It returns the type of the event, "" when it changes nothing.
func (t *Transfer) Complete(at time.Time) string { return t.end(at, Completed, "") }

// Fail says that the transfer has not come about, and why. It returns the type of the event, "" when it changes nothing.
func (t *Transfer) Fail(at time.Time, why Reason) string { return t.end(at, Failed, why) }

func (t *Transfer) end(at time.Time, status Status, why Reason) string {
	if t.Over() {
		return ""
	}
	t.Status, t.EndReason = status, why
	t.Ended, t.Updated = moment(at), moment(at)
	return "transfer_" + string(status)
}

// Resource is a transfer as the API writes it: the original's fields in the original's order, then ours.
type Resource struct {
	ID           string         `json:"id"`
	CustomerID   string         `json:"customer_id"`
	Type         Type           `json:"type"`
	Transferer   string         `json:"transferer_call_id"`
	Addresses    []call.Address `json:"transferee_addresses"`
	Transferee   string         `json:"transferee_call_id"`
	GroupcallID  string         `json:"groupcall_id"`  // always nil: the calls are no group
	ConfbridgeID string         `json:"confbridge_id"` // a conference's confbridge has the conference's id
	Create       wire.Time      `json:"tm_create"`
	Update       wire.Time      `json:"tm_update"`
	Delete       wire.Time      `json:"tm_delete"`
	Status       Status         `json:"status"`
	EndReason    Reason         `json:"end_reason"`
	Conference   string         `json:"conference_id"`
	Consultation string         `json:"consultation_id"`
	End          wire.Time      `json:"tm_end"`
}

// Resource returns the transfer as the API writes it.
func (t *Transfer) Resource() Resource {
	return Resource{
		ID: wire.UUID(t.ID), CustomerID: wire.UUID(t.CustomerID), Type: t.Type, Transferer: wire.UUID(t.Transferer), Addresses: t.Addresses,
		Transferee: wire.UUID(t.Transferee), GroupcallID: wire.NilUUID, ConfbridgeID: wire.UUID(t.Conference),
		Create: wire.Time(t.Created), Update: wire.Time(t.Updated), Status: t.Status, EndReason: t.EndReason,
		Conference: wire.UUID(t.Conference), Consultation: wire.UUID(t.Consultation), End: wire.Time(t.Ended),
	}
}
