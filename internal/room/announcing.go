package room

import (
	"context"
	"time"

	"parley/internal/conference"
	"parley/internal/conference/announcement"
	"parley/internal/fault"
	"parley/internal/loop"
	"parley/internal/prompt"
	"parley/internal/room/announce"
	"parley/internal/room/wish"
	"parley/internal/store/cause"
	"parley/internal/wall"
	"parley/internal/wire"
)

// Announce has text or sounds be heard in a conference, by all or by one, after what was asked for before. It returns as soon as that is queued; the log
// tells when it is heard. It is refused when nobody would hear it: CONFERENCE_EMPTY, CONFERENCECALL_NOT_JOINED, and VOICE_UNAVAILABLE when this
// server has no sounds at all. An empty id is filled in.
func (h *Host) Announce(ctx context.Context, id conference.ID, a announcement.Announcement, o DoOptions) (announcement.Announcement, error) {
	known, ok := wire.ParseUUID(string(id))
	if !ok {
		return a, wish.Unknown()
	}
	if h.o.Prompts == nil {
		return a, fault.New(fault.Unavailable, "VOICE_UNAVAILABLE", "this server has no voices and plays no sounds")
	}
	a, err := a.Normal()
	if err != nil {
		return a, err
	}
	if a.ID == "" {
		a.ID = newID()
	}
	a.Cause = cause.In(ctx)
	a.ConferenceID, a.Status, a.Created = known, announcement.Queued, wall.Now().UTC().Truncate(time.Microsecond)
	err = h.step(ctx, conference.ID(known), func(r *room) error {
		if o.CustomerID != "" && o.CustomerID != r.state.Conference.CustomerID {
			return wish.Unknown()
		}
		a.CustomerID = r.state.Conference.CustomerID
		if err := r.state.MayAnnounce(&a); err != nil {
			return err
		}
		_, _, err := r.hearers(a)
		return err
	})
	if err == nil {
		err = h.desk.Add(a)
	}
	return a, err
}

// StopAnnouncements ends what one participant is told alone, or with "" everything in the conference, and forgets what waits. It returns how many those are.
func (h *Host) StopAnnouncements(ctx context.Context, id conference.ID, participant conference.ParticipantID, o DoOptions) (int, error) {
	known, ok := wire.ParseUUID(string(id))
	if !ok {
		return 0, wish.Unknown()
	}
	v, _, err := h.view(ctx, conference.ID(known))
	if err != nil {
		return 0, err
	}
	if o.CustomerID != "" && o.CustomerID != v.Conference.CustomerID {
		return 0, wish.Unknown()
	}
	return h.desk.Stop(known, string(participant), participant == ""), nil
}

// hearers returns where an announcement is to be played.
func (r *room) hearers(a announcement.Announcement) (m Mixer, to Port, err error) {
	if r.ended {
		return nil, nil, errMoved
	}
	if a.ConferencecallID == "" {
		if r.mixer == nil || r.stage.seats == 0 {
			return nil, nil, fault.New(fault.Conflict, "CONFERENCE_EMPTY", "nobody is in the conference to hear it")
		}
		return r.mixer, nil, nil
	}
	seat := r.seats[conference.ParticipantID(a.ConferencecallID)]
	if seat == nil || seat.port == nil || seat.hall != &r.stage {
		return nil, nil, fault.New(fault.Conflict, "CONFERENCECALL_NOT_JOINED", "conferencecall %s has no audio in the conference just now", a.ConferencecallID)
	}
	return r.mixer, seat.port, nil
}

// speaker is the Host as the stage of announcements.
type speaker struct{ *Host }

// Sounds implements announce.Stage.
func (s speaker) Sounds(ctx context.Context, a announcement.Announcement) (out []prompt.Sound, err error) {
	if a.Kind == announcement.Talk {
		sound, err := s.o.Prompts.Say(ctx, prompt.Speech{Text: a.Text, Language: a.Language, Provider: a.Provider, Voice: a.VoiceID})
		return []prompt.Sound{sound}, err
	}
	for _, url := range a.URLs {
		sound, err := s.o.Prompts.Fetch(ctx, a.CustomerID, url)
		if err != nil {
			return nil, err
		}
		out = append(out, sound)
	}
	return out, nil
}

// Place implements announce.Stage.
func (s speaker) Place(ctx context.Context, a announcement.Announcement) (announce.Place, error) {
	var m Mixer
	var to Port
	err := s.step(ctx, conference.ID(a.ConferenceID), func(r *room) (err error) {
		m, to, err = r.hearers(a)
		return err
	})
	return func(sound prompt.Sound, repeat bool) (announce.Playing, error) {
		p, err := m.Play(loop.PlayOptions{Samples: sound.Samples, Rate: sound.Rate, Repeat: repeat, Volume: a.Volume}, to)
		return p, err
	}, err
}

// Start implements announce.Stage.
func (s speaker) Start(ctx context.Context, a announcement.Announcement) error {
	return s.note(ctx, a, conference.StartAnnouncement{At: wall.Now(), Announcement: a})
}

// End implements announce.Stage. What cannot be written now is, as long as the conference lives.
func (s speaker) End(a announcement.Announcement, reason string, failed bool) {
	c := conference.EndAnnouncement{At: wall.Now(), Announcement: a, Reason: reason, Failed: failed}
	if failed {
		s.o.Log.Info("announcement failed", "conference", a.ConferenceID, "announcement", a.ID, "reason", reason)
	}
	q := newRequest(c, DoOptions{})
	q.must, q.passing = true, true
	if _, err := s.do(s.ctx, conference.ID(a.ConferenceID), q); err != nil {
		s.o.Log.Info("the end of an announcement is left to the conference", "conference", a.ConferenceID, "announcement", a.ID, "error", err)
	}
}

func (s speaker) note(ctx context.Context, a announcement.Announcement, c conference.Command) error {
	_, err := s.do(ctx, conference.ID(a.ConferenceID), newRequest(c, DoOptions{}))
	return err
}
