package deck

import (
	"encoding/json"
	"fmt"

	"parley/internal/conference/tape"
	"parley/internal/store"
)

// Record returns the record of a recording as the store keeps it. It refers to what is recorded.
func Record(r *tape.Recording) (store.Record, error) {
	doc, err := json.Marshal(r)
	if err != nil {
		return store.Record{}, fmt.Errorf("write recording %s: %w", r.ID, err)
	}
	_, reference := r.Reference()
	return store.Record{
		Kind: store.Recording, ID: r.ID, CustomerID: r.CustomerID, Conference: r.ConferenceID, Reference: reference,
		Status: string(r.Status), Live: r.Status != tape.Ended, Created: r.Created, Deleted: !r.Deleted.IsZero(), Doc: doc,
	}, nil
}
