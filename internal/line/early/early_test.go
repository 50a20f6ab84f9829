package early_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/internal/call"
	"parley/internal/line/early"
)

// ear notes what a caller is made to hear.
type ear struct {
	heard []string
	sends map[string]time.Time // from when on
}

func (e *ear) Ring(context.Context) { e.heard = append(e.heard, "ring") }

func (e *ear) Sends(_ context.Context, callee string) bool {
	at, ok := e.sends[callee]
	return ok && !time.Now().Before(at)
}

func (e *ear) Hear(_ context.Context, callee string) { e.heard = append(e.heard, callee) }

func TestWait(t *testing.T) {
	const rang, sounding, answered, ended = early.Rang, early.Sounding, early.Answered, early.Ended
	type step struct {
		at     time.Duration
		callee string
		kind   early.Kind
	}
	for _, tt := range []struct {
		name    string
		callees int
		sends   map[string]time.Duration
		steps   []step
		heard   string
		winner  string
	}{
		{"rings once", 2, nil, []step{{1, "a", rang}, {2, "b", rang}, {3, "b", answered}}, "ring", "b"},
		{"nobody", 2, nil, []step{{1, "a", ended}, {2, "b", ended}}, "", ""},
		{"sound without ringing", 1, map[string]time.Duration{"a": 1}, []step{{1, "a", sounding}, {5, "a", answered}}, "a", "a"},
		{"ringing beside sound", 2, map[string]time.Duration{"a": 1}, []step{{1, "a", sounding}, {3, "b", rang}, {5, "b", answered}}, "a", "b"},
		{"sound that does not come", 1, nil, []step{{1, "a", rang}, {1, "a", sounding}, {5, "a", answered}}, "ring", "a"},
		{
			"the first that sends, not the first that may", 2,
			map[string]time.Duration{"a": 4, "b": 3},
			[]step{{1, "a", sounding}, {2, "b", sounding}, {9, "a", answered}},
			"b", "a",
		},
		{
			"the next when that is gone", 3,
			map[string]time.Duration{"a": 1, "b": 1, "c": 1},
			[]step{{1, "a", sounding}, {2, "b", sounding}, {3, "c", sounding}, {5, "c", ended}, {6, "a", ended}, {8, "b", ended}},
			"a b", "",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				e := &ear{sends: map[string]time.Time{}}
				for c, at := range tt.sends {
					e.sends[c] = begin.Add(at * time.Second)
				}
				news := make(chan early.News[string], 16)
				go func() {
					for _, s := range tt.steps {
						time.Sleep(time.Until(begin.Add(s.at * time.Second)))
						news <- early.News[string]{Callee: s.callee, Kind: s.kind, Reason: call.Busy}
					}
				}()
				winner, reason, err := early.Wait(t.Context(), tt.callees, news, e)
				if heard := strings.Join(e.heard, " "); heard != tt.heard || winner != tt.winner || err != nil {
					t.Errorf("heard %q, winner %q, %v", heard, winner, err)
				}
				if (reason == call.Busy) != (tt.winner == "") {
					t.Errorf("reason %q", reason)
				}
			})
		})
	}
}

func TestWaitIsGivenUp(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	news := make(chan early.News[string])
	e := &ear{}
	if _, _, err := early.Wait(ctx, 1, news, e); err == nil || !slices.Equal(e.heard, nil) {
		t.Errorf("%v, heard %q", err, e.heard)
	}
}
