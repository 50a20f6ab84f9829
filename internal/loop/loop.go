// Package loop is the media loop: per core one locked OS thread that owns the sockets, sessions and rooms given to it, reads packets in
// batches, ticks the rooms by absolute deadlines and writes packets in batches. Signalling speaks to it through Engine, Session, Room and Port, whose
// methods hand over commands and never make the loop wait.
package loop

import (
	"context"
	"net/netip"
	"time"

	"parley/internal/sdp"
)

// Options of an Engine.
type Options struct {
	IP        netip.Addr // address to bind and to write into SDP
	Low, High uint16     // RTP on even ports, RTCP on the odd one above (RFC 3550 section 11)
	Loops     int        // 0: one per usable core
}

// Engine owns the media loops of this node.
type Engine struct{}

// Open checks the options and makes an Engine that is not running yet.
func Open(o Options) (*Engine, error) { panic("skeleton") }

// Run runs the loops until ctx ends, then closes every socket. It returns the first fatal error.
func (e *Engine) Run(ctx context.Context) error { panic("skeleton") }

// Admit refuses with fault.Unavailable, reason OVERLOADED, while the loops could not take another session without being late.
func (e *Engine) Admit() error { panic("skeleton") }

// NewSession binds a pair of ports. It fails with fault.Exhausted, reason MEDIA_PORTS_EXHAUSTED, when none is free.
func (e *Engine) NewSession() (*Session, error) { panic("skeleton") }

// NewRoom makes an empty room on the least loaded loop.
func (e *Engine) NewRoom() *Room { panic("skeleton") }

// Session is the handle of a media transport. It sends and receives nothing until Apply; audio flows while a Port joins it to a Room.
// Methods may be called from any goroutine.
type Session struct{}

// Local returns the address of the RTP socket as it is written into SDP.
func (s *Session) Local() netip.AddrPort { panic("skeleton") }

// Apply takes over what an offer and answer agreed on, at the start and after each re-INVITE.
func (s *Session) Apply(m sdp.Media) error { panic("skeleton") }

// Silence returns how long no believed packet has come, negative when none ever came.
func (s *Session) Silence() time.Duration { panic("skeleton") }

// Stats returns a snapshot that is at most a second old.
func (s *Session) Stats() Stats { panic("skeleton") }

// Close leaves the room and frees the ports. It may be called twice.
func (s *Session) Close() { panic("skeleton") }

// Stats of a session, both directions.
type Stats struct {
	PacketsIn, PacketsOut  uint64
	Lost, Late, Duplicates uint64 // of the received stream, after the jitter buffer
	Concealed              uint64 // frames of 20 ms
	Refused                uint64 // packets of addresses that are not believed, or malformed
	JitterMillis           float64
	RTTMillis              float64
	RemoteLossPercent      float64 // as the peer reports by RTCP
	LossPercent            float64
	MOS                    float64 // E-model estimate, ITU-T G.107, of what we receive
	DelayMillis            float64 // what the jitter buffer adds just now
	Latched                netip.AddrPort
}

// Room is a live conference's place in the media loop.
type Room struct{}

// Enter makes a port for the session. The session must not be in a room.
func (r *Room) Enter(s *Session, o PortOptions) (*Port, error) { panic("skeleton") }

// Facts returns the channel of what happens in the room. The loop never waits for its reader: facts that do not fit are
// sent at a later tick, merged with what has happened since, so that the last state always arrives. Closed after Close.
func (r *Room) Facts() <-chan Fact { panic("skeleton") }

// Close removes every port and frees the room.
func (r *Room) Close() { panic("skeleton") }

// PortOptions say what a port gives and gets.
type PortOptions struct {
	Tag    string // the participant's id; comes back in facts
	Muted  bool   // is not heard
	Deaf   bool   // hears silence
	Held   bool   // neither, until taken off hold
	Volume int    // dB on the way into the mix
}

// Port joins a session to a room.
type Port struct{}

// Set replaces the options; the tag stays.
func (p *Port) Set(o PortOptions) { panic("skeleton") }

// Silence is that of the session.
func (p *Port) Silence() time.Duration { panic("skeleton") }

// Level returns the level of the last frame in dBov, 0 (loud) to -127.
func (p *Port) Level() int { panic("skeleton") }

// Leave takes the session out of the room; after it returns, no more facts of this port come and no more of its audio is mixed.
func (p *Port) Leave() { panic("skeleton") }

// FactKind says what a Fact is about.
type FactKind uint8

// The kinds of facts.
const (
	Connected     FactKind = iota // the first believed packet of the session came while in this room
	SpeechStarted                 // talk detection of an unmuted port
	SpeechStopped
	DigitPressed
)

// Fact is something that the loop noticed.
type Fact struct {
	Tag   string
	Kind  FactKind
	Digit byte // '0'-'9', '*', '#', 'A'-'D'
	At    time.Time
}
