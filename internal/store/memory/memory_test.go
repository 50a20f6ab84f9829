package memory_test

import (
	"context"
	"testing"

	"parley/internal/fault"
	"parley/internal/store"
	"parley/internal/store/memory"
	"parley/internal/store/storetest"
)

// kept is one life of a store whose memory is kept for the next.
type kept struct {
	*memory.Store
	closed bool
}

func (k *kept) Close() error { k.closed = true; return nil }

func (k *kept) err() error {
	if k.closed {
		return fault.New(fault.Unavailable, "STORE_CLOSED", "the store is closed")
	}
	return nil
}

func (k *kept) Append(ctx context.Context, c *store.Change) error {
	if err := k.err(); err != nil {
		return err
	}
	return k.Store.Append(ctx, c)
}

func (k *kept) Get(ctx context.Context, kind store.Kind, id string) (store.Record, error) {
	if err := k.err(); err != nil {
		return store.Record{}, err
	}
	return k.Store.Get(ctx, kind, id)
}

func TestStore(t *testing.T) {
	stores := map[string]*memory.Store{}
	storetest.Run(t, func(t *testing.T) store.Store {
		if stores[t.Name()] == nil {
			stores[t.Name()] = memory.New()
		}
		return &kept{Store: stores[t.Name()]}
	})
}
