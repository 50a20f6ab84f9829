package line

import (
	"context"

	"parley/internal/line/texts"
)

// Chat takes messages and gives them.
type Chat = texts.Chat

// Message takes a text of the peer (SIP MESSAGE inside the dialog, RFC 3428) as a message in the conference that the call is in.
func (l *Line) Message(ctx context.Context, contentType string, body []byte) error {
	var seat *texts.Seat
	if c := l.chair.Load(); c != nil {
		seat = c.texts()
	}
	return texts.Post(ctx, l.x.o.Chat, seat, contentType, body)
}

func (c *chair) texts() *texts.Seat {
	return &texts.Seat{Conference: c.place.Conference, Participant: c.place.Participant}
}

// converse has the phone get the messages of the conference that it has come into.
func (l *Line) converse(c *chair) {
	if far, ok := l.far().(Live); ok && l.x.o.Chat != nil {
		l.helpers.Go(func() {
			if err := texts.Relay(l.life, l.x.o.Chat, *c.texts(), far, c.seat.Done()); err != nil {
				l.x.o.Log.Debug("messages not sent to a phone", "call", l.id, "error", err)
			}
		})
	}
}
