package line

import (
	"context"
	"sync/atomic"
	"time"

	"parley/internal/call"
	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/loop"
	"parley/internal/mixer"
	"parley/internal/prompt"
	"parley/internal/recording/calls"
	"parley/internal/room"
)

// Booth is a room for one call alone, where it hears prompts and presses keys. Its methods promise what those of loop.Room promise.
type Booth interface {
	Enter(s *loop.Session, o loop.PortOptions) (room.Port, error)
	Play(o loop.PlayOptions) (Playing, error)
	Pour(s mixer.Sound) (Playing, error)
	Tap(t mixer.Tap) (remove func())
	Facts() <-chan loop.Fact
	Close()
}

// Playing is a sound that is being played; *loop.Player is one.
type Playing interface {
	Done() <-chan struct{}
	Stop()
}

// booth is a Booth with the call in it.
type booth struct {
	Booth
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
	port, err := b.Enter(l.session.Handle(), l.portOptions(false))
	if err != nil {
		b.Close()
		return err
	}
	l.booth = &booth{b, port}
	l.moved()
	l.helpers.Go(func() { l.keys.listen(b.Facts()) })
	return nil
}

// portOptions are what the booth's port gives and gets.
func (l *Line) portOptions(echo bool) loop.PortOptions {
	mute := l.record.Call.MuteDirection
	return loop.PortOptions{
		Tag: string(l.id), Held: l.want.held || l.overlay.hold, Echo: echo,
		Muted: mute == "in" || mute == "both", Deaf: mute == "out" || mute == "both",
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
func (l *Line) checked() *ending {
	if l.booth == nil || !l.answered || l.want.held || l.want.silent || l.x.o.MediaTimeout <= 0 {
		return l.fate
	}
	if l.booth.port.Silence() > l.x.o.MediaTimeout {
		e := l.byUs(call.Failed, conference.LeftMediaTimeout, "media_timeout")
		return &e
	}
	return l.fate
}

// play has the call hear a sound alone, until it has ended or ctx does.
func (l *Line) play(ctx context.Context, s prompt.Sound, repeat bool) error {
	var playing Playing
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

// keysMax is how many keys wait for somebody to collect them; more are lost.
const keysMax = 64

// keys are what the caller presses.
type keys struct {
	pressed chan byte
	to      *atomic.Pointer[chan byte] // who gets them instead, nil for nobody
	speech  *atomic.Pointer[chan loop.Fact]
	taped   *atomic.Pointer[calls.Recording] // which a key may end
	lost    *atomic.Uint64
}

func newKeys() keys {
	return keys{make(chan byte, keysMax), new(atomic.Pointer[chan byte]), new(atomic.Pointer[chan loop.Fact]), new(atomic.Pointer[calls.Recording]), new(atomic.Uint64)}
}

// listen passes on what happens in a booth, until that closes.
func (k *keys) listen(facts <-chan loop.Fact) {
	for f := range facts {
		switch f.Kind {
		case loop.DigitPressed:
			k.press(f.Digit)
		case loop.SpeechStarted, loop.SpeechStopped:
			if to := k.speech.Load(); to != nil {
				select {
				case *to <- f:
				default: // who listens has heard enough
				}
			}
		}
	}
}

func (k *keys) press(digit byte) {
	if r := k.taped.Load(); r != nil {
		r.Key(digit)
	}
	to := k.pressed
	if other := k.to.Load(); other != nil {
		to = *other
	}
	select {
	case to <- digit:
	default:
		k.lost.Add(1)
	}
}

// instead passes keys to a channel of its own until back is called.
func (k *keys) instead() (pressed <-chan byte, back func()) {
	c := make(chan byte, keysMax)
	k.to.Store(&c)
	return c, func() { k.to.CompareAndSwap(&c, nil) }
}
