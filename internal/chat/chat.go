// Package chat is what people write in conferences: messages with their rules, limits and readers. A message is written by its conference's owner,
// under the conference's key, so that none comes after the end. The package starts no goroutine; routes, sockets and phones are the doors' business.
package chat

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/store"
	"parley/internal/wall"
	"parley/internal/wire"
)

// Rooms is what chat asks of live conferences; *room.Host is one.
type Rooms interface {
	// Write commits the change that decide makes of the conference as it is, under the conference's key, between two of its own steps. decide gets the
	// version that the change's first event will have; it returns nil for no change. wrote is called right after the commit, before the next step, and must not wait.
	// A conference that does not exist is fault.NotFound, CONFERENCE_NOT_FOUND. An error means that nothing was written.
	Write(ctx context.Context, id conference.ID, decide func(s *conference.State, version int64) (*store.Change, error), wrote func()) error
}

// Limits of messages. Zero means the figure named here.
type Limits struct {
	Text          int // characters of one message; 4096
	PerSender     int // messages and edits of one writer in one conference in any minute; 60
	PerConference int // of all in one conference in any minute; 600
}

// Options of a Chat. Store and Rooms are needed.
type Options struct {
	Store  store.Store
	Rooms  Rooms
	Limits Limits
}

// Chat writes and reads the messages of all conferences. Its methods may be called from any goroutine.
type Chat struct {
	o     Options
	pace  pace
	watch watch
}

// New returns the chat of the conferences in a store.
func New(o Options) *Chat {
	o.Limits.Text = cmp.Or(o.Limits.Text, 4096)
	o.Limits.PerSender = cmp.Or(o.Limits.PerSender, 60)
	o.Limits.PerConference = cmp.Or(o.Limits.PerConference, 600)
	return &Chat{o: o}
}

// Post is a message to be written.
type Post struct {
	Conference conference.ID
	CustomerID string                     // whose conference it has to be; "" for the server itself, which knows its participants
	ID         string                     // "" for a new one; an id that has been used for this message writes nothing again
	From       conference.ParticipantID   // "" for the customer
	To         []conference.ParticipantID // who may read it; none for everybody
	ReplyTo    string                     // id of a message of the conference, "" for none
	Text       string
	Name       string // of who writes without being a participant, at most 255 characters

	Keep func(Message) (*store.Answer, error) // the answer to be kept with the message; nil for none
}

// Change is a message to be edited or deleted.
type Change struct {
	Conference conference.ID
	CustomerID string
	ID         string
	As         conference.ParticipantID // who changes it; "" for the customer, who may change all
	Text       string                   // of an edit
	Check      func(Message) error      // refuses a message that is not as expected; nil for none
}

// Post writes a message and returns it once it is committed. It refuses with INVALID_ARGUMENT (text, to, reply_to), CONFERENCE_NOT_FOUND,
// CONFERENCECALL_NOT_FOUND, CONFERENCECALL_LEAVED, MESSAGE_NOT_FOUND (reply_to), IDEMPOTENCY_KEY_REUSED (id), CONFERENCE_NOT_PROGRESSING, STATE_INVALID (the writer has not joined) and
// MESSAGE_RATE_EXCEEDED.
func (c *Chat) Post(ctx context.Context, p Post) (m Message, err error) {
	if m, err = c.draft(p); err != nil {
		return m, err
	}
	if err := c.members(ctx, m); err != nil {
		return m, err
	}
	var inside []conference.ParticipantID
	err = c.o.Rooms.Write(ctx, m.ConferenceID, func(s *conference.State, version int64) (*store.Change, error) {
		if err := owned(s, p.CustomerID); err != nil {
			return nil, err
		}
		if p.ID != "" {
			if old, known, err := c.known(ctx, m); known || err != nil {
				if err == nil && !m.again(&old) {
					err = fault.New(fault.Conflict, "IDEMPOTENCY_KEY_REUSED", "message %s is another one; give each message an id of its own", m.ID)
				}
				m = old
				return nil, err
			}
		}
		now := wall.Now()
		if m, err = write(s, m, moment(now)); err != nil {
			return nil, err
		}
		if err := c.replies(ctx, m); err != nil {
			return nil, err
		}
		if err := c.pace.take(m, c.o.Limits, now); err != nil {
			return nil, err
		}
		m.Order, inside = version, joined(s)
		change, err := changeOf(m, Created, m.Times.Created)
		if err == nil && p.Keep != nil {
			change.Answer, err = p.Keep(m)
		}
		return change, err
	}, func() { c.watch.tell(m, inside) })
	return m, err
}

// known returns the message that has been written under the id before.
func (c *Chat) known(ctx context.Context, m Message) (old Message, known bool, err error) {
	rec, err := c.o.Store.Get(ctx, store.Message, m.ID)
	switch {
	case fault.KindOf(err) == fault.NotFound:
		return m, false, nil
	case err != nil:
		return m, false, fmt.Errorf("read message: %w", err)
	case rec.Conference != string(m.ConferenceID):
		return m, false, fault.New(fault.Conflict, "ALREADY_EXISTS", "message %s is of another conference", m.ID)
	}
	old, err = read(rec)
	return old, true, err
}

// draft checks what can be checked without looking at anything.
func (c *Chat) draft(p Post) (m Message, err error) {
	if m, err = place(p.Conference, cmp.Or(p.ID, uuid.NewString())); err != nil {
		return m, err
	}
	if m.Text, err = clean(p.Text, c.o.Limits.Text); err != nil {
		return m, err
	}
	from, err := wire.OptionalUUID(string(p.From))
	if err != nil {
		return m, invalid("conferencecall_id: %v", err)
	}
	if err := wire.Text(p.Name, 255); err != nil {
		return m, invalid("name: %v", err)
	}
	if from == "" {
		m.Name = p.Name
	}
	if m.ReplyTo, err = wire.OptionalUUID(p.ReplyTo); err != nil {
		return m, invalid("reply_to: %v", err)
	}
	if len(p.To) > toMost {
		return m, invalid("to: it names %d participants; at most %d are kept", len(p.To), toMost)
	}
	for _, one := range p.To {
		id, err := wire.RequiredUUID(string(one))
		if err != nil {
			return m, invalid("to: %v", err)
		}
		if !slices.Contains(m.To, conference.ParticipantID(id)) {
			m.To = append(m.To, conference.ParticipantID(id))
		}
	}
	m.From = conference.ParticipantID(from)
	return m, nil
}

// place returns an empty message at its place.
func place(conferenceID conference.ID, id string) (m Message, err error) {
	known, ok := wire.ParseUUID(string(conferenceID))
	if !ok {
		return m, fault.New(fault.NotFound, "CONFERENCE_NOT_FOUND", "there is no such conference; check the id")
	}
	if id, ok = wire.ParseUUID(id); !ok {
		return m, unknown()
	}
	return Message{ID: id, ConferenceID: conference.ID(known)}, nil
}

// members refuses participants who never were in the conference; whether the others still are is for the rules.
func (c *Chat) members(ctx context.Context, m Message) error {
	who := m.To
	if m.From != "" {
		who = append([]conference.ParticipantID{m.From}, m.To...)
	}
	for _, id := range who {
		rec, err := c.o.Store.Get(ctx, store.Conferencecall, string(id))
		if err != nil && fault.KindOf(err) != fault.NotFound {
			return fmt.Errorf("read conferencecall: %w", err)
		}
		if err != nil || rec.Conference != string(m.ConferenceID) {
			return unknownParticipant(id)
		}
	}
	return nil
}

// replies refuses an answer to what its writer cannot read.
func (c *Chat) replies(ctx context.Context, m Message) error {
	if m.ReplyTo == "" {
		return nil
	}
	to, err := c.find(ctx, m.ConferenceID, m.ReplyTo)
	if err != nil {
		return err
	}
	if !to.Deleted.IsZero() || m.From != "" && !to.For(m.From) {
		return unknown()
	}
	return nil
}

// Edit replaces the text of a message and returns it once that is committed. It refuses with what Post does, and with MESSAGE_NOT_FOUND, MESSAGE_NOT_YOURS,
// MESSAGE_DELETED.
func (c *Chat) Edit(ctx context.Context, x Change) (Message, error) {
	text, err := clean(x.Text, c.o.Limits.Text)
	if err != nil {
		return Message{}, err
	}
	return c.change(ctx, x, Updated, func(s *conference.State, m Message, at time.Time) (Message, error) {
		old := m.Text
		m, err := edit(s, m, x.As, text, moment(at))
		if err == nil && m.Text != old {
			by := m
			by.From = x.As
			err = c.pace.take(by, c.o.Limits, at)
		}
		return m, err
	})
}

// Delete takes a message out of the lists and forgets its text, but for the log, which keeps what was said. It is possible after the end of the conference
// too; repeated, it changes nothing. It refuses with MESSAGE_NOT_FOUND and MESSAGE_NOT_YOURS.
func (c *Chat) Delete(ctx context.Context, x Change) (Message, error) {
	return c.change(ctx, x, Deleted, func(_ *conference.State, m Message, at time.Time) (Message, error) {
		return remove(m, x.As, moment(at))
	})
}

type decide func(s *conference.State, m Message, at time.Time) (Message, error)

func (c *Chat) change(ctx context.Context, x Change, kind string, decide decide) (m Message, err error) {
	where, err := place(x.Conference, x.ID)
	if err != nil {
		return m, err
	}
	as, err := wire.OptionalUUID(string(x.As))
	if err != nil {
		return m, invalid("conferencecall_id: %v", err)
	}
	if as != string(x.As) && x.As != "" { // one way of writing an id, so that ids can be compared
		x.As = conference.ParticipantID(as)
	}
	err = c.o.Rooms.Write(ctx, where.ConferenceID, func(s *conference.State, _ int64) (*store.Change, error) {
		if err := owned(s, x.CustomerID); err != nil {
			return nil, err
		}
		old, err := c.find(ctx, where.ConferenceID, where.ID)
		if err != nil {
			return nil, err
		}
		if x.Check != nil {
			if err := x.Check(old); err != nil {
				return nil, err
			}
		}
		at := wall.Now()
		if m, err = decide(s, old, at); err != nil || m.Times == old.Times {
			return nil, err
		}
		return changeOf(m, kind, moment(at))
	}, func() {})
	return m, err
}

// Get returns a message of a conference, also a deleted one, or MESSAGE_NOT_FOUND.
func (c *Chat) Get(ctx context.Context, conferenceID conference.ID, id string) (Message, error) {
	m, err := place(conferenceID, id)
	if err != nil {
		return m, err
	}
	return c.find(ctx, m.ConferenceID, m.ID)
}

func (c *Chat) find(ctx context.Context, conferenceID conference.ID, id string) (m Message, err error) {
	rec, err := c.o.Store.Get(ctx, store.Message, id)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return m, fmt.Errorf("read message: %w", err)
	}
	if err != nil || rec.Conference != string(conferenceID) {
		return m, unknown()
	}
	return read(rec)
}

func read(rec store.Record) (m Message, err error) {
	if err := json.Unmarshal(rec.Doc, &m); err != nil {
		return m, fmt.Errorf("read message %s: %w", rec.ID, err)
	}
	return m, nil
}

// owned hides the conferences of others.
func owned(s *conference.State, customer string) error {
	if customer != "" && customer != s.Conference.CustomerID {
		return fault.New(fault.NotFound, "CONFERENCE_NOT_FOUND", "there is no such conference; check the id")
	}
	return nil
}

// moment returns a time as the store keeps it.
func moment(at time.Time) time.Time { return at.UTC().Truncate(time.Microsecond) }

// changeOf is what the store has to write. Key and version are the conference's owner's.
func changeOf(m Message, kind string, at time.Time) (*store.Change, error) {
	doc, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("write message: %w", err)
	}
	data, err := m.Data()
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", kind, err)
	}
	return &store.Change{
		Records: []store.Record{{
			Kind: store.Message, ID: m.ID, CustomerID: m.CustomerID, Conference: string(m.ConferenceID), Reference: string(m.From),
			Created: m.Times.Created, Deleted: !m.Times.Deleted.IsZero(), Doc: doc,
		}},
		Events: []store.Event{{
			ID: uuid.NewString(), Type: kind, At: at, CustomerID: m.CustomerID, Conference: string(m.ConferenceID), Resource: m.ID, Data: data,
		}},
	}, nil
}
