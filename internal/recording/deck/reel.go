package deck

import (
	"parley/internal/conference"
	"parley/internal/conference/tape"
	"parley/internal/recording/capture"
)

// Reel is what a room has of its recording that runs. It belongs to the room's goroutine.
type Reel struct {
	ID string

	capture *capture.Capture
	remove  func() // the tap
	silent  bool   // who comes is not stored before Consent
	lanes   map[conference.ParticipantID]lane
}

type lane struct{ muted, held bool }

// Thread makes the Reel of a recording whose capture a room shows its sound to; remove ends that.
func Thread(t *tape.Recording, c *capture.Capture, remove func()) *Reel {
	return &Reel{ID: t.ID, capture: c, remove: remove, silent: t.Notice != tape.NoNotice, lanes: map[conference.ParticipantID]lane{}}
}

// Consent has a participant stored who has heard the notice, and agreed if that is asked for.
func (r *Reel) Consent(id conference.ParticipantID) { r.capture.Consent(string(id)) }

// Show tells the capture what has become of a participant.
func (r *Reel) Show(p *conference.Participant) {
	tag := string(p.ID)
	now := lane{p.Muted, p.Held}
	was, known := r.lanes[p.ID]
	if p.Status == conference.Leaving || p.Status == conference.Leaved {
		if known {
			r.capture.Leave(tag)
			delete(r.lanes, p.ID)
		}
		return
	}
	// A lane that is refused for the number of lanes is missing from the recording's manifest.
	if !known && r.capture.Join(capture.Lane{Tag: tag, Name: p.Name, Codec: p.Media.Codec, Silent: r.silent}) != nil {
		return
	}
	turn(tag, was.muted, now.muted, r.capture.Mute, r.capture.Unmute)
	turn(tag, was.held, now.held, r.capture.Hold, r.capture.Unhold)
	r.lanes[p.ID] = now
}

func turn(tag string, was, now bool, on, off func(string)) {
	if !was && now {
		on(tag)
	} else if was && !now {
		off(tag)
	}
}

// Follow makes the capture follow a pause or the end of one. It returns false when the recording has stopped, and the reel is to be cut.
func (r *Reel) Follow(now *tape.Recording, event string) (runs bool, err error) {
	switch {
	case now.ID != r.ID:
		return true, nil
	case now.Status != tape.Running:
		return false, nil
	case event == tape.PausedEvent:
		err = r.capture.Pause(now.Paused)
	case event == tape.ResumedEvent:
		r.capture.Resume()
	}
	return true, err
}

// Cut ends the capture; whoever keeps the recording does the rest.
func (r *Reel) Cut(reason string) {
	r.remove()
	r.capture.Stop(reason)
}
