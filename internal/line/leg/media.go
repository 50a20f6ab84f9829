// Package leg is the media half of a call: its session, what offers and answers have agreed on for it, the booth it may sit in, and the keys that are pressed.
// It starts no goroutine. A Leg belongs to the goroutine of its line; Keys pass from the media loop to whoever waits for them.
package leg

import (
	"net/netip"
	"time"

	"parley/internal/loop"
	"parley/internal/mixer"
	"parley/internal/room"
	"parley/internal/sdp"
)

// Media is what lines need of the media loop. It exists so that tests run without sockets; the loop's is Engine.
type Media interface {
	Admit() error
	NewSession() (Session, error)
	// NewBooth makes an empty room for one call.
	NewBooth() Booth
}

// Session is a media transport; its methods promise what those of loop.Session promise.
type Session interface {
	Local() netip.AddrPort
	Apply(m sdp.Media) error
	Stats() loop.Stats
	Close()
	SendDigits(digits string, each, gap time.Duration) (done <-chan struct{}, err error)
	// Handle is what a room takes.
	Handle() *loop.Session
}

// Booth is a room for one call alone, where it hears prompts and presses keys. Its methods promise what those of loop.Room promise.
type Booth interface {
	// The first to enter is whose booth it is: who hears what is played, and what is poured into it.
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

// Engine gives lines their sessions from a media engine.
func Engine(e *loop.Engine) Media { return engine{e} }

type engine struct{ *loop.Engine }

// NewSession implements Media.
func (e engine) NewSession() (Session, error) {
	s, err := e.Engine.NewSession()
	if err != nil {
		return nil, err // not s: a nil *loop.Session would make a Session that is not nil
	}
	return session{s}, nil
}

// NewBooth implements Media.
func (e engine) NewBooth() Booth { return &private{Room: e.NewRoom()} }

type private struct {
	*loop.Room
	port *loop.Port
}

// Enter implements Booth.
func (p *private) Enter(s *loop.Session, o loop.PortOptions) (room.Port, error) {
	port, err := p.Room.Enter(s, o)
	if err != nil {
		return nil, err // not port: a nil *loop.Port would make a Port that is not nil
	}
	if p.port == nil { // others are guests
		p.port = port
	}
	return port, nil
}

// Pour implements Booth.
func (p *private) Pour(s mixer.Sound) (Playing, error) {
	player, err := p.Room.Pour(s, p.port)
	if err != nil {
		return nil, err
	}
	return player, nil
}

// Play implements Booth.
func (p *private) Play(o loop.PlayOptions) (Playing, error) {
	o.Port = p.port // is heard on hold, too
	player, err := p.Room.Play(o)
	if err != nil {
		return nil, err
	}
	return player, nil
}

// Guest is a booth for those whose it is not: their leaving does not close it.
type Guest struct{ Booth }

// Close implements Booth.
func (Guest) Close() {}

type session struct{ *loop.Session }

// Handle implements Session.
func (s session) Handle() *loop.Session { return s.Session }

// Visit lets visitors into a booth: what hears it, and what is heard in it; either may be nil.
func Visit(b Booth) func(t mixer.Tap, s mixer.Sound) (leave func()) {
	return func(t mixer.Tap, s mixer.Sound) (leave func()) {
		remove, stop := func() {}, func() {}
		if t != nil {
			remove = b.Tap(t)
		}
		if s != nil {
			if playing, err := b.Pour(s); err == nil {
				stop = playing.Stop
			} else {
				stop = s.Stop // nobody plays it
			}
		}
		return func() { remove(); stop() }
	}
}
