package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"parley/internal/api/rest"
	"parley/internal/api/web"
	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/room"
	"parley/internal/store"
	"parley/internal/wall"
	"parley/internal/wire"
)

// raceMax bounds how often a change with If-Match is tried again because the conference moved on without the resource changing.
const raceMax = 16

func (d *Door) conferenceRoutes() []rest.Route {
	return []rest.Route{
		{Method: "GET", Path: "/conferences", Do: d.listConferences},
		{Method: "POST", Path: "/conferences", Do: d.createConference},
		{Method: "GET", Path: "/conferences/{id}", Do: d.getConference},
		{Method: "PUT", Path: "/conferences/{id}", Do: d.updateConference},
		{Method: "DELETE", Path: "/conferences/{id}", Do: d.deleteConference},
		{Method: "POST", Path: "/conferences/{id}/terminate", Do: d.terminateConference},
		{Method: "POST", Path: "/conferences/{id}/direct-hash-regenerate", Do: d.regenerateConferenceHash},
		{Method: "POST", Path: "/conferences/{id}/lock", Do: d.lockConference},
		{Method: "POST", Path: "/conferences/{id}/unlock", Do: d.now(func(at time.Time) conference.Command { return conference.Unlock{At: at} })},
		{Method: "POST", Path: "/conferences/{id}/mute", Do: d.now(func(at time.Time) conference.Command { return conference.MuteAll{At: at, Muted: true} })},
		{Method: "POST", Path: "/conferences/{id}/unmute", Do: d.now(func(at time.Time) conference.Command { return conference.MuteAll{At: at} })},
		{Method: "POST", Path: "/conferences/{id}/admit", Do: d.choose(func(at time.Time, id conference.ParticipantID, all bool) conference.Command {
			return conference.Admit{At: at, ID: id, All: all}
		})},
		{Method: "POST", Path: "/conferences/{id}/deny", Do: d.choose(func(at time.Time, id conference.ParticipantID, all bool) conference.Command {
			return conference.Deny{At: at, ID: id, All: all}
		})},
		{Method: "GET", Path: "/conferences/{id}/conferencecalls", Do: d.listParticipantsOf},
		{Method: "GET", Path: "/conferences/{id}/talkers", Do: d.listTalkers},
		{Method: "GET", Path: "/conferences/{id}/events", Do: d.listEventsOf},
	}
}

// conferenceState is a conference in answers about one conference: with the log position that it reflects.
type conferenceState struct {
	conference.Resource
	LastSeq int64 `json:"last_seq"`
}

// stateReply tags the conference without its position, which moves on with every word that somebody says.
func stateReply(c *conference.Conference, seq int64) (rest.Reply, error) {
	resource := c.Resource()
	tag, err := rest.ETag(resource)
	return rest.Reply{Body: conferenceState{resource, seq}, ETag: tag}, err
}

func (d *Door) listConferences(r *rest.Request) (rest.Reply, error) {
	types, err := web.Choices(r.URL.Query(), "type", "conference", "connect", "all")
	if err != nil {
		return rest.Reply{}, err
	}
	switch {
	case len(types) == 0:
		types = []string{string(conference.Standard)} // what the original lists
	case slices.Contains(types, "all"):
		types = nil
	}
	return r.List(store.Query{Kind: store.Conference, Type: types}, func(rec store.Record) (any, error) {
		c, err := rest.Read[conference.Conference](rec)
		return c.Resource(), err
	})
}

// conference returns the conference that the path names, with the version of its key and a log position that it reflects or is newer than.
func (d *Door) conference(r *rest.Request) (c conference.Conference, version, seq int64, err error) {
	id, err := r.ID()
	if err != nil {
		return c, 0, 0, err
	}
	return d.conferenceByID(r, id)
}

func (d *Door) conferenceByID(r *rest.Request, id string) (c conference.Conference, version, seq int64, err error) {
	// The position first: events between the two reads are then told again, never missed.
	seq, version, err = d.o.Store.Last(r.Context(), conferenceKey(id))
	if err != nil {
		return c, 0, 0, fmt.Errorf("read position of conference: %w", err)
	}
	rec, err := r.OwnedByID(store.Conference, id)
	if err != nil {
		return c, 0, 0, err
	}
	c, err = rest.Read[conference.Conference](rec)
	return c, version, seq, err
}

func conferenceKey(id string) string { return "conference/" + id }

func (d *Door) getConference(r *rest.Request) (rest.Reply, error) {
	if r.URL.Query().Get("at") != "" {
		return d.history.At(r)
	}
	c, _, seq, err := d.conference(r)
	if err != nil {
		return rest.Reply{}, err
	}
	return stateReply(&c, seq)
}

func (d *Door) createConference(r *rest.Request) (rest.Reply, error) {
	var in newConference
	if err := r.Parse(&in); err != nil {
		return rest.Reply{}, err
	}
	settings, err := in.settings()
	if err != nil {
		return rest.Reply{}, err
	}
	c := conference.Create{
		At: wall.Now().UTC(), CustomerID: r.CustomerID, Type: conference.Type(in.Type), Settings: settings, DirectHash: newDirectHash(),
	}
	chosen := in.ID != "" && in.ID != wire.NilUUID
	if id, ok := wire.ParseUUID(in.ID); chosen && !ok {
		return rest.Reply{}, fault.New(fault.Invalid, "INVALID_ID", "id: it is not a UUID; leave it out to get one")
	} else if c.ID = conference.ID(id); !chosen {
		c.ID = conference.ID(r.NewID())
	}
	view, err := d.o.Rooms.Create(r.Context(), c)
	if err == nil {
		return stateReply(&view.Conference, view.Seq)
	}
	if r.Repeatable() && !chosen && fault.ReasonOf(err) == "ALREADY_EXISTS" {
		// The id is made from the key: this very request has made it before, and died before it could answer.
		if made, _, seq, known := d.conferenceByID(r, string(c.ID)); known == nil {
			return stateReply(&made, seq)
		}
	}
	return rest.Reply{}, err
}

func (d *Door) updateConference(r *rest.Request) (rest.Reply, error) {
	var in conferencePatch
	if err := r.Parse(&in); err != nil {
		return rest.Reply{}, err
	}
	patch, err := in.patch()
	if err != nil {
		return rest.Reply{}, err
	}
	return d.command(r, conference.Update{At: wall.Now().UTC(), Patch: patch})
}

func (d *Door) deleteConference(r *rest.Request) (rest.Reply, error) {
	return d.command(r, conference.Terminate{At: wall.Now().UTC(), Delete: true})
}

func (d *Door) terminateConference(r *rest.Request) (rest.Reply, error) {
	return d.command(r, conference.Terminate{At: wall.Now().UTC()})
}

func (d *Door) regenerateConferenceHash(r *rest.Request) (rest.Reply, error) {
	return d.command(r, conference.SetDirectHash{At: wall.Now().UTC(), Hash: newDirectHash()})
}

func (d *Door) lockConference(r *rest.Request) (rest.Reply, error) {
	locked := conference.Locked
	return d.command(r, conference.Update{At: wall.Now().UTC(), Patch: conference.Patch{Admission: &locked}})
}

// command carries out a command on the conference that the path names.
func (d *Door) command(r *rest.Request, c conference.Command) (rest.Reply, error) {
	now, version, _, err := d.conference(r)
	if err != nil {
		return rest.Reply{}, err
	}
	view, err := d.do(r, now.ID, c, func(try int) (int64, error) {
		if try > 0 {
			if now, version, _, err = d.conference(r); err != nil {
				return 0, err
			}
		}
		return version, r.Match(now.Resource())
	})
	if err != nil {
		return rest.Reply{}, err
	}
	return stateReply(&view.Conference, view.Seq)
}

// do carries out a command. With If-Match, check returns the version on which it found the resource as the client knows it; a version that has moved on
// meanwhile is checked again, because most changes of a conference are of other things than this resource.
func (d *Door) do(r *rest.Request, id conference.ID, c conference.Command, check func(try int) (version int64, err error)) (v room.View, err error) {
	o := room.DoOptions{CustomerID: r.CustomerID}
	for try := range raceMax {
		if r.Conditional() {
			if o.IfVersion, err = check(try); err != nil {
				return v, err
			}
		}
		v, err = d.o.Rooms.Do(r.Context(), id, c, o)
		if !r.Conditional() || fault.ReasonOf(err) != "VERSION_MISMATCH" {
			break
		}
	}
	return v, err
}

// now makes the handler of a command that is the same for each request.
func (d *Door) now(c func(at time.Time) conference.Command) func(*rest.Request) (rest.Reply, error) {
	return func(r *rest.Request) (rest.Reply, error) { return d.command(r, c(wall.Now().UTC())) }
}

// chosen is the body of admit and deny.
type chosen struct {
	ID  string `json:"conferencecall_id"`
	All bool   `json:"all"`
}

// choose makes the handler of a command about one participant that waits, or all.
func (d *Door) choose(c func(at time.Time, id conference.ParticipantID, all bool) conference.Command) func(*rest.Request) (rest.Reply, error) {
	return func(r *rest.Request) (rest.Reply, error) {
		if _, err := r.Owned(store.Conference); err != nil {
			return rest.Reply{}, err
		}
		var in chosen
		if err := r.Parse(&in); err != nil {
			return rest.Reply{}, err
		}
		id, ok := wire.ParseUUID(in.ID)
		if in.All == (in.ID != "") || !in.All && !ok {
			return rest.Reply{}, fault.New(fault.Invalid, "INVALID_ARGUMENT", "name one: a conferencecall_id, or all: true")
		}
		return d.command(r, c(wall.Now().UTC(), conference.ParticipantID(id), in.All))
	}
}

// present returns the participants that have not leaved.
func (d *Door) present(ctx context.Context, id conference.ID) (all []conference.Participant, err error) {
	q := store.Query{Kind: store.Conferencecall, Conference: string(id), Live: true, Limit: 1000}
	for {
		records, err := d.o.Store.List(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("list participants: %w", err)
		}
		for _, rec := range records {
			p, err := rest.Read[conference.Participant](rec)
			if err != nil {
				return nil, err
			}
			all = append(all, p)
		}
		if len(records) < q.Limit {
			return all, nil
		}
		last := records[len(records)-1]
		q.Before = store.Cursor{Created: last.Created, ID: last.ID}
	}
}

// newDirectHash returns 12 random hex digits.
func newDirectHash() string {
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
