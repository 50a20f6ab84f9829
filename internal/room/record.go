package room

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

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

func keyOf(id conference.ID) string { return "conference/" + string(id) }

// changeOf is what the store has to write for the events that lead from one state to the next. The conference's record is written
// when it, its count or its deadline has changed; speech and the like leave it alone.
func changeOf(version int64, from, to *conference.State, events []conference.Event) (*store.Change, error) {
	c := &store.Change{Key: keyOf(to.Conference.ID), Version: version, Names: nameChanges(&from.Conference, &to.Conference)}
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
	case e.Announcement != nil && e.Announcement.ConferencecallID != "":
		resource = e.Announcement.ConferencecallID
	case e.Notice != nil:
		resource = string(e.Notice.Participant)
	case e.Conference == nil && e.Recording != nil:
		resource = e.Recording.ID
	}
	return store.Event{
		ID: newID(), Type: e.Type, At: e.At, CustomerID: c.CustomerID, Conference: string(c.ID), Resource: resource, Data: data,
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

func creationError(err error, c *conference.Conference) error {
	switch {
	case errors.Is(err, store.ErrFenced):
		return fault.New(fault.Conflict, "ALREADY_EXISTS", "conference %s exists; choose another id or leave it out", c.ID)
	case fault.ReasonOf(err) == "ALREADY_EXISTS" && c.DialIn != "":
		return fault.New(fault.Conflict, "ALREADY_EXISTS", "dial_in %q is in use; choose another", c.DialIn)
	}
	return fmt.Errorf("create conference: %w", err)
}

// load reads the conference and who is in it.
func (r *room) load() error {
	ctx, cancel := context.WithTimeout(context.Background(), r.patience)
	defer cancel()
	v, changed, err := r.host.view(ctx, r.id)
	if err != nil {
		return err
	}
	r.state.Conference = v.Conference
	r.place = place{version: v.Version, changed: min(changed, v.Version), seq: v.Seq}
	if r.state.Participants, err = r.host.inside(ctx, r.id); err != nil {
		return fmt.Errorf("load conference: %w", err)
	}
	if r.state.Recordings, err = r.host.unfinished(ctx, r.id); err != nil {
		return fmt.Errorf("load conference: %w", err)
	}
	return nil
}

// unfinished returns the recordings of a conference that have not ended, in order of their creation.
func (h *Host) unfinished(ctx context.Context, id conference.ID) ([]tape.Recording, error) {
	var all []tape.Recording
	q := store.Query{Kind: store.Recording, Conference: string(id), Live: true, Deleted: true, Limit: pageSize}
	err := h.each(ctx, q, func(record store.Record) error {
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

// inside returns the participants of a conference that have not leaved, in order of their creation.
func (h *Host) inside(ctx context.Context, id conference.ID) ([]conference.Participant, error) {
	var all []conference.Participant
	q := store.Query{Kind: store.Conferencecall, Conference: string(id), Live: true, Limit: pageSize}
	err := h.each(ctx, q, func(record store.Record) error {
		var p conference.Participant
		if err := json.Unmarshal(record.Doc, &p); err != nil {
			return fmt.Errorf("read conferencecall %s: %w", record.ID, err)
		}
		all = append(all, p)
		return nil
	})
	slices.Reverse(all)
	return all, err
}

const pageSize = 1000

// each visits every record that the query finds, newest first.
func (h *Host) each(ctx context.Context, q store.Query, visit func(store.Record) error) error {
	for {
		page, err := h.o.Store.List(ctx, q)
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

// participant reads the record of a participant, whatever its state.
func (h *Host) participant(ctx context.Context, id conference.ParticipantID) (p conference.Participant, found bool, err error) {
	record, err := h.o.Store.Get(ctx, store.Conferencecall, string(id))
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

// view reads a conference as it stands in the store, and at which version its record was written. The version of the key comes first: what
// is written meanwhile by another owner makes the first append on it fail, and the room is loaded again.
func (h *Host) view(ctx context.Context, id conference.ID) (v View, changed int64, err error) {
	if v.Seq, v.Version, err = h.o.Store.Last(ctx, keyOf(id)); err != nil {
		return v, 0, fmt.Errorf("read conference: %w", err)
	}
	record, err := h.o.Store.Get(ctx, store.Conference, string(id))
	if err == nil {
		err = json.Unmarshal(record.Doc, &v.Conference)
	} else if fault.KindOf(err) == fault.NotFound {
		return v, 0, unknownConference()
	}
	if err != nil {
		return v, 0, fmt.Errorf("read conference %s: %w", id, err)
	}
	return v, record.Version, nil
}
