package chat

import (
	"context"
	"fmt"

	"parley/internal/conference"
	"parley/internal/store"
)

// Query selects messages of a conference that are not deleted, newest first.
type Query struct {
	Conference conference.ID
	As         conference.ParticipantID // only what this participant may read; "" for everything
	Before     store.Cursor             // where the page before ended; zero from the newest
	Limit      int                      // 1..100
}

// looksMost bounds how many messages one List looks through for those that a participant may read.
const looksMost = 2000

// List returns a page of messages, and where to go on: nil when nothing follows. A page of what one participant may read can be short.
func (c *Chat) List(ctx context.Context, q Query) (page []Message, next *store.Cursor, err error) {
	at := q.Before
	for looked := 0; looked < looksMost; {
		records, err := c.o.Store.List(ctx, store.Query{Kind: store.Message, Conference: string(q.Conference), Before: at, Limit: q.Limit + 1})
		if err != nil {
			return nil, nil, fmt.Errorf("list messages: %w", err)
		}
		for _, rec := range records {
			if len(page) == q.Limit {
				return page, &at, nil
			}
			m, err := read(rec)
			if err != nil {
				return nil, nil, err
			}
			if at = (store.Cursor{Created: rec.Created, ID: rec.ID}); q.As == "" || m.For(q.As) {
				page = append(page, m)
			}
		}
		if looked += len(records); len(records) <= q.Limit {
			return page, nil, nil
		}
	}
	return page, &at, nil
}
