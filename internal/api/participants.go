package api

import (
	"parley/internal/api/rest"
	"parley/internal/api/web"
	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/room"
	"parley/internal/store"
	"parley/internal/wall"
)

func (d *Door) participantRoutes() []rest.Route {
	on, off := true, false
	muted := func(v *bool) conference.ParticipantPatch { return conference.ParticipantPatch{Muted: v} }
	deaf := func(v *bool) conference.ParticipantPatch { return conference.ParticipantPatch{Deaf: v} }
	held := func(v *bool) conference.ParticipantPatch { return conference.ParticipantPatch{Held: v} }
	return []rest.Route{
		{Method: "GET", Path: "/conferencecalls", Do: d.listParticipants},
		{Method: "GET", Path: "/conferencecalls/{id}", Do: d.getParticipant},
		{Method: "PUT", Path: "/conferencecalls/{id}", Do: d.updateParticipant},
		{Method: "DELETE", Path: "/conferencecalls/{id}", Do: d.kickParticipant},
		{Method: "POST", Path: "/conferencecalls/{id}/supervise", Do: d.supervise},
		{Method: "POST", Path: "/conferencecalls/{id}/mute", Do: d.setParticipant(muted(&on))},
		{Method: "DELETE", Path: "/conferencecalls/{id}/mute", Do: d.setParticipant(muted(&off))},
		{Method: "POST", Path: "/conferencecalls/{id}/deaf", Do: d.setParticipant(deaf(&on))},
		{Method: "DELETE", Path: "/conferencecalls/{id}/deaf", Do: d.setParticipant(deaf(&off))},
		{Method: "POST", Path: "/conferencecalls/{id}/hold", Do: d.setParticipant(held(&on))},
		{Method: "DELETE", Path: "/conferencecalls/{id}/hold", Do: d.setParticipant(held(&off))},
	}
}

// participantPatch is the body of PUT /conferencecalls/{id}: what is absent or null keeps its value.
type participantPatch struct {
	Name     *string  `json:"name"`
	Role     *string  `json:"role"`
	Muted    *bool    `json:"muted"`
	Deaf     *bool    `json:"deaf"`
	Held     *bool    `json:"held"`
	Volume   *int     `json:"volume"`
	CanHear  *hearers `json:"can_hear"`
	CanSpeak *hearers `json:"can_speak"`
}

func (d *Door) listParticipants(r *rest.Request) (rest.Reply, error) {
	conferenceID, err := web.UUID(r.URL.Query(), "conference_id")
	if err != nil {
		return rest.Reply{}, err
	}
	return d.participantsWhere(r, store.Query{Conference: conferenceID})
}

func (d *Door) listParticipantsOf(r *rest.Request) (rest.Reply, error) {
	rec, err := r.Owned(store.Conference)
	if err != nil {
		return rest.Reply{}, err
	}
	return d.participantsWhere(r, store.Query{Conference: rec.ID})
}

// participantsWhere lists participants, those that have leaved too, by the filters that all lists of them have.
func (d *Door) participantsWhere(r *rest.Request, q store.Query) (rest.Reply, error) {
	var err error
	if q.Reference, err = web.UUID(r.URL.Query(), "reference_id"); err != nil {
		return rest.Reply{}, err
	}
	if q.Status, err = web.Choices(r.URL.Query(), "status", "joining", "joined", "leaving", "leaved"); err != nil {
		return rest.Reply{}, err
	}
	q.Kind = store.Conferencecall
	return r.List(q, func(rec store.Record) (any, error) {
		p, err := rest.Read[conference.Participant](rec)
		return d.control.Show(&p), err
	})
}

// listTalkers lists who speaks just now. It is a list like the others, without further pages.
func (d *Door) listTalkers(r *rest.Request) (rest.Reply, error) {
	rec, err := r.Owned(store.Conference)
	if err != nil {
		return rest.Reply{}, err
	}
	participants, err := d.present(r.Context(), conference.ID(rec.ID))
	if err != nil {
		return rest.Reply{}, err
	}
	out := rest.Page{Result: []any{}}
	for i := range participants {
		if participants[i].Speaking {
			out.Result = append(out.Result, d.control.Show(&participants[i]))
		}
	}
	return rest.Reply{Body: out}, nil
}

func (d *Door) participant(r *rest.Request) (p conference.Participant, version int64, err error) {
	rec, err := r.Owned(store.Conferencecall)
	if err != nil {
		return p, 0, err
	}
	_, version, err = d.o.Store.Last(r.Context(), conferenceKey(rec.Conference))
	if err != nil {
		return p, 0, err
	}
	if rec, err = r.Owned(store.Conferencecall); err != nil { // again: not older than the version
		return p, 0, err
	}
	p, err = rest.Read[conference.Participant](rec)
	return p, version, err
}

func (d *Door) getParticipant(r *rest.Request) (rest.Reply, error) {
	rec, err := r.Owned(store.Conferencecall)
	if err != nil {
		return rest.Reply{}, err
	}
	p, err := rest.Read[conference.Participant](rec)
	if err != nil {
		return rest.Reply{}, err
	}
	out, err := rest.Tagged(p.Resource())
	out.Body = d.control.Show(&p) // the tag is of what changes by a change
	return out, err
}

func (d *Door) updateParticipant(r *rest.Request) (rest.Reply, error) {
	var in participantPatch
	if err := r.Parse(&in); err != nil {
		return rest.Reply{}, err
	}
	return d.setParticipant(conference.ParticipantPatch{
		Name: in.Name, Role: (*conference.Role)(in.Role), Muted: in.Muted, Deaf: in.Deaf, Held: in.Held, Volume: in.Volume,
		CanHear: in.CanHear.list(), CanSpeak: in.CanSpeak.list(),
	})(r)
}

// setParticipant changes a participant that has not left.
func (d *Door) setParticipant(patch conference.ParticipantPatch) func(*rest.Request) (rest.Reply, error) {
	return func(r *rest.Request) (rest.Reply, error) {
		return d.commandParticipant(r, func(p conference.Participant) (conference.Command, error) {
			if gone(p) {
				return nil, fault.New(fault.Conflict, "CONFERENCECALL_LEAVED",
					"conferencecall %s has left or is leaving; it cannot be changed any more", p.ID)
			}
			return conference.Set{At: wall.Now().UTC(), ID: p.ID, Patch: patch}, nil
		})
	}
}

// kickParticipant asks a participant out; one that is on the way out already is left alone.
func (d *Door) kickParticipant(r *rest.Request) (rest.Reply, error) {
	left := func() (rest.Reply, bool) {
		p, _, err := d.participant(r)
		if err != nil || !gone(p) {
			return rest.Reply{}, false
		}
		out, err := rest.Tagged(p.Resource())
		return out, err == nil
	}
	if out, ok := left(); ok {
		return out, nil
	}
	out, err := d.commandParticipant(r, func(p conference.Participant) (conference.Command, error) {
		return conference.Kick{At: wall.Now().UTC(), ID: p.ID}, nil
	})
	if err != nil && fault.ReasonOf(err) != "VERSION_MISMATCH" {
		if out, ok := left(); ok { // between the look and the kick
			return out, nil
		}
	}
	return out, err
}

func gone(p conference.Participant) bool {
	return p.Status == conference.Leaving || p.Status == conference.Leaved
}

// commandParticipant carries out the command that decide makes for the participant that the path names.
func (d *Door) commandParticipant(r *rest.Request, decide func(conference.Participant) (conference.Command, error)) (rest.Reply, error) {
	p, version, err := d.participant(r)
	if err != nil {
		return rest.Reply{}, err
	}
	c, err := decide(p)
	if err != nil {
		return rest.Reply{}, err
	}
	view, err := d.do(r, p.ConferenceID, c, func(try int) (int64, error) {
		if try > 0 {
			if p, version, err = d.participant(r); err != nil {
				return 0, err
			}
		}
		return version, r.Match(p.Resource())
	})
	if err != nil {
		return rest.Reply{}, err
	}
	return d.participantReply(r, view)
}

func (d *Door) participantReply(r *rest.Request, v room.View) (rest.Reply, error) {
	if v.Participant != nil {
		return rest.Tagged(v.Participant.Resource())
	}
	return d.getParticipant(r) // gone from the room in the same step
}
