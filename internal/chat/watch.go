package chat

import (
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
// now on, and the function that ends it; the channel is not closed, and cancel may be called twice. "" reads what is for everybody. Of a reader who is
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

// tell never waits.
func (w *watch) tell(m Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for r := range w.readers[m.ConferenceID] {
		if r.who != "" && r.who == m.From || !m.For(r.who) || r.who == "" && len(m.To) > 0 {
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
