// Package flood keeps a log readable while the same thing happens again and again: of records with the same message and reason it lets the
// first ones of ten seconds through, counts the rest, and writes one line with the number. Refusals for want of room are
// no errors of the server: they are warnings. It owns the counts and starts a timer for each burst.
package flood

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

const (
	window  = 10 * time.Second
	shown   = 20 // of one kind in a window
	crowded = 1  // of refusals for want of room
	kinds   = 1000
)

// Gate is a slog.Handler in front of another one. Any goroutine may use it.
type Gate struct {
	next   slog.Handler
	bursts *bursts
}

// bursts are what is counted just now, for a handler and all that were made from it.
type bursts struct {
	mu   sync.Mutex
	seen map[kind]*burst
}

type kind struct{ message, reason string }

type burst struct {
	written, held int
}

// New returns a Gate in front of next.
func New(next slog.Handler) *Gate {
	return &Gate{next, &bursts{seen: map[kind]*burst{}}}
}

// Enabled asks the handler behind.
func (h *Gate) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// WithAttrs and WithGroup count together with h.
func (h *Gate) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &Gate{h.next.WithAttrs(attrs), h.bursts}
}

// WithGroup is like WithAttrs.
func (h *Gate) WithGroup(name string) slog.Handler {
	return &Gate{h.next.WithGroup(name), h.bursts}
}

// Handle writes the record or counts it.
func (h *Gate) Handle(ctx context.Context, r slog.Record) error {
	reason, status := facts(r)
	if r.Message == "request" && status < http.StatusInternalServerError {
		return h.next.Handle(ctx, r) // the access log is complete
	}
	most := shown
	if reason == "OVERLOADED" || r.Message == "request" && status == http.StatusServiceUnavailable {
		most, r.Level = crowded, slog.LevelWarn
		if !h.next.Enabled(ctx, r.Level) {
			return nil
		}
	}
	if h.bursts.admit(kind{r.Message, reason}, most, func(held int) { h.tell(r, held) }) {
		return h.next.Handle(ctx, r)
	}
	return nil
}

// admit counts one of a kind and reports whether it is to be written. When the window of a kind is over, tell gets how many were not.
func (b *bursts) admit(k kind, most int, tell func(held int)) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	x := b.seen[k]
	if x == nil {
		if len(b.seen) >= kinds {
			return true
		}
		x = &burst{}
		b.seen[k] = x
		time.AfterFunc(window, func() {
			b.mu.Lock()
			delete(b.seen, k)
			held := x.held
			b.mu.Unlock()
			if held > 0 {
				tell(held)
			}
		})
	}
	if x.written < most {
		x.written++
		return true
	}
	x.held++
	return false
}

// tell writes how often a record came again, with what its first one said of message and reason.
func (h *Gate) tell(first slog.Record, held int) {
	r := slog.NewRecord(time.Now(), first.Level, first.Message, 0)
	if reason, _ := facts(first); reason != "" {
		r.AddAttrs(slog.String("reason", reason))
	}
	r.AddAttrs(slog.Int("more", held), slog.Duration("within", window))
	_ = h.next.Handle(context.Background(), r) // as any line of the log
}

// facts are what a record says of a refusal.
func facts(r slog.Record) (reason string, status int64) {
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "reason":
			reason = a.Value.String()
		case "status":
			if a.Value.Kind() == slog.KindInt64 {
				status = a.Value.Int64()
			}
		}
		return true
	})
	return reason, status
}
