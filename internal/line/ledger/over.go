package ledger

import (
	"context"

	"parley/internal/call"
	"parley/internal/fault"
	"parley/internal/store"
	"parley/internal/wall"
)

// Find reads a call of the customer's, of anybody's with ""; CALL_NOT_FOUND when there is none.
func Find(ctx context.Context, s store.Store, customerID string, id call.ID) (*Entry, error) {
	r := New(s, "")
	if err := r.Load(ctx, id); err != nil && fault.KindOf(err) != fault.NotFound {
		return nil, err
	}
	if r.Call.ID == "" || customerID != "" && r.Call.CustomerID != customerID {
		return nil, fault.New(fault.NotFound, "CALL_NOT_FOUND", "there is no such call; check the id")
	}
	return r, nil
}

// Over says why a call of the customer's that nobody runs cannot be controlled.
func Over(ctx context.Context, s store.Store, customerID string, id call.ID) (call.Call, error) {
	r, err := Find(ctx, s, customerID, id)
	if err != nil {
		return call.Call{}, err
	}
	return r.Call, fault.New(fault.Conflict, "CALL_ALREADY_HANGUP", "call %s has been hung up", id)
}

// ReasonOf is why a call has ended; normal when it has not.
func ReasonOf(ctx context.Context, s store.Store, id string) call.HangupReason {
	r := New(s, "")
	if err := r.Load(ctx, call.ID(id)); err != nil {
		return call.Normal
	}
	return r.Call.HangupReason
}

// End ends a call that nobody runs: one whose end could not be written. One that has ended is a fault.Conflict CALL_ALREADY_HANGUP.
func End(ctx context.Context, s store.Store, id call.ID) (call.Call, error) {
	r, err := Find(ctx, s, "", id)
	if err != nil {
		return call.Call{}, err
	}
	if r.Call.Status == call.Ended {
		return r.Call, fault.New(fault.Conflict, "CALL_ALREADY_HANGUP", "call %s has been hung up", id)
	}
	err = r.Write(ctx, call.Recover{At: wall.Now()})
	return r.Call, err
}

// Retriable reports whether an error says that something could not be done now, not that it may not be done.
func Retriable(err error) bool {
	if err == nil {
		return false
	}
	kind := fault.KindOf(err)
	return kind == fault.Unavailable || kind == fault.Internal
}
