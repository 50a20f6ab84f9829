// Package sound is what rooms need of the media loop, and what they play into it by themselves: music for those that wait or are held, and tones. The
// music of each place is brought by a goroutine of its own, which ends with it; who hears what and when is the room's business.
package sound

import (
	"time"

	"parley/internal/loop"
	mix "parley/internal/mixer"
)

// Media is what a room needs of the media loop. It exists so that tests of rooms and lines run without sockets; the loop's is Engine.
type Media interface {
	// NewRoom makes an empty room.
	NewRoom() Mixer
}

// Mixer is a conference's place in the media loop; its methods promise what those of loop.Room promise.
type Mixer interface {
	Enter(s *loop.Session, o loop.PortOptions) (Port, error)
	// Play plays to one port, or to all when it is nil; what o.Port says is not looked at.
	Play(o loop.PlayOptions, to Port) (Player, error)
	// Pour plays a sound of the caller's own to all.
	Pour(s mix.Sound) (Player, error)
	Tap(t mix.Tap) (remove func())
	Facts() <-chan loop.Fact
	Close()
}

// Port joins a session to a Mixer; its methods promise what those of loop.Port promise.
type Port interface {
	Set(o loop.PortOptions)
	Silence() time.Duration
	Level() int
	Leave()
}

// Player is a sound that is being played; its methods promise what those of loop.Player promise.
type Player interface {
	Stop()
	Done() <-chan struct{}
}

var _ Port = (*loop.Port)(nil)

// Engine gives rooms their place in a media engine.
func Engine(e *loop.Engine) Media { return engine{e} }

type engine struct{ *loop.Engine }

// NewRoom implements Media.
func (e engine) NewRoom() Mixer { return mixer{e.Engine.NewRoom()} }

type mixer struct{ *loop.Room }

// Enter implements Mixer.
func (m mixer) Enter(s *loop.Session, o loop.PortOptions) (Port, error) {
	p, err := m.Room.Enter(s, o)
	if err != nil {
		return nil, err // not p: a nil *loop.Port would make a Port that is not nil
	}
	return p, nil
}

// Pour implements Mixer.
func (m mixer) Pour(s mix.Sound) (Player, error) {
	p, err := m.Room.Pour(s, nil)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Play implements Mixer.
func (m mixer) Play(o loop.PlayOptions, to Port) (Player, error) {
	o.Port = nil
	if to != nil {
		o.Port = to.(*loop.Port) // Enter gives no other
	}
	p, err := m.Room.Play(o)
	if err != nil {
		return nil, err
	}
	return p, nil
}
