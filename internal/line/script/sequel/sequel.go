// Package sequel reads the log for what something has to follow, at least once each, also over a crash. It owns a cursor of the log and starts no
// goroutine.
package sequel

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"parley/internal/store"
)

const (
	reader = "flows"                // the name of the cursor
	pace   = 250 * time.Millisecond // between two looks at a log that grows
	page   = 100
	// savedEvery is how many events are looked through again at most after a crash.
	savedEvery = 10_000
)

// Watch calls do for each event of the type, or with a * at its end of the types that begin so, in order, until ctx ends. An event that do cannot take now, which is an error, is tried again.
func Watch(ctx context.Context, events store.Log, kind string, do func(context.Context, *store.Event) error, log *slog.Logger) {
	hints, stop := events.Hints()
	defer stop()
	l := look{log: events, kind: kind, do: do, next: -1}
	for {
		err := l.on(ctx)
		if err != nil && ctx.Err() == nil {
			log.Warn("cannot follow the log; trying again", "type", kind, "error", err)
		}
		if err == nil {
			select {
			case <-hints:
			case <-ctx.Done():
				return
			}
		}
		select { // not for each commit of a busy server
		case <-time.After(pace):
		case <-ctx.Done():
			return
		}
	}
}

// look goes through the log.
type look struct {
	log         store.Log
	kind        string
	do          func(context.Context, *store.Event) error
	next, saved int64 // where to go on; next is -1 before the first
}

// begin lets a new reader begin with what comes: nothing follows what happened before there were flows.
func (l *look) begin(ctx context.Context) (err error) {
	if l.saved, err = l.log.Cursor(ctx, reader); err == nil && l.saved == 0 {
		if l.saved, _, err = l.log.Last(ctx, ""); err == nil && l.saved > 0 {
			err = l.log.SetCursor(ctx, reader, l.saved)
		}
	}
	if err != nil {
		return fmt.Errorf("begin to read the log: %w", err)
	}
	l.next = l.saved
	return nil
}

// on looks at what is new. Where it is, is written down only now and then.
func (l *look) on(ctx context.Context) error {
	if l.next < 0 {
		if err := l.begin(ctx); err != nil {
			return err
		}
	}
	for more := true; more; {
		events, upTo, err := l.log.Events(ctx, store.LogQuery{After: l.next, Types: []string{l.kind}, Limit: page})
		if err != nil {
			return err
		}
		for i := range events {
			if err := l.do(ctx, &events[i]); err != nil {
				return err
			}
			l.next = events[i].Seq
		}
		l.next, more = upTo, len(events) == page
		if len(events) > 0 || l.saved == 0 || l.next-l.saved > savedEvery {
			if err := l.log.SetCursor(ctx, reader, l.next); err != nil {
				return err
			}
			l.saved = l.next
		}
	}
	return nil
}
