package server

import (
	"context"
	"strings"
	"sync"

	apichat "parley/internal/api/chat"
	"parley/internal/api/rest"
	"parley/internal/api/stream"
	"parley/internal/chat"
	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/sip"
	"parley/internal/wire"
)

// guests are what takes part in conferences without being a participant: messages, streams of sound.
type guests struct {
	chat    *chat.Chat
	streams *stream.Streams
}

// openChat makes the messages of conferences.
func (p *parts) openChat() {
	c := p.c.Chat
	p.guests.chat = chat.New(chat.Options{Store: p.store, Rooms: p.rooms, Limits: chat.Limits{
		Text: c.Text, PerSender: c.PerSender, PerConference: c.PerConference,
	}})
}

// openGuests makes the streams of sound and returns their routes and those of messages.
func (p *parts) openGuests() []rest.Route {
	p.guests.streams = stream.New(stream.Options{Store: p.store, Rooms: p.rooms, Calls: p.lines, Log: p.log, PerKey: p.c.API.MediaStreamsPerKey})
	return append(p.guests.streams.Routes(), apichat.New(p.guests.chat).Routes()...)
}

// texts is the chat as lines know it: what phones send and get.
type texts struct{ chat *chat.Chat }

// Post implements line.Chat.
func (t texts) Post(ctx context.Context, room, participant, contentType string, body []byte) error {
	text, err := chat.ReadBody(contentType, body)
	if err == nil {
		_, err = t.chat.Post(ctx, chat.Post{Conference: conference.ID(room), From: conference.ParticipantID(participant), Text: text})
	}
	return err
}

// message takes a text that came by SIP MESSAGE outside of any call, for a conference by its id or dial-in alias. Whose conference it is has to be proven, but
// in --dev.
func (p *parts) message(ctx context.Context, who sip.Identity, target, contentType string, body []byte) error {
	if who.CustomerID == "" && !p.c.Dev {
		return fault.New(fault.Unauthenticated, "AUTHENTICATION_REQUIRED", "messages to this address need the credentials of an extension")
	}
	text, err := chat.ReadBody(contentType, body)
	if err != nil {
		return err
	}
	id, ok := wire.ParseUUID(strings.TrimPrefix(target, "conference:"))
	if !ok {
		rec, err := p.store.Resolve(ctx, "dial_in", target)
		if err != nil {
			return err
		}
		id = rec.ID
	}
	_, err = p.guests.chat.Post(ctx, chat.Post{Conference: conference.ID(id), CustomerID: who.CustomerID, Name: who.Extension, Text: text})
	return err
}

// Subscribe implements line.Chat.
func (t texts) Subscribe(room, participant string) (<-chan string, func()) {
	messages, cancel := t.chat.Subscribe(conference.ID(room), conference.ParticipantID(participant))
	out, done := make(chan string), make(chan struct{})
	go func() {
		for {
			select {
			case m := <-messages:
				select {
				case out <- m.Line():
				case <-done:
					return
				}
			case <-done:
				return
			}
		}
	}()
	return out, sync.OnceFunc(func() { cancel(); close(done) })
}

// guestSamples are the figures of messages and streams of sound.
func (p *parts) guestSamples() []sample {
	c, s := p.guests.chat.Stats(), p.guests.streams.Stats()
	return []sample{
		gauge("message_readers", "Phones that get messages.", float64(c.Readers)),
		counter("messages_missed_total", "Messages that phones were too slow for.", c.Missed),
		gauge("media_streams", "Open streams of sound.", float64(s.Open)),
		counter("media_stream_frames_sent_total", "Frames sent to streams of sound.", int64(s.Sent)),
		counter("media_stream_frames_lost_total", "Frames that their clients were too slow for.", int64(s.Lost)),
		counter("media_stream_samples_dropped_total", "Samples that came faster than they could be played.", int64(s.Dropped)),
		counter("media_stream_gaps_total", "Times that what came in ran dry.", int64(s.Gaps)),
		counter("media_stream_slow_total", "Streams of sound that were closed because their clients were too slow.", s.Slow),
	}
}
