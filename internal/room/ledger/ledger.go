// Package ledger is how a conference stands in the store: what is to be written for its events, and how it is read again. It starts no goroutine; when
// something is written, and what of it is true of a room, is the room's business.
package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"parley/internal/conference"
	"parley/internal/conference/tape"
	"parley/internal/fault"
	"parley/internal/recording/deck"
	"parley/internal/store"
)

// The spaces of names that lead into a conference.
const (
	directSpace = "direct"
	dialInSpace = "dial_in"
)

// Key returns the key under which a conference is written.
func Key(id conference.ID) string { return "conference/" + string(id) }

// Change is what the store has to write for the events that lead from one state to the next. The conference's record is written
// when it, its count or its deadline has changed; speech and the like leave it alone.
func Change(version int64, from, to *conference.State, events []conference.Event) (*store.Change, error) {
	c := &store.Change{Key: Key(to.Conference.ID), Version: version, Made: true, Names: nameChanges(&from.Conference, &to.Conference)}
	whole := !from.NextDeadline().Equal(to.NextDeadline())
	latest := map[conference.ParticipantID]*conference.Participant{}
	recordings := map[string]*tape.Recording{}
	for _, e := range events {
		row, err := eventOf(&to.Conference, e)
		if err != nil {
			return nil, err
		}
		c.Events = append(c.Events, row)
		if e.Recording != nil {
			recordings[e.Recording.ID] = e.Recording
		}
		if e.Conference != nil || e.Announcement != nil {
			whole = true
		} else if e.Participant != nil && e.Type != conference.ConferencecallDigitReceived {
			latest[e.Participant.ID] = e.Participant
		}
	}
	if whole || from.Conference.Count != to.Conference.Count {
		record, err := conferenceRecord(to)
		if err != nil {
			return nil, err
		}
		c.Records = append(c.Records, record)
	}
	for _, e := range events {
		if e.Participant == nil || latest[e.Participant.ID] == nil {
			continue
		}
		record, err := participantRecord(latest[e.Participant.ID])
		if err != nil {
			return nil, err
		}
		c.Records = append(c.Records, record)
		delete(latest, e.Participant.ID)
	}
	for _, r := range recordings {
		record, err := deck.Record(r)
		if err != nil {
			return nil, err
		}
		c.Records = append(c.Records, record)
	}
	return c, nil
}

func eventOf(c *conference.Conference, e conference.Event) (store.Event, error) {
	data, err := e.Data()
	if err != nil {
		return store.Event{}, err
	}
	resource := string(c.ID)
	switch {
	case e.Participant != nil:
		resource = string(e.Participant.ID)
	case e.Announcement != nil:
		resource = e.Announcement.ID
	case e.Notice != nil:
		resource = e.Notice.Participant
	case e.Conference == nil && e.Recording != nil:
		resource = e.Recording.ID
	}
	return store.Event{
		ID: uuid.NewString(), Type: e.Type, At: e.At, CustomerID: c.CustomerID, Conference: string(c.ID), Resource: resource, Data: data,
	}, nil
}

func conferenceRecord(s *conference.State) (store.Record, error) {
	c := &s.Conference
	doc, err := json.Marshal(c)
	if err != nil {
		return store.Record{}, fmt.Errorf("write conference %s: %w", c.ID, err)
	}
	return store.Record{
		Kind: store.Conference, ID: string(c.ID), CustomerID: c.CustomerID, Status: string(c.Status), Type: string(c.Type),
		Live: c.Status != conference.Terminated, Created: c.Created, Deleted: !c.Deleted.IsZero(), Deadline: s.NextDeadline(), Doc: doc,
	}, nil
}

func participantRecord(p *conference.Participant) (store.Record, error) {
	doc, err := json.Marshal(p)
	if err != nil {
		return store.Record{}, fmt.Errorf("write conferencecall %s: %w", p.ID, err)
	}
	return store.Record{
		Kind: store.Conferencecall, ID: string(p.ID), CustomerID: p.CustomerID, Conference: string(p.ConferenceID),
		Reference: p.CallID, Status: string(p.Status), Live: p.Status != conference.Leaved, Created: p.Created, Doc: doc,
	}, nil
}

// nameChanges frees the names that the conference has no more and takes the new ones. It has names as long as it can be entered.
func nameChanges(from, to *conference.Conference) (out []store.Name) {
	for _, n := range []struct{ space, from, to string }{
		{directSpace, entry(from, from.DirectHash), entry(to, to.DirectHash)},
		{dialInSpace, entry(from, from.DialIn), entry(to, to.DialIn)},
	} {
		if n.from == n.to {
			continue
		}
		if n.from != "" {
			out = append(out, store.Name{Space: n.space, Value: n.from})
		}
		if n.to != "" {
			out = append(out, store.Name{Space: n.space, Value: n.to, Kind: store.Conference, ID: string(to.ID)})
		}
	}
	return out
}

func entry(c *conference.Conference, name string) string {
	if c.Status == conference.Starting || c.Status == conference.Progressing {
		return name
	}
	return ""
}

// Unfinished returns the recordings of a conference that have not ended, in order of their creation.
func Unfinished(ctx context.Context, st store.Store, id conference.ID) ([]tape.Recording, error) {
	var all []tape.Recording
	q := store.Query{Kind: store.Recording, Conference: string(id), Live: true, Deleted: true, Limit: PageSize}
	err := Each(ctx, st, q, func(record store.Record) error {
		var r tape.Recording
		if err := json.Unmarshal(record.Doc, &r); err != nil {
			return fmt.Errorf("read recording %s: %w", record.ID, err)
		}
		all = append(all, r)
		return nil
	})
	slices.Reverse(all)
	return all, err
}

// Inside returns the participants of a conference that have not leaved, in order of their creation.
func Inside(ctx context.Context, st store.Store, id conference.ID) ([]*conference.Participant, error) {
	var all []*conference.Participant
	q := store.Query{Kind: store.Conferencecall, Conference: string(id), Live: true, Limit: PageSize}
	err := Each(ctx, st, q, func(record store.Record) error {
		var p conference.Participant
		if err := json.Unmarshal(record.Doc, &p); err != nil {
			return fmt.Errorf("read conferencecall %s: %w", record.ID, err)
		}
		all = append(all, &p)
		return nil
	})
	slices.Reverse(all)
	return all, err
}

// PageSize is a good Limit for Each.
const PageSize = 1000

// Each visits every record that the query finds, newest first.
func Each(ctx context.Context, st store.Store, q store.Query, visit func(store.Record) error) error {
	for {
		page, err := st.List(ctx, q)
		if err != nil {
			return err
		}
		for _, record := range page {
			if err := visit(record); err != nil {
				return err
			}
		}
		if len(page) < q.Limit {
			return nil
		}
		last := page[len(page)-1]
		q.Before = store.Cursor{Created: last.Created, ID: last.ID}
	}
}

// Participant reads the record of a participant, whatever its state.
func Participant(ctx context.Context, st store.Store, id conference.ParticipantID) (p conference.Participant, found bool, err error) {
	record, err := st.Get(ctx, store.Conferencecall, string(id))
	if err == nil {
		err = json.Unmarshal(record.Doc, &p)
	} else if fault.KindOf(err) == fault.NotFound {
		return p, false, nil
	}
	if err != nil {
		return p, false, fmt.Errorf("read conferencecall %s: %w", id, err)
	}
	return p, true, nil
}

// Standing is a conference as it stands in the store.
type Standing struct {
	Conference conference.Conference
	Version    int64 // of its key
	Changed    int64 // of its key, when its record was written
	Seq        int64 // of the last entry of its log
}

// Read reads a conference; unknown ones are CONFERENCE_NOT_FOUND. The version of the key comes first: what is written meanwhile by another owner
// makes the first append on it fail, and the room is loaded again.
func Read(ctx context.Context, st store.Store, id conference.ID) (s Standing, err error) {
	if s.Seq, s.Version, err = st.Last(ctx, Key(id)); err != nil {
		return s, fmt.Errorf("read conference: %w", err)
	}
	record, err := st.Get(ctx, store.Conference, string(id))
	if err == nil {
		err = json.Unmarshal(record.Doc, &s.Conference)
	} else if fault.KindOf(err) == fault.NotFound {
		return s, fault.New(fault.NotFound, "CONFERENCE_NOT_FOUND", "there is no such conference; check the id")
	}
	if err != nil {
		return s, fmt.Errorf("read conference %s: %w", id, err)
	}
	s.Changed = record.Version
	return s, nil
}
