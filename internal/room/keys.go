package room

import (
	"fmt"
	"time"

	"parley/internal/conference"
	"parley/internal/conference/announcement"
	"parley/internal/conference/keypad"
	"parley/internal/conference/tape"
	"parley/internal/store/cause"
	"parley/internal/wall"
)

// pressed takes a key of a participant that is written: what belongs to the conference's keypad is done, the rest is for the seat's holder.
func (r *room) pressed(seat *Seat, p *conference.Participant, e conference.Event) {
	m := r.state.Conference.Keypad
	if keypad.Maps[m] == nil || r.consents(e) {
		seat.press(e.Digit[0])
		return
	}
	run, pass := seat.pad.Press(m, p.Role, e.Digit[0], wall.Now())
	if due := seat.pad.Due(); !due.IsZero() && (r.schedule.keys.IsZero() || due.Before(r.schedule.keys)) {
		r.schedule.keys = due
	}
	r.obey(seat, run, pass)
}

// consents reports whether the key answers the notice of a recording.
func (r *room) consents(e conference.Event) bool {
	for _, n := range r.state.Notices {
		if n.Participant == string(e.Participant.ID) {
			return n.Kind == tape.Press1 && e.Digit == "1" && (n.Status != tape.NoticeConsented || n.At.Equal(e.At))
		}
	}
	return false
}

// lapse resolves the keys whose sequences have not been completed in time.
func (r *room) lapse(now time.Time) {
	if r.schedule.keys.IsZero() || now.Before(r.schedule.keys) {
		return
	}
	r.schedule.keys = time.Time{}
	for _, seat := range r.seats {
		due := seat.pad.Due()
		switch p := find(r.state.Participants, seat.id); {
		case due.IsZero() || p == nil:
		case now.Before(due):
			if r.schedule.keys.IsZero() || due.Before(r.schedule.keys) {
				r.schedule.keys = due
			}
		default:
			run, pass := seat.pad.Lapse(r.state.Conference.Keypad, p.Role)
			r.obey(seat, run, pass)
		}
	}
}

// obey carries actions out, as wishes like those of the API, right after this step, and passes on what belongs to none.
func (r *room) obey(seat *Seat, run []keypad.Action, pass string) {
	for i := range len(pass) {
		seat.press(pass[i])
	}
	p := find(r.state.Participants, seat.id)
	if p == nil {
		return
	}
	for _, a := range run {
		if a == keypad.Count {
			r.count(seat)
			continue
		}
		if c := keypad.Command(a, &r.state, *p, wall.Now()); c != nil {
			by := cause.Cause{Kind: cause.Keypad, CallID: p.CallID, Participant: string(p.ID), Digits: seat.pad.Keys()}
			r.pending = append(r.pending, &request{command: c, cause: by.JSON()})
			r.confirm(seat)
		}
	}
}

// count tells one participant how many are there.
func (r *room) count(seat *Seat) {
	if r.host.o.Prompts == nil {
		return
	}
	text := "You are the only one in this conference."
	if n := len(r.state.Conference.Joined); n > 1 {
		text = fmt.Sprintf("There are %d people in this conference.", n)
	}
	err := r.host.desk.Add(announcement.Announcement{
		ID: newID(), ConferenceID: string(r.id), CustomerID: r.state.Conference.CustomerID, ConferencecallID: string(seat.id), Kind: announcement.Talk,
		Voice: announcement.Voice{Text: text, Language: "en-US"}, Status: announcement.Queued,
		Times: announcement.Times{Created: wall.Now().UTC().Truncate(time.Microsecond)},
	})
	if err != nil {
		r.host.o.Log.Info("cannot tell how many are there", "conference", r.id, "error", err)
	}
}

// confirm lets one who has pressed keys hear that they were understood.
func (r *room) confirm(seat *Seat) {
	if seat.port != nil && r.mixer != nil {
		r.host.band.Tone(r.mixer, "beep", seat.port, func() {})
	}
}
