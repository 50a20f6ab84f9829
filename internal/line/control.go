package line

import (
	"context"
	"time"

	"parley/internal/call"
	"parley/internal/conference"
	"parley/internal/conference/announcement"
	"parley/internal/fault"
	"parley/internal/line/ledger"
	"parley/internal/line/leg"
	"parley/internal/line/voice"
	"parley/internal/prompt"
	"parley/internal/room"
)

// Control carries out a wish about a live call of the customer's and returns the call. Unknown calls, and those of others, are fault.NotFound
// CALL_NOT_FOUND; those that have ended or are not answered yet are a fault.Conflict. What is played goes on after it has returned.
func (x *Exchange) Control(ctx context.Context, customerID, callID string, c Control) (call.Call, error) {
	l := x.roll.Line(call.ID(callID))
	if l == nil || l.customer != customerID {
		return ledger.Over(ctx, x.o.Store, customerID, call.ID(callID))
	}
	if err := l.control(ctx, c); err != nil {
		return call.Call{}, err
	}
	var now call.Call
	if err := l.ask(ctx, func() { now = l.record.Call }); err != nil {
		return call.Call{}, err
	}
	return now, nil
}

// overlay is what the API has laid over a call.
type overlay struct {
	hold bool
	stop context.CancelFunc // of what is played to it; nil for nothing
}

func (l *Line) control(ctx context.Context, c Control) (err error) {
	var asked error
	in := func(f func() error) {
		asked = l.ask(ctx, func() {
			if err = l.talkable(); err == nil {
				err = f()
			}
		})
	}
	switch c.Do {
	case "mute", "unmute":
		in(func() error { return l.mute(ctx, leg.Muted(l.record.Call.MuteDirection, c.Direction, c.Do == "mute")) })
	case "hold", "unhold":
		in(func() error { return l.hold(ctx, c.Do == "hold") })
	case "silence", "unsilence":
		in(func() error { return l.silence(ctx, c.Do == "silence") })
	case "unmoh":
		if l.seated() != nil {
			in(func() error { return l.hold(ctx, false) })
			break
		}
		in(func() error { l.hush(); return nil })
	case "stop":
		if seat := l.seated(); seat != nil {
			at := seat.place
			_, err := l.x.o.Rooms.StopAnnouncements(ctx, conference.ID(at.Conference), conference.ParticipantID(at.Participant), room.DoOptions{})
			return err
		}
		in(func() error { l.hush(); return nil })
	case "moh":
		if l.seated() != nil { // a conference has music for those on hold
			in(func() error { return l.hold(ctx, true) })
			break
		}
		return l.sound(ctx, true, func(context.Context) ([]prompt.Sound, error) { return l.voice().Tone("music") })
	case "talk", "play":
		return l.tellCaller(ctx, c)
	case "digits":
		return l.sendDigits(ctx, c.Digits, 100*time.Millisecond, 100*time.Millisecond)
	case "refer":
		return l.refer(ctx, c.To)
	case "recording_start":
		return l.startTape(ctx, c)
	case "recording_stop":
		return l.stopTape(ctx)
	default:
		return fault.New(fault.Invalid, "INVALID_ARGUMENT", "%q cannot be done with a call", c.Do)
	}
	if asked != nil {
		return asked
	}
	return err
}

// seated is the call's place in the mix of a conference, nil when it is in none.
func (l *Line) seated() (c *chair) {
	_ = l.ask(context.Background(), func() {
		if at := l.chair.Load(); at != nil && at.entered {
			c = at
		}
	})
	return c
}

// tellCaller has the call hear a text or sounds alone: in a conference as an announcement for it, elsewhere in place of what it hears.
func (l *Line) tellCaller(ctx context.Context, c Control) error {
	if seat := l.seated(); seat != nil {
		at := seat.place
		a := announcement.Announcement{
			ConferencecallID: at.Participant, Kind: announcement.Talk,
			Voice: announcement.Voice{Text: c.Text, Language: c.Language, Provider: c.Provider, VoiceID: c.Voice},
		}
		if c.Do == "play" {
			a = announcement.Announcement{ConferencecallID: at.Participant, Kind: announcement.Play, URLs: c.URLs}
		}
		_, err := l.x.o.Rooms.Announce(ctx, conference.ID(at.Conference), a, room.DoOptions{})
		return err
	}
	return l.sound(ctx, false, func(ctx context.Context) ([]prompt.Sound, error) {
		if c.Do == "play" {
			return l.voice().Fetch(ctx, c.URLs)
		}
		return l.voice().Say(ctx, prompt.Speech{Text: c.Text, Language: c.Language, Provider: c.Provider, Voice: c.Voice})
	})
}

// talkable refuses what needs an answered call.
func (l *Line) talkable() error {
	if !l.answered {
		return fault.New(fault.Conflict, "CALL_NOT_ANSWERED", "call %s has not been answered yet", l.id)
	}
	return nil
}

// hold puts the call on hold from our side: it neither speaks nor hears, but for music.
func (l *Line) hold(ctx context.Context, on bool) error {
	if l.overlay.hold == on {
		return nil
	}
	if seat := l.seat(); seat != nil { // the conference plays music to those on hold
		if err := seat.Set(ctx, conference.ParticipantPatch{Held: &on}); err != nil {
			return err
		}
	}
	l.overlay.hold = on
	l.setBooth()
	if l.booth == nil {
		return nil
	}
	l.hush()
	if on {
		if sounds, err := l.voice().Tone("music"); err == nil {
			l.playNow(sounds, true)
		}
	}
	return nil
}

// silence has the call hear nothing.
func (l *Line) silence(ctx context.Context, on bool) error {
	direction := leg.Muted(l.record.Call.MuteDirection, "out", on)
	return l.mute(ctx, direction)
}

func (l *Line) setBooth() {
	if l.booth != nil {
		l.booth.port.Set(l.portOptions(false))
	}
}

// hush stops what the API has had played to the call.
func (l *Line) hush() {
	if l.overlay.stop != nil {
		l.overlay.stop()
		l.overlay.stop = nil
	}
}

func (l *Line) voice() voice.Voice { return voice.Voice{Library: l.x.o.Prompts, Customer: l.customer} }

// sound gets sounds and has the call hear them alone, in place of what the API has had played before.
func (l *Line) sound(ctx context.Context, repeat bool, get func(context.Context) ([]prompt.Sound, error)) error {
	sounds, err := get(ctx)
	if err != nil {
		return err
	}
	asked := l.ask(ctx, func() {
		if err = l.talkable(); err == nil {
			l.hush()
			l.playNow(sounds, repeat)
		}
	})
	if asked != nil {
		return asked
	}
	return err
}

// playNow plays sounds to the call in a goroutine of its own, one after the other. The line's goroutine calls it.
func (l *Line) playNow(sounds []prompt.Sound, repeat bool) {
	ctx, stop := context.WithCancel(l.life)
	l.overlay.stop = stop
	l.helpers.Go(func() {
		defer stop()
		for _, s := range sounds {
			if err := l.play(ctx, s, repeat); err != nil {
				if ctx.Err() == nil {
					l.x.o.Log.Warn("cannot play to a call", "call", l.id, "error", err)
				}
				return
			}
		}
	})
}

// refer asks the phone to call somebody else instead.
func (l *Line) refer(ctx context.Context, to string) error {
	var far Live
	err := l.ask(ctx, func() {
		if l.answered {
			far, _ = l.far().(Live)
		}
	})
	if err != nil {
		return err
	}
	if far == nil {
		return fault.New(fault.Conflict, "CALL_NOT_ANSWERED", "call %s has not been answered yet", l.id)
	}
	return far.Refer(ctx, to)
}
