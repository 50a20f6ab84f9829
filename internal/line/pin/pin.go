// Package pin asks callers for the PIN of a conference, and has the words for those who are not let in. It decides nothing, and borrows the goroutine that
// speaks while keys are pressed.
package pin

import (
	"context"
	"time"

	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/line/leg"
)

// How a PIN is typed: it ends with #, or when no key comes any more.
const (
	first = 10 * time.Second // for the first key, once the question has been heard
	next  = 4 * time.Second  // for each one after it
	most  = 32               // keys; more are not read
)

// Caller is who is asked.
type Caller struct {
	Keys  *leg.Keys
	Speak func(ctx context.Context, text string) error // returns when it has been heard
	Go    func(func())                                 // lends a goroutine
}

// Ask asks for a PIN until try takes it, and returns it, "" for none. moderators: it is asked for theirs only. The refusal PIN_WRONG has the caller asked again; another
// one is returned once the caller has been told.
func (c Caller) Ask(ctx context.Context, moderators bool, try func(ctx context.Context, digits string) error) (string, error) {
	keys, back := c.Keys.Instead()
	defer back()
	question := "Please enter the PIN, and then press the hash key."
	if moderators {
		question = "If you are the moderator, enter your PIN. Then press the hash key."
	}
	for {
		digits, err := c.collect(ctx, keys, question)
		if err != nil {
			return "", err
		}
		err = try(ctx, digits)
		switch {
		case err == nil:
			return digits, nil
		case fault.ReasonOf(err) != "PIN_WRONG":
			_ = c.Speak(ctx, "This PIN is not accepted. Goodbye.")
			return "", err
		}
		question = "That was not the right PIN. Please try again, and then press the hash key."
	}
}

// collect asks a question, which the first key cuts short, and returns the keys up to #.
func (c Caller) collect(ctx context.Context, keys <-chan byte, question string) (digits string, err error) {
	asking, quiet := context.WithCancel(ctx)
	defer quiet()
	asked := make(chan error, 1)
	c.Go(func() { asked <- c.Speak(asking, question) })
	wait := time.NewTimer(time.Hour) // set once the question is over
	defer wait.Stop()
	for {
		select {
		case err := <-asked:
			if err != nil && asking.Err() == nil {
				return "", err
			}
			if digits == "" {
				wait.Reset(first)
			}
		case key := <-keys:
			quiet()
			if key == '#' {
				return digits, nil
			}
			if len(digits) < most {
				digits += string(key)
			}
			wait.Reset(next)
		case <-wait.C:
			return digits, nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// refusals are what callers are told of the reasons why they were not let in.
var refusals = map[string]string{
	"CONFERENCE_LOCKED":          "This conference is locked. Goodbye.",
	"CONFERENCE_FULL":            "This conference is full. Goodbye.",
	"CONFERENCE_NOT_PROGRESSING": "This conference is over. Goodbye.",
}

// Farewell is what a caller hears that has not been let in, by the end of its participant and the conference's refusal; "" when it has been.
func Farewell(cause conference.LeaveReason, refusal error) string {
	switch cause {
	case conference.LeftDenied:
		return "You were not let into this conference. Goodbye."
	case conference.LeftRefused:
		if text := refusals[fault.ReasonOf(refusal)]; text != "" {
			return text
		}
		return "You cannot enter this conference. Goodbye."
	}
	return ""
}
