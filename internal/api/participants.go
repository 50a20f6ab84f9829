package api

import (
	"time"

	"parley/internal/api/web"
	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/room"
	"parley/internal/store"
)

func (d *Door) participantRoutes() []route {
	on, off := true, false
	muted := func(v *bool) conference.ParticipantPatch { return conference.ParticipantPatch{Muted: v} }
	deaf := func(v *bool) conference.ParticipantPatch { return conference.ParticipantPatch{Deaf: v} }
	held := func(v *bool) conference.ParticipantPatch { return conference.ParticipantPatch{Held: v} }
	return []route{
		{method: "GET", path: "/conferencecalls", do: d.listParticipants},
		{method: "GET", path: "/conferencecalls/{id}", do: d.getParticipant},
		{method: "PUT", path: "/conferencecalls/{id}", do: d.updateParticipant},
		{method: "DELETE", path: "/conferencecalls/{id}", do: d.kickParticipant},
		{method: "POST", path: "/conferencecalls/{id}/mute", do: d.setParticipant(muted(&on))},
		{method: "DELETE", path: "/conferencecalls/{id}/mute", do: d.setParticipant(muted(&off))},
		{method: "POST", path: "/conferencecalls/{id}/deaf", do: d.setParticipant(deaf(&on))},
		{method: "DELETE", path: "/conferencecalls/{id}/deaf", do: d.setParticipant(deaf(&off))},
		{method: "POST", path: "/conferencecalls/{id}/hold", do: d.setParticipant(held(&on))},
		{method: "DELETE", path: "/conferencecalls/{id}/hold", do: d.setParticipant(held(&off))},
	}
}

// participantPatch is the body of PUT /conferencecalls/{id}: what is absent or null keeps its value.
type participantPatch struct {
	Name     *string   `json:"name"`
	Role     *string   `json:"role"`
	Muted    *bool     `json:"muted"`
	Deaf     *bool     `json:"deaf"`
	Held     *bool     `json:"held"`
	Volume   *int      `json:"volume"`
	CanHear  *[]string `json:"can_hear"`
	CanSpeak *[]string `json:"can_speak"`
}

func (d *Door) listParticipants(r *request) (reply, error) {
	conferenceID, err := web.UUID(r.URL.Query(), "conference_id")
	if err != nil {
		return reply{}, err
	}
	return d.participantsWhere(r, store.Query{Conference: conferenceID})
}

func (d *Door) listParticipantsOf(r *request) (reply, error) {
	rec, err := d.owned(r, store.Conference)
	if err != nil {
		return reply{}, err
	}
	return d.participantsWhere(r, store.Query{Conference: rec.ID})
}

// participantsWhere lists participants, those that have leaved too, by the filters that all lists of them have.
func (d *Door) participantsWhere(r *request, q store.Query) (reply, error) {
	var err error
	if q.Reference, err = web.UUID(r.URL.Query(), "reference_id"); err != nil {
		return reply{}, err
	}
	if q.Status, err = web.Choices(r.URL.Query(), "status", "joining", "joined", "leaving", "leaved"); err != nil {
		return reply{}, err
	}
	q.Kind = store.Conferencecall
	return d.list(r, q, func(rec store.Record) (any, error) {
		p, err := read[conference.Participant](rec)
		return p.Resource(), err
	})
}

// listTalkers lists who speaks just now. It is a list like the others, without further pages.
func (d *Door) listTalkers(r *request) (reply, error) {
	rec, err := d.owned(r, store.Conference)
	if err != nil {
		return reply{}, err
	}
	participants, err := d.present(r.Context(), conference.ID(rec.ID))
	if err != nil {
		return reply{}, err
	}
	out := envelope{Result: []any{}}
	for i := range participants {
		if participants[i].Speaking {
			out.Result = append(out.Result, participants[i].Resource())
		}
	}
	return reply{body: out}, nil
}

func (d *Door) participant(r *request) (p conference.Participant, version int64, err error) {
	rec, err := d.owned(r, store.Conferencecall)
	if err != nil {
		return p, 0, err
	}
	_, version, err = d.o.Store.Last(r.Context(), conferenceKey(rec.Conference))
	if err != nil {
		return p, 0, err
	}
	if rec, err = d.owned(r, store.Conferencecall); err != nil { // again: not older than the version
		return p, 0, err
	}
	p, err = read[conference.Participant](rec)
	return p, version, err
}

func (d *Door) getParticipant(r *request) (reply, error) {
	rec, err := d.owned(r, store.Conferencecall)
	if err != nil {
		return reply{}, err
	}
	p, err := read[conference.Participant](rec)
	if err != nil {
		return reply{}, err
	}
	return tagged(p.Resource())
}

func (d *Door) updateParticipant(r *request) (reply, error) {
	var in participantPatch
	if err := web.Parse(r.body, &in); err != nil {
		return reply{}, err
	}
	switch {
	case in.CanHear != nil:
		return reply{}, unsupported("can_hear")
	case in.CanSpeak != nil:
		return reply{}, unsupported("can_speak")
	}
	return d.setParticipant(conference.ParticipantPatch{
		Name: in.Name, Role: (*conference.Role)(in.Role), Muted: in.Muted, Deaf: in.Deaf, Held: in.Held, Volume: in.Volume,
	})(r)
}

// setParticipant changes a participant that has not left.
func (d *Door) setParticipant(patch conference.ParticipantPatch) func(*request) (reply, error) {
	return func(r *request) (reply, error) {
		return d.commandParticipant(r, func(p conference.Participant) (conference.Command, error) {
			if gone(p) {
				return nil, fault.New(fault.Conflict, "CONFERENCECALL_LEAVED",
					"conferencecall %s has left or is leaving; it cannot be changed any more", p.ID)
			}
			return conference.Set{At: time.Now().UTC(), ID: p.ID, Patch: patch}, nil
		})
	}
}

// kickParticipant asks a participant out; one that is on the way out already is left alone.
func (d *Door) kickParticipant(r *request) (reply, error) {
	left := func() (reply, bool) {
		p, _, err := d.participant(r)
		if err != nil || !gone(p) {
			return reply{}, false
		}
		out, err := tagged(p.Resource())
		return out, err == nil
	}
	if out, ok := left(); ok {
		return out, nil
	}
	out, err := d.commandParticipant(r, func(p conference.Participant) (conference.Command, error) {
		return conference.Kick{At: time.Now().UTC(), ID: p.ID}, nil
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
func (d *Door) commandParticipant(r *request, decide func(conference.Participant) (conference.Command, error)) (reply, error) {
	p, version, err := d.participant(r)
	if err != nil {
		return reply{}, err
	}
	c, err := decide(p)
	if err != nil {
		return reply{}, err
	}
	view, err := d.do(r, p.ConferenceID, c, func(try int) (int64, error) {
		if try > 0 {
			if p, version, err = d.participant(r); err != nil {
				return 0, err
			}
		}
		return version, r.match(p.Resource())
	})
	if err != nil {
		return reply{}, err
	}
	return d.participantReply(r, view)
}

func (d *Door) participantReply(r *request, v room.View) (reply, error) {
	if v.Participant != nil {
		return tagged(v.Participant.Resource())
	}
	return d.getParticipant(r) // gone from the room in the same step
}
