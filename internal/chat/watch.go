package chat

import (
	"slices"
	"sync"

	"parley/internal/conference"
)

// watcherMost is how many messages wait for a reader.
const watcherMost = 64

// watch tells live readers of new messages. The zero value is ready.
type watch struct {
	mu      sync.Mutex
	readers map[conference.ID]map[*reader]struct{}
	missed  int64
}

type reader struct {
	who  conference.ParticipantID
	mail chan Message
}

// Subscribe returns a channel that gets the new messages of a conference which this participant may read and did not write, in their order, from
// now on, and the function that ends it; the channel is not closed, and cancel may be called twice. Who has not joined yet gets only what names it; "" reads what is for everybody. Of a reader who is
// more than 64 messages behind, what comes is dropped and counted: it is in the log.
func (c *Chat) Subscribe(id conference.ID, who conference.ParticipantID) (messages <-chan Message, cancel func()) {
	w := &c.watch
	r := &reader{who, make(chan Message, watcherMost)}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.readers == nil {
		w.readers = map[conference.ID]map[*reader]struct{}{}
	}
	if w.readers[id] == nil {
		w.readers[id] = map[*reader]struct{}{}
	}
	w.readers[id][r] = struct{}{}
	return r.mail, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if delete(w.readers[id], r); len(w.readers[id]) == 0 {
			delete(w.readers, id)
		}
	}
}

// wants reports whether a message is for the reader. Who has not joined yet, or waits in the lobby, gets only what names it.
func (r *reader) wants(m *Message, inside []conference.ParticipantID) bool {
	switch {
	case r.who == "":
		return len(m.To) == 0
	case r.who == m.From:
		return false
	case len(m.To) > 0:
		return m.For(r.who)
	}
	return slices.Contains(inside, r.who)
}

// tell brings a message to its readers and never waits; inside are those who have joined.
func (w *watch) tell(m Message, inside []conference.ParticipantID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for r := range w.readers[m.ConferenceID] {
		if !r.wants(&m, inside) {
			continue
		}
		select {
		case r.mail <- m:
		default:
			w.missed++
		}
	}
}

// Stats of a Chat.
type Stats struct {
	Readers int   // live ones
	Missed  int64 // messages that readers were too slow for
}

// Stats returns a snapshot.
func (c *Chat) Stats() Stats {
	c.watch.mu.Lock()
	defer c.watch.mu.Unlock()
	s := Stats{Missed: c.watch.missed}
	for _, list := range c.watch.readers {
		s.Readers += len(list)
	}
	return s
}
