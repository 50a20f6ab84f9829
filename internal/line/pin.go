package line

import (
	"context"
	"time"

	"parley/internal/conference"
	"parley/internal/line/pin"
	"parley/internal/room"
)

// identify asks the caller for the PIN of a conference that has one. Those who are called by us are known, and calls from here.
func (l *Line) identify(ctx context.Context, c *conference.Conference, j *conference.Join) error {
	if !c.AsksPIN() {
		return nil
	}
	if l.outbound != nil || l.tie != nil {
		j.Trusted = true
		return nil
	}
	gate := l.x.o.Rooms.Gate(c.ID)
	caller := pin.Caller{Keys: l.keys, Speak: l.speak, Go: l.helpers.Go}
	digits, err := caller.Ask(ctx, c.PIN == "", func(ctx context.Context, digits string) error {
		_, err := gate.Try(ctx, digits)
		return err
	})
	j.PIN, j.Trusted = digits, err == nil && digits == ""
	return err
}

// speak has the call hear a sentence, or a tone when there is no voice.
func (l *Line) speak(ctx context.Context, text string) error {
	s, err := l.voice().Tell(ctx, text)
	if err != nil {
		return l.ask(ctx, func() {
			if err = l.answer(ctx); err == nil {
				_ = l.sit() // keys are pressed there
			}
		})
	}
	return l.play(ctx, s, false)
}

// farewell tells the caller that it has not been let in, and why. It does not take long.
func (l *Line) farewell(ctx context.Context, seat *room.Seat) {
	text := pin.Farewell(seat.Cause(), seat.Refusal())
	if text == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_ = l.speak(ctx, text)
}
