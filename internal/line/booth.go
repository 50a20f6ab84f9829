package line

import (
	"context"
	"time"

	"parley/internal/call"
	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/line/finish"
	"parley/internal/line/leg"
	"parley/internal/loop"
	"parley/internal/prompt"
	"parley/internal/room"
	"parley/internal/store/cause"
)

// booth is one with the call in it.
type booth struct {
	leg.Booth
	port room.Port
}

// healthEvery is how often a call that is in no conference is looked after; a conference looks after its own.
const healthEvery = 5 * time.Second

// sit brings the call into its booth. The line's goroutine calls it.
func (l *Line) sit() error {
	if l.booth != nil {
		return nil
	}
	if c := l.chair.Load(); c != nil && c.entered && !closed(c.seat.Done()) {
		return fault.New(fault.Conflict, "CALL_IN_CONFERENCE", "the call is in conference %s", c.place.Conference)
	}
	b := l.x.o.Media.NewBooth()
	port, err := b.Enter(l.leg.Handle(), l.portOptions(false))
	if err != nil {
		b.Close()
		return err
	}
	l.booth = &booth{b, port}
	l.moved()
	l.helpers.Go(func() { l.keys.Listen(b.Facts()) })
	return nil
}

// portOptions are what the booth's port gives and gets.
func (l *Line) portOptions(echo bool) loop.PortOptions {
	mute := l.record.Call.MuteDirection
	waits := !l.answered // what a caller says before that is for nobody; a callee hears nobody
	return loop.PortOptions{
		Tag: string(l.id), Held: l.leg.State().Held || l.overlay.hold, Echo: echo,
		Muted: mute == "in" || mute == "both" || waits && l.outbound == nil, Deaf: mute == "out" || mute == "both" || waits && l.outbound != nil,
	}
}

func (l *Line) closeBooth() {
	if l.booth == nil {
		return
	}
	b := l.booth
	l.booth = nil
	l.moved()
	b.port.Leave()
	b.Close()
}

// checked ends a call in a booth whose audio has stayed away for too long (RFC 3550 says nothing of it; a phone that is silent still sends).
func (l *Line) checked() *finish.Ending {
	state := l.leg.State()
	if l.booth == nil || !l.answered || state.Held || state.Silent || l.x.o.MediaTimeout <= 0 {
		return l.fate
	}
	if l.booth.port.Silence() > l.x.o.MediaTimeout {
		e := finish.ByUs(call.Failed, conference.LeftMediaTimeout, "media_timeout").Because(cause.ByHealth)
		return &e
	}
	return l.fate
}

// play has the call hear a sound alone, until it has ended or ctx does.
func (l *Line) play(ctx context.Context, s prompt.Sound, repeat bool) error {
	var playing leg.Playing
	var err error
	asked := l.ask(ctx, func() {
		if err = l.answer(ctx); err != nil {
			return
		}
		if err = l.sit(); err == nil {
			playing, err = l.booth.Play(loop.PlayOptions{Samples: s.Samples, Rate: s.Rate, Repeat: repeat})
		}
	})
	if asked != nil {
		return asked
	}
	if err != nil {
		return err
	}
	select {
	case <-playing.Done():
		return ctx.Err()
	case <-ctx.Done():
		playing.Stop()
		return ctx.Err()
	}
}
