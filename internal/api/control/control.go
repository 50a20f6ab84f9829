// Package control is the routes by which somebody acts on who is in a conference just now: announcements to all or to one, moving a participant, and how
// the audio of each does. What they do is the rooms' business; here is only how it is asked for. It starts no goroutine.
package control

import (
	"context"

	"parley/internal/api/rest"
	"parley/internal/conference"
	"parley/internal/conference/announcement"
	"parley/internal/fault"
	"parley/internal/room"
	"parley/internal/store"
	"parley/internal/wire"
)

// Rooms is what the routes ask of live conferences; *room.Host is one.
type Rooms interface {
	Announce(ctx context.Context, id conference.ID, a announcement.Announcement, o room.DoOptions) (announcement.Announcement, error)
	StopAnnouncements(ctx context.Context, id conference.ID, participant conference.ParticipantID, o room.DoOptions) (int, error)
	Move(ctx context.Context, from conference.ID, who conference.ParticipantID, to conference.ID, o room.DoOptions) (room.View, error)
	Live(id conference.ParticipantID) (room.Live, bool)
}

// Control are the routes on live conferences.
type Control struct{ rooms Rooms }

// New returns the routes on rooms.
func New(rooms Rooms) *Control { return &Control{rooms} }

// Routes returns them.
func (c *Control) Routes() []rest.Route {
	return []rest.Route{
		{Method: "POST", Path: "/conferences/{id}/talk", Do: c.announce(store.Conference, announcement.Talk)},
		{Method: "POST", Path: "/conferences/{id}/play", Do: c.announce(store.Conference, announcement.Play)},
		{Method: "POST", Path: "/conferences/{id}/stop_playing", Do: c.stop},
		{Method: "POST", Path: "/conferencecalls/{id}/talk", Do: c.announce(store.Conferencecall, announcement.Talk)},
		{Method: "POST", Path: "/conferencecalls/{id}/play", Do: c.announce(store.Conferencecall, announcement.Play)},
		{Method: "POST", Path: "/conferencecalls/{id}/move", Do: c.move},
	}
}

// words is the body of talk and play.
type words struct {
	Text             string   `json:"text"`
	Language         string   `json:"language"`
	Provider         string   `json:"provider"`
	VoiceID          string   `json:"voice_id"`
	StreamURLs       []string `json:"stream_urls"`
	URL              string   `json:"url"`
	Repeat           bool     `json:"repeat"`
	Volume           int      `json:"volume"`
	ConferencecallID string   `json:"conferencecall_id"`
}

func (w *words) announcement(kind announcement.Kind) announcement.Announcement {
	a := announcement.Announcement{Kind: kind, ConferencecallID: w.ConferencecallID, Repeat: w.Repeat, Volume: w.Volume}
	if kind == announcement.Talk {
		a.Voice = announcement.Voice{Text: w.Text, Language: w.Language, Provider: w.Provider, VoiceID: w.VoiceID}
		return a
	}
	if a.URLs = w.StreamURLs; w.URL != "" {
		a.URLs = append([]string{w.URL}, w.StreamURLs...)
	}
	return a
}

// announce makes the handler for announcements to a conference or to a participant, as the path names it.
func (c *Control) announce(to store.Kind, kind announcement.Kind) func(*rest.Request) (rest.Reply, error) {
	return func(r *rest.Request) (rest.Reply, error) {
		rec, err := r.Owned(to)
		if err != nil {
			return rest.Reply{}, err
		}
		var in words
		if err := r.Parse(&in); err != nil {
			return rest.Reply{}, err
		}
		a, id := in.announcement(kind), rec.ID
		if to == store.Conferencecall {
			a.ConferencecallID, id = rec.ID, rec.Conference
		}
		a.ID = r.NewID()
		a, err = c.rooms.Announce(r.Context(), conference.ID(id), a, room.DoOptions{CustomerID: r.CustomerID})
		return rest.Reply{Body: a.Resource()}, err
	}
}

func (c *Control) stop(r *rest.Request) (rest.Reply, error) {
	rec, err := r.Owned(store.Conference)
	if err != nil {
		return rest.Reply{}, err
	}
	var in struct {
		ConferencecallID string `json:"conferencecall_id"`
	}
	if len(r.Body) > 0 {
		if err := r.Parse(&in); err != nil {
			return rest.Reply{}, err
		}
	}
	who, err := wire.OptionalUUID(in.ConferencecallID)
	if err != nil {
		return rest.Reply{}, fault.New(fault.Invalid, "INVALID_ARGUMENT", "conferencecall_id: %v", err)
	}
	n, err := c.rooms.StopAnnouncements(r.Context(), conference.ID(rec.ID), conference.ParticipantID(who), room.DoOptions{CustomerID: r.CustomerID})
	return rest.Reply{Body: map[string]int{"stopped": n}}, err
}

func (c *Control) move(r *rest.Request) (rest.Reply, error) {
	rec, err := r.Owned(store.Conferencecall)
	if err != nil {
		return rest.Reply{}, err
	}
	var in struct {
		ConferenceID string `json:"conference_id"`
	}
	if err := r.Parse(&in); err != nil {
		return rest.Reply{}, err
	}
	to, ok := wire.ParseUUID(in.ConferenceID)
	if !ok {
		return rest.Reply{}, fault.New(fault.Invalid, "INVALID_ARGUMENT", "conference_id: it names the other conference")
	}
	if _, err := r.OwnedByID(store.Conference, to); err != nil {
		return rest.Reply{}, err
	}
	o := room.DoOptions{CustomerID: r.CustomerID}
	v, err := c.rooms.Move(r.Context(), conference.ID(rec.Conference), conference.ParticipantID(rec.ID), conference.ID(to), o)
	if err != nil {
		return rest.Reply{}, err
	}
	return rest.Tagged(v.Participant.Resource())
}

// Shown is a participant with what its audio does just now, which no event tells.
type Shown struct {
	conference.ParticipantResource
	Level   *int     `json:"level,omitempty"` // dBov of what it says
	Quality *Quality `json:"quality,omitempty"`
}

// Quality of the audio of a participant: what we receive of it, and what it says of what we send.
type Quality struct {
	MOS         float64 `json:"mos"`
	LossPercent float64 `json:"loss_percent"`
	JitterMS    float64 `json:"jitter_ms"`
	RTTMS       float64 `json:"rtt_ms"`
	Sent        struct {
		LossPercent float64 `json:"loss_percent"`
	} `json:"sent"`
}

// Show returns the participant as lists and single answers have it.
func (c *Control) Show(p *conference.Participant) Shown {
	s := Shown{ParticipantResource: p.Resource()}
	live, ok := c.rooms.Live(p.ID)
	if !ok || p.Status == conference.Leaved {
		return s
	}
	s.Level = &live.Level
	if live.Stats.PacketsIn > 0 {
		s.Quality = &Quality{MOS: live.Stats.MOS, LossPercent: live.Stats.LossPercent, JitterMS: live.Stats.JitterMillis, RTTMS: live.Stats.RTTMillis}
		s.Quality.Sent.LossPercent = live.Stats.RemoteLossPercent
	}
	return s
}
