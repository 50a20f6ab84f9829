package ledger

import (
	"context"

	"parley/internal/call"
	"parley/internal/fault"
	"parley/internal/store"
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
