package sqlite

import (
	"context"
	"fmt"
	"sync"
)

// hints are the channels of those who wait for the log to grow.
type hints struct {
	mu    sync.Mutex
	chans map[chan struct{}]struct{} // guarded by mu
}

// Hints returns a channel that gets a value after commits, and what ends it; see store.Log.
func (s *Store) Hints() (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	h := &s.hints
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.chans == nil {
		h.chans = map[chan struct{}]struct{}{}
	}
	h.chans[c] = struct{}{}
	return c, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.chans, c)
	}
}

// poke puts a value into every channel that has none.
func (h *hints) poke() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.chans {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// Cursor returns a reader's place in the log; see store.Log.
func (s *Store) Cursor(ctx context.Context, reader string) (seq int64, err error) {
	err = s.row(ctx, "SELECT seq FROM cursors WHERE reader = ?", []any{reader}, &seq)
	if err != nil && !missing(err) {
		return 0, s.failed(ctx, "read cursor of "+reader, err)
	}
	return seq, nil
}

// SetCursor moves a reader's place; see store.Log.
func (s *Store) SetCursor(ctx context.Context, reader string, seq int64) error {
	if reader == "" || seq < 0 {
		return fmt.Errorf("store: cursor of reader %q at %d", reader, seq)
	}
	return s.do(ctx, "move cursor of "+reader, func(w *session) error {
		return w.exec("INSERT INTO cursors (reader, seq) VALUES (?, ?) ON CONFLICT (reader) DO UPDATE SET seq = excluded.seq", reader, seq)
	})
}
