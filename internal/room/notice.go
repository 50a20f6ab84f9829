package room

import (
	"context"
	"errors"
	"sync"
	"time"

	"parley/internal/audio"
	"parley/internal/conference"
	"parley/internal/loop"
	"parley/internal/prompt"
)

// noticed does what a notice asks for: the announcement is played to its leg, and who has consented is stored from then on.
func (r *room) noticed(e conference.Event) {
	n := e.Notice
	if r.reel == nil || r.reel.ID != n.Recording {
		return
	}
	switch e.Type {
	case conference.AnnouncementStarted:
		r.announce(*n)
	case conference.ConsentedEvent:
		r.reel.Consent(n.Participant)
	}
}

// announce plays the announcement to one leg and tells the room how that went.
func (r *room) announce(n conference.Notice) {
	seat, m := r.seats[n.Participant], r.mixer
	var port Port
	if seat != nil {
		port = seat.port
	}
	customer := r.state.Conference.CustomerID
	r.host.wg.Go(func() {
		heard := port != nil && m != nil
		if heard {
			err := r.host.playNotice(customer, n.Kind, m, port)
			if heard = err == nil; !heard {
				r.host.o.Log.Error("cannot announce a recording; the leg is not stored", "conference", r.id, "participant", n.Participant, "error", err)
			}
		}
		c := conference.Announced{At: time.Now(), ID: n.Participant, Recording: n.Recording, Failed: !heard}
		if err := (taped{r.host, r.id}).tell(r.host.ctx, c); err != nil {
			r.host.o.Log.Info("nobody to tell of an announcement", "conference", r.id, "participant", n.Participant, "error", err)
		}
	})
}

// errNotHeard says that the leg went away while the announcement played.
var errNotHeard = errors.New("the announcement was not heard to its end")

// playNotice returns when the port has heard all of the announcement.
func (h *Host) playNotice(customer, kind string, m Mixer, to Port) error {
	sound, err := h.noticeSound(customer, kind)
	if err != nil {
		return err
	}
	began := time.Now()
	player, err := m.Play(loop.PlayOptions{Samples: sound.Samples, Rate: sound.Rate}, to)
	if err != nil {
		return err
	}
	select {
	case <-player.Done():
	case <-h.ctx.Done():
		player.Stop()
		return context.Cause(h.ctx)
	}
	length := time.Duration(len(sound.Samples)) * time.Second / time.Duration(max(sound.Rate, 1))
	if time.Since(began) < length-audio.FrameMillis*time.Millisecond {
		return errNotHeard // the port went away under it
	}
	return nil
}

func (h *Host) noticeSound(customer, kind string) (prompt.Sound, error) {
	if h.o.Notice == nil {
		return NoticeTone(), nil
	}
	return h.o.Notice(h.ctx, customer, kind)
}

// Of the built-in announcement: three short high tones.
const (
	noticeRate  = 16000
	noticeHz    = 1400
	noticeLevel = -20 // dBov
	noticeMark  = 200 * noticeRate / 1000
	noticeSpace = 150 * noticeRate / 1000
)

// NoticeTone returns the announcement where no other is configured: three tones.
var NoticeTone = sync.OnceValue(func() prompt.Sound {
	var s []int16
	for range 3 {
		mark := make([]int16, noticeMark+noticeSpace)
		audio.NewTone(noticeHz, noticeLevel, noticeRate, 0).Read(mark[:noticeMark])
		s = append(s, mark...)
	}
	return prompt.Sound{Samples: s, Rate: noticeRate}
})
