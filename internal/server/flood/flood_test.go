package flood

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// lines is what was written.
type lines struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.String()
}

func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lines
		log := slog.New(New(slog.NewTextHandler(&out, nil)))
		count := func(what string) int { return strings.Count(out.String(), what) }
		for range 500 {
			log.Error("request", "status", 503, "reason", "OVERLOADED")
			log.Info("request", "status", 200)
			log.With("a", 1).Info("call refused", "reason", "RATE_LIMITED")
		}
		log.Info("call refused", "reason", "CONFERENCE_NOT_FOUND")
		if count("level=ERROR") != 0 || count("OVERLOADED") != 1 || count("level=WARN") != 1 {
			t.Errorf("refusals for want of room:\n%.2000s", out.String())
		}
		if count("status=200") != 500 || count("RATE_LIMITED") != shown || count("CONFERENCE_NOT_FOUND") != 1 {
			t.Errorf("%d requests, %d refusals, %d of another kind", count("status=200"), count("RATE_LIMITED"), count("CONFERENCE_NOT_FOUND"))
		}
		time.Sleep(window + time.Second)
		synctest.Wait()
		if count("reason=OVERLOADED more=499") != 1 || count("reason=RATE_LIMITED more=480") != 1 || count("more=") != 2 {
			t.Errorf("the counts:\n%s", out.String()[max(0, len(out.String())-1000):])
		}
		log.Info("call refused", "reason", "RATE_LIMITED")
		if count("RATE_LIMITED") != shown+2 {
			t.Error("a new burst is not shown")
		}
		for range 9 {
			log.Info("call refused", "reason", "OVERLOADED")
		}
		if count("level=WARN") != 3 { // a burst before, its count, and this
			t.Errorf("calls without room:\n%s", out.String()[max(0, len(out.String())-1000):])
		}
		log.Error("request", "status", 500)
		if count("level=ERROR") != 1 {
			t.Error("an error of the server is not shown as one")
		}
		time.Sleep(window + time.Second)
	})
}
