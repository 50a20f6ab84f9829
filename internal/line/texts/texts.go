// Package texts brings messages (SIP MESSAGE) from a phone into the conference that its call is in, and those of the others to it. It starts no
// goroutine.
package texts

import (
	"context"
	"fmt"
	"time"

	"parley/internal/fault"
)

// Chat takes messages and gives them; server adapts package chat to it.
type Chat interface {
	Post(ctx context.Context, conference, participant, contentType string, body []byte) error
	// Subscribe brings what others write for the participant, as plain texts with their writer, until cancel is called.
	Subscribe(conference, participant string) (texts <-chan string, cancel func())
}

// Seat is who writes, and is written to.
type Seat struct{ Conference, Participant string }

// Post takes a text of a phone. seat is nil for a call that is in no conference.
func Post(ctx context.Context, c Chat, seat *Seat, contentType string, body []byte) error {
	switch {
	case c == nil:
		return fault.New(fault.Denied, "CHAT_UNAVAILABLE", "this server takes no messages")
	case seat == nil:
		return fault.New(fault.Conflict, "CALL_NOT_IN_CONFERENCE", "the call is in no conference that could have a message")
	}
	if err := c.Post(ctx, seat.Conference, seat.Participant, contentType, body); err != nil {
		return fmt.Errorf("message in conference %s: %w", seat.Conference, err)
	}
	return nil
}

// wait is how long a phone may take to accept one message.
const wait = 10 * time.Second

// Phone takes messages; fault.Conflict says that it takes none.
type Phone interface {
	Message(ctx context.Context, contentType string, body []byte) error
}

// Relay brings messages to the phone, until left is closed or ctx ends. A phone that does not take messages gets no more of them: that is the error.
func Relay(ctx context.Context, c Chat, seat Seat, to Phone, left <-chan struct{}) error {
	texts, cancel := c.Subscribe(seat.Conference, seat.Participant)
	defer cancel()
	for {
		select {
		case text := <-texts:
			send, done := context.WithTimeout(ctx, wait)
			err := to.Message(send, "text/plain;charset=utf-8", []byte(text))
			done()
			if fault.KindOf(err) == fault.Conflict {
				return err
			}
		case <-left:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}
