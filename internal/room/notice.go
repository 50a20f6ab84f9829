package room

import (
	"parley/internal/conference"
	"parley/internal/conference/tape"
	"parley/internal/prompt"
	"parley/internal/room/sound"
	"parley/internal/wall"
)

// noticed does what a notice asks for: the announcement is played to its leg, and who has consented is stored from then on.
func (r *room) noticed(e conference.Event) {
	n := e.Notice
	if r.reel == nil || r.reel.ID != n.Recording {
		return
	}
	switch e.Type {
	case tape.AnnouncementStarted:
		r.announce(*n)
	case tape.ConsentedEvent:
		r.reel.Consent(conference.ParticipantID(n.Participant))
	}
}

// announce plays the announcement to one leg and tells the room how that went.
func (r *room) announce(n tape.Notice) {
	seat, m := r.seats[conference.ParticipantID(n.Participant)], r.mixer
	var port Port
	if seat != nil {
		port = seat.port
	}
	customer := r.state.Conference.CustomerID
	r.host.wg.Go(func() {
		heard, trouble := port != nil && m != nil, error(nil)
		if heard {
			s, err := r.host.noticeSound(customer, n.Kind)
			if err == nil {
				err = sound.Tell(r.host.ctx, m, port, s)
			}
			heard, trouble = err == nil, err
		}
		c := conference.Announced{At: wall.Now(), ID: conference.ParticipantID(n.Participant), Recording: n.Recording, Failed: !heard}
		if err := (taped{r.host, r.id}).tell(r.host.ctx, c); err != nil {
			r.host.o.Log.Info("nobody to tell of an announcement", "conference", r.id, "participant", n.Participant, "error", err)
		}
		if trouble != nil { // the room has been told, so it knows by now whether somebody just left
			r.host.unheard(r.id, seat, trouble)
		}
		if !heard && n.Tries < tape.NoticeTries && pause(r.host.ctx, tape.NoticeAgain, nil) {
			_ = (taped{r.host, r.id}).tell(r.host.ctx, conference.Announce{At: wall.Now(), ID: c.ID}) // whoever has left, or is not recorded any more, is none
		}
	})
}

// unheard logs why an announcement was not heard: that somebody leaves in the middle of it is no trouble.
func (h *Host) unheard(id conference.ID, seat *Seat, err error) {
	select {
	case <-seat.Done():
		h.o.Log.Info("left before the announcement of a recording was over", "conference", id, "participant", seat.id)
	default:
		h.o.Log.Error("cannot announce a recording; the leg is not stored", "conference", id, "participant", seat.id, "error", err)
	}
}

func (h *Host) noticeSound(customer, kind string) (prompt.Sound, error) {
	if h.o.Notice == nil {
		return sound.NoticeTone(), nil
	}
	return h.o.Notice(h.ctx, customer, kind)
}
