package line

import (
	"context"
	"time"

	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/prompt"
	"parley/internal/room"
)

// How a PIN is typed: it ends with #, or when no key comes any more.
const (
	pinFirst = 10 * time.Second // for the first key, once the question has been heard
	pinNext  = 4 * time.Second  // for each one after it
	pinMost  = 32               // keys; more are not read
)

// identify asks the caller for the PIN of a conference that has one. Those who are called by us are known.
func (l *Line) identify(ctx context.Context, c *conference.Conference, j *conference.Join) error {
	if !c.AsksPIN() {
		return nil
	}
	if l.outbound != nil {
		j.Trusted = true
		return nil
	}
	gate := l.x.o.Rooms.Gate(c.ID)
	keys, back := l.keys.Instead()
	defer back()
	question := "Please enter the PIN, and then press the hash key."
	if c.PIN == "" {
		question = "If you are the moderator, enter your PIN. Then press the hash key."
	}
	for {
		digits, err := l.collect(ctx, keys, question)
		if err != nil {
			return err
		}
		_, err = gate.Try(ctx, digits)
		switch {
		case err == nil:
			j.PIN, j.Trusted = digits, digits == ""
			return nil
		case fault.ReasonOf(err) != "PIN_WRONG":
			_ = l.speak(ctx, "This PIN is not accepted. Goodbye.")
			return err
		}
		question = "That was not the right PIN. Please try again, and then press the hash key."
	}
}

// collect asks a question, which the first key cuts short, and returns the keys up to #.
func (l *Line) collect(ctx context.Context, keys <-chan byte, question string) (digits string, err error) {
	asking, quiet := context.WithCancel(ctx)
	defer quiet()
	asked := make(chan error, 1)
	l.helpers.Go(func() { asked <- l.speak(asking, question) })
	wait := time.NewTimer(time.Hour) // set once the question is over
	defer wait.Stop()
	for {
		select {
		case err := <-asked:
			if err != nil && asking.Err() == nil {
				return "", err
			}
			if digits == "" {
				wait.Reset(pinFirst)
			}
		case key := <-keys:
			quiet()
			if key == '#' {
				return digits, nil
			}
			if len(digits) < pinMost {
				digits += string(key)
			}
			wait.Reset(pinNext)
		case <-wait.C:
			return digits, nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// speak has the call hear a sentence, or a tone when there is no voice.
func (l *Line) speak(ctx context.Context, text string) error {
	var s prompt.Sound
	err := voiceless()
	if l.x.o.Prompts != nil {
		if s, err = l.x.o.Prompts.Say(ctx, prompt.Speech{Text: text, Language: "en-US"}); err != nil {
			s, err = l.x.o.Prompts.Tone("beep")
		}
	}
	if err != nil {
		return l.ask(ctx, func() {
			if err = l.answer(ctx); err == nil {
				_ = l.sit() // keys are pressed there
			}
		})
	}
	return l.play(ctx, s, false)
}

// refusals are what callers are told of the reasons why they were not let in.
var refusals = map[string]string{
	"CONFERENCE_LOCKED":          "This conference is locked. Goodbye.",
	"CONFERENCE_FULL":            "This conference is full. Goodbye.",
	"CONFERENCE_NOT_PROGRESSING": "This conference is over. Goodbye.",
}

// farewell tells the caller that it has not been let in, and why. It does not take long.
func (l *Line) farewell(ctx context.Context, seat *room.Seat) {
	text := ""
	switch seat.Cause() {
	case conference.LeftDenied:
		text = "You were not let into this conference. Goodbye."
	case conference.LeftRefused:
		if text = refusals[fault.ReasonOf(seat.Refusal())]; text == "" {
			text = "You cannot enter this conference. Goodbye."
		}
	default:
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_ = l.speak(ctx, text)
}
