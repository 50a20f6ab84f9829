// Package early follows the callees of a call until one of them answers: that one rings, what they have to say before they answer, that they are gone.
// It starts no goroutine. What a caller is made to hear, and how, is the caller's business.
package early

import (
	"context"
	"time"

	"parley/internal/call"
)

// Kind is what has happened to a callee.
type Kind uint8

// The kinds. A callee tells each at most once, and none after Ended.
const (
	Rang     Kind = iota
	Sounding      // it may send sound although it has not answered
	Answered
	Ended
)

// MostNews is how many a callee has to tell at most.
const MostNews = 4

// News are of one callee.
type News[C comparable] struct {
	Callee C
	Kind   Kind
	Reason call.HangupReason // of Ended
}

// Caller is who has had the callees called.
type Caller[C comparable] interface {
	// Ring lets it know that somebody is being rung.
	Ring(ctx context.Context)
	// Sends tells whether sound of a callee that is Sounding has come.
	Sends(ctx context.Context, callee C) bool
	// Hear has it hear a callee, and only that one, until that is over.
	Hear(ctx context.Context, callee C)
}

// lookEvery is how often callees that may send sound are asked whether they do.
const lookEvery = 20 * time.Millisecond

// Wait returns who of n callees has answered first, or, when nobody has, why the last one is gone; it returns an error when ctx ends. Of those that send
// sound before they answer, the caller hears the first one, and when that is gone, the next.
func Wait[C comparable](ctx context.Context, n int, news <-chan News[C], caller Caller[C]) (winner C, reason call.HangupReason, err error) {
	w := waiting[C]{caller: caller}
	reason = call.NoAnswer
	look := time.NewTicker(lookEvery)
	look.Stop()
	defer look.Stop()
	for n > 0 {
		select {
		case f := <-news:
			if f.Kind == Answered {
				return f.Callee, "", nil
			}
			if f.Kind == Ended {
				reason, n = f.Reason, n-1
			}
			w.take(ctx, f)
			if look.Stop(); len(w.sounding) > 0 && !w.hears {
				look.Reset(lookEvery)
			}
		case <-look.C:
			if w.choose(ctx); w.hears {
				look.Stop()
			}
		case <-ctx.Done():
			return winner, "", ctx.Err()
		}
	}
	return winner, reason, nil
}

// waiting is what a caller knows of its callees.
type waiting[C comparable] struct {
	caller   Caller[C]
	rings    bool
	sounding []C  // that may send sound, in the order in which they have said so
	hears    bool // one of them, the first in the list
}

func (w *waiting[C]) take(ctx context.Context, f News[C]) {
	switch {
	case f.Kind == Rang && !w.rings && !w.hears: // whoever hears something already is not to hear ringing instead
		w.rings = true
		w.caller.Ring(ctx)
	case f.Kind == Sounding:
		w.sounding = append(w.sounding, f.Callee)
	case f.Kind == Ended:
		for i, c := range w.sounding {
			if c == f.Callee {
				w.hears = w.hears && i > 0
				w.sounding = append(w.sounding[:i], w.sounding[i+1:]...)
				return
			}
		}
	}
}

// choose has the caller hear the first one that sends sound.
func (w *waiting[C]) choose(ctx context.Context) {
	for i, c := range w.sounding {
		if w.caller.Sends(ctx, c) {
			w.sounding[0], w.sounding[i] = c, w.sounding[0]
			w.hears = true
			w.caller.Hear(ctx, c)
			return
		}
	}
}
