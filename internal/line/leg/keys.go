package leg

import (
	"context"
	"sync/atomic"
	"time"

	"parley/internal/loop"
	"parley/internal/recording/calls"
)

// keysMax is how many keys wait for somebody to collect them; more are lost.
const keysMax = 64

// Keys are what the caller presses, and whether it speaks. Its methods may be called from any goroutine.
type Keys struct {
	pressed chan byte
	to      atomic.Pointer[chan byte] // who gets them instead, nil for nobody
	speech  atomic.Pointer[chan loop.Fact]
	taped   atomic.Pointer[calls.Recording] // which a key may end
}

// NewKeys makes them; none have been pressed.
func NewKeys() *Keys { return &Keys{pressed: make(chan byte, keysMax)} }

// Pressed brings the keys; it is never closed.
func (k *Keys) Pressed() <-chan byte { return k.pressed }

// Listen passes on what happens in a booth, until that closes.
func (k *Keys) Listen(facts <-chan loop.Fact) {
	for f := range facts {
		switch f.Kind {
		case loop.DigitPressed:
			k.Press(f.Digit)
		case loop.SpeechStarted, loop.SpeechStopped:
			if to := k.speech.Load(); to != nil {
				select {
				case *to <- f:
				default: // who listens has heard enough
				}
			}
		}
	}
}

// Press takes a key. One that nobody has collected 64 others before is lost.
func (k *Keys) Press(digit byte) {
	if r := k.taped.Load(); r != nil {
		r.Key(digit)
	}
	to := k.pressed
	if other := k.to.Load(); other != nil {
		to = *other
	}
	select {
	case to <- digit:
	default:
	}
}

// Instead passes keys to a channel of its own until back is called.
func (k *Keys) Instead() (pressed <-chan byte, back func()) {
	c := make(chan byte, keysMax)
	k.to.Store(&c)
	return c, func() { k.to.CompareAndSwap(&c, nil) }
}

// Tell has keys end a recording, until Forget.
func (k *Keys) Tell(r *calls.Recording) { k.taped.Store(r) }

// Forget ends that, unless it is another recording by now.
func (k *Keys) Forget(r *calls.Recording) { k.taped.CompareAndSwap(r, nil) }

// What Greeting makes of a greeting: people say a word or two and wait, machines go on.
const (
	greetingMax  = 1800 * time.Millisecond // of speech, with a machine saying more
	greetingRest = 700 * time.Millisecond  // of silence after it, with a person waiting
	greetingWait = 5 * time.Second         // for a first word
)

// Greeting listens to who has answered, and tells person from machine by how long that goes on.
func (k *Keys) Greeting(ctx context.Context) (machine bool, err error) {
	facts := make(chan loop.Fact, 64)
	k.speech.Store(&facts)
	defer k.speech.CompareAndSwap(&facts, nil)
	wait := time.NewTimer(greetingWait)
	defer wait.Stop()
	for speaking := false; ; {
		select {
		case f := <-facts:
			speaking = f.Kind == loop.SpeechStarted
			if speaking {
				wait.Reset(greetingMax)
			} else {
				wait.Reset(greetingRest)
			}
		case <-wait.C:
			return speaking, nil
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}
