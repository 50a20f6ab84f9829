package line

import (
	"context"
	"fmt"
	"time"

	"parley/internal/call"
	"parley/internal/fault"
	"parley/internal/line/callee"
)

// Refer dials somebody else for the peer (REFER, RFC 3515): the callee takes part in whatever conference the peer is in, and the peer may leave. It
// returns when the callee has answered, or why it has not. Replacing another dialog (RFC 3891) is refused.
func (l *Line) Refer(ctx context.Context, to, replaces string) error {
	if replaces != "" {
		return fault.New(fault.Denied, "REFER_UNSUPPORTED", "attended transfers are not taken; have the third party join the conference and hang up")
	}
	if l.inbound.d != nil && l.inbound.in.CustomerID == "" {
		return fault.New(fault.Denied, "REFER_DENIED", "only extensions and trunks may have somebody called")
	}
	c := l.chair.Load()
	if c == nil {
		return fault.New(fault.Conflict, "CALL_NOT_IN_CONFERENCE", "the call is in no conference that somebody could be brought into")
	}
	o := Order{
		CustomerID: l.customer, Source: l.sourceOr(call.Address{}), Destinations: []call.Address{callee.AddressOf(to, l.x.o.Local)},
		Join: &Joining{ConferenceID: c.place.Conference},
	}
	facts := make(chan race, 2)
	p, err := l.x.planOf(ctx, o)
	if err != nil {
		return err
	}
	callees, err := l.x.callees(ctx, o, o.Destinations[0])
	if err != nil {
		return err
	}
	out := l.x.outboundTo(o, callees[0])
	out.answered = func() { facts <- race{answered: true} }
	out.ended = func(c call.Call) { facts <- race{reason: c.HangupReason} }
	placed, err := l.x.dial(ctx, l.customer, p(), out)
	if err != nil {
		return err
	}
	l.x.o.Log.Info("call placed by REFER", "call", l.id, "placed", placed.id)
	select {
	case f := <-facts:
		if f.answered {
			return nil
		}
		return answerTo(f.reason)
	case <-ctx.Done():
		placed.press(ctx, nil)
		return ctx.Err()
	}
}

// answerTo is the refusal that a reason for a hangup stands for.
func answerTo(reason call.HangupReason) error {
	kind := fault.Unavailable
	if reason == call.Busy {
		kind = fault.Exhausted
	}
	return fault.New(kind, "CALLEE_UNAVAILABLE", "the callee has not answered (%s)", reason)
}

// Message takes a text of the peer (SIP MESSAGE inside the dialog, RFC 3428) as a message in the conference that the call is in.
func (l *Line) Message(ctx context.Context, contentType string, body []byte) error {
	c := l.chair.Load()
	switch {
	case l.x.o.Chat == nil:
		return fault.New(fault.Denied, "CHAT_UNAVAILABLE", "this server takes no messages")
	case c == nil:
		return fault.New(fault.Conflict, "CALL_NOT_IN_CONFERENCE", "the call is in no conference that could have a message")
	}
	if err := l.x.o.Chat.Post(ctx, c.place.Conference, c.place.Participant, contentType, body); err != nil {
		return fmt.Errorf("message in conference %s: %w", c.place.Conference, err)
	}
	return nil
}

// Chat takes messages and gives them; server adapts package chat to it.
type Chat interface {
	Post(ctx context.Context, conference, participant, contentType string, body []byte) error
	// Subscribe brings what others write for the participant, as plain texts with their writer, until cancel is called.
	Subscribe(conference, participant string) (texts <-chan string, cancel func())
}

// messageWait is how long a phone may take to accept one message.
const messageWait = 10 * time.Second

// relay brings the messages of the conference to the phone, until the call leaves it. A phone that does not take messages gets no more of them.
func (l *Line) relay(ctx context.Context, c *chair, far Live) {
	texts, cancel := l.x.o.Chat.Subscribe(c.place.Conference, c.place.Participant)
	defer cancel()
	for {
		select {
		case text := <-texts:
			send, done := context.WithTimeout(ctx, messageWait)
			err := far.Message(send, "text/plain;charset=utf-8", []byte(text))
			done()
			if err != nil {
				l.x.o.Log.Debug("message not sent to a phone", "call", l.id, "error", err)
				if fault.KindOf(err) == fault.Conflict {
					return
				}
			}
		case <-c.seat.Done():
			return
		case <-ctx.Done():
			return
		}
	}
}
