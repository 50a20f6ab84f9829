package line_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"parley/internal/fault"
	"parley/internal/line/leg"
	"parley/internal/loop"
	"parley/internal/mixer"
	"parley/internal/room"
	"parley/internal/sdp"
)

// phone is a caller: the dialog that a door would make of it. ring and answer say how long the caller takes for PRACK and ACK.
type phone struct {
	ring, answer time.Duration
	confirm      []byte // in its ACK
	noACK        bool

	mu       sync.Mutex // guards what follows
	done     chan struct{}
	over     bool
	by       string
	status   int
	answered bool
	rejected []error
	hangups  []string
	body     []byte   // of the 200
	rings    []string // bodies of what came before, "" for ringing
}

func newPhone() *phone { return &phone{done: make(chan struct{})} }

// end ends the dialog; only the first end counts.
func (p *phone) end(by string, status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return
	}
	p.over, p.by, p.status = true, by, status
	close(p.done)
}

func (p *phone) wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		if closed(p.done) {
			return errors.New("the dialog is over")
		}
		return nil
	case <-p.done:
		return errors.New("the dialog is over")
	case <-ctx.Done():
		return ctx.Err()
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (p *phone) Ring(ctx context.Context, body []byte) error {
	p.mu.Lock()
	p.rings = append(p.rings, string(body))
	p.mu.Unlock()
	return p.wait(ctx, p.ring)
}

func (p *phone) Answer(ctx context.Context, body []byte) ([]byte, error) {
	p.mu.Lock()
	p.body = body
	p.answered = true
	p.mu.Unlock()
	if err := p.wait(ctx, p.answer); err != nil {
		if ctx.Err() != nil {
			p.end("local", 0)
		}
		return nil, err
	}
	if p.noACK {
		p.end("local", 408)
		return nil, errors.New("no ACK came")
	}
	return p.confirm, nil
}

func (p *phone) Reject(err error) {
	p.mu.Lock()
	p.rejected = append(p.rejected, err)
	p.mu.Unlock()
	p.end("local", fault.KindOf(err).SIP())
}

func (p *phone) Hangup(reason string) {
	p.mu.Lock()
	p.hangups = append(p.hangups, reason)
	p.mu.Unlock()
	p.end("local", 0)
}

func (p *phone) Done() <-chan struct{} { return p.done }

func (p *phone) Cause() (string, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.by, p.status
}

// told returns how often the phone was rejected and hung up.
func (p *phone) told() (rejects, hangups int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.rejected), len(p.hangups)
}

// fakeMedia stands in for the media loop, on the side of lines and on that of rooms.
type fakeMedia struct {
	mu       sync.Mutex // guards all fields
	admit    error
	ports    int // that may still be bound; negative: any number
	next     uint16
	sessions []*fakeSession
	booths   []*fakeBooth
	poured   []mixer.Sound
	mixers   map[string]*fakeMixer // by tag
	options  map[string]loop.PortOptions
}

func newFakeMedia() *fakeMedia {
	return &fakeMedia{ports: -1, next: 20000, mixers: map[string]*fakeMixer{}, options: map[string]loop.PortOptions{}}
}

func (m *fakeMedia) Admit() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.admit
}

func (m *fakeMedia) NewSession() (leg.Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ports == 0 {
		return nil, fault.New(fault.Exhausted, "MEDIA_PORTS_EXHAUSTED", "no port is free")
	}
	m.ports--
	s := &fakeSession{local: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), m.next), handle: new(loop.Session)}
	m.next += 2
	m.sessions = append(m.sessions, s)
	return s, nil
}

type fakeSession struct {
	local   netip.AddrPort
	handle  *loop.Session
	mu      sync.Mutex // guards what follows
	applied []sdp.Media
	closes  int
}

func (s *fakeSession) Local() netip.AddrPort { return s.local }

func (s *fakeSession) Apply(m sdp.Media) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closes > 0 {
		return errors.New("session is closed")
	}
	s.applied = append(s.applied, m)
	return nil
}

func (s *fakeSession) Stats() loop.Stats { return loop.Stats{PacketsIn: 50, MOS: 4.2} }

func (s *fakeSession) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closes++
}

func (s *fakeSession) SendDigits(digits string, each, gap time.Duration) (<-chan struct{}, error) {
	done := make(chan struct{})
	time.AfterFunc(time.Duration(len(digits))*(each+gap), func() { close(done) })
	return done, nil
}

func (s *fakeSession) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closes > 0
}

func (s *fakeSession) Handle() *loop.Session { return s.handle }

func (s *fakeSession) media() sdp.Media {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.applied[len(s.applied)-1]
}

func (m *fakeMedia) NewRoom() room.Mixer {
	return &fakeMixer{media: m, facts: make(chan loop.Fact, 1024)}
}

func (m *fakeMedia) NewBooth() leg.Booth {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := &fakeBooth{fakeMixer: &fakeMixer{media: m, facts: make(chan loop.Fact, 1024)}}
	m.booths = append(m.booths, b)
	return b
}

// fakeBooth plays in virtual time.
type fakeBooth struct {
	*fakeMixer
	played []loop.PlayOptions
}

func (b *fakeBooth) Play(o loop.PlayOptions) (leg.Playing, error) {
	b.media.mu.Lock()
	defer b.media.mu.Unlock()
	b.played = append(b.played, o)
	p := &fakePlaying{done: make(chan struct{})}
	if !o.Repeat {
		p.timer = time.AfterFunc(time.Duration(len(o.Samples))*time.Second/time.Duration(o.Rate), func() { p.once.Do(func() { close(p.done) }) })
	}
	return p, nil
}

func (b *fakeBooth) Pour(s mixer.Sound) (leg.Playing, error) {
	b.media.mu.Lock()
	defer b.media.mu.Unlock()
	b.media.poured = append(b.media.poured, s)
	return &fakePlaying{done: make(chan struct{}), sound: s}, nil
}

type fakePlaying struct {
	sound mixer.Sound
	once  sync.Once
	timer *time.Timer
	done  chan struct{}
}

func (p *fakePlaying) Done() <-chan struct{} { return p.done }

func (p *fakePlaying) Stop() {
	if p.timer != nil {
		p.timer.Stop()
	}
	if p.sound != nil {
		p.sound.Stop()
	}
	p.once.Do(func() { close(p.done) })
}

type fakeMixer struct {
	media *fakeMedia
	facts chan loop.Fact
}

func (x *fakeMixer) Enter(s *loop.Session, o loop.PortOptions) (room.Port, error) {
	if s == nil {
		return nil, errors.New("no session")
	}
	x.media.mu.Lock()
	defer x.media.mu.Unlock()
	x.media.mixers[o.Tag], x.media.options[o.Tag] = x, o
	return &fakePort{x, o.Tag}, nil
}

func (x *fakeMixer) Pour(mixer.Sound) (room.Player, error) {
	return x.Play(loop.PlayOptions{Repeat: true, Rate: 8000}, nil)
}

func (x *fakeMixer) Play(loop.PlayOptions, room.Port) (room.Player, error) {
	return nil, errors.New("nothing is played here")
}

func (x *fakeMixer) Tap(mixer.Tap) func() { return func() {} }

func (x *fakeMixer) Facts() <-chan loop.Fact { return x.facts }
func (x *fakeMixer) Close()                  { close(x.facts) }

type fakePort struct {
	mixer *fakeMixer
	tag   string
}

func (p *fakePort) Set(o loop.PortOptions) {
	p.mixer.media.mu.Lock()
	defer p.mixer.media.mu.Unlock()
	p.mixer.media.options[p.tag] = o
}

func (p *fakePort) Silence() time.Duration { return time.Minute }
func (p *fakePort) Level() int             { return -127 }
func (p *fakePort) Leave()                 { time.Sleep(5 * time.Millisecond) }

// packet is the first packet of a participant.
func (m *fakeMedia) packet(tag string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mixers[tag].facts <- loop.Fact{Tag: tag, Kind: loop.Connected, At: time.Now()}
}

func (m *fakeMedia) port(tag string) loop.PortOptions {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.options[tag]
}

// offer is a phone's SDP.
func offer(direction string, codecs ...string) []byte {
	lines := map[string]string{"PCMU": "0", "PCMA": "8", "G722": "9"}
	list, maps := "", ""
	for _, c := range codecs {
		list += " " + lines[c]
		maps += fmt.Sprintf("a=rtpmap:%s %s/8000\r\n", lines[c], c)
	}
	return []byte("v=0\r\no=- 1 1 IN IP4 203.0.113.77\r\ns=-\r\nc=IN IP4 203.0.113.77\r\nt=0 0\r\nm=audio 40000 RTP/AVP" + list +
		"\r\n" + maps + "a=" + direction + "\r\n")
}

func loopDigit(d byte) loop.Fact { return loop.Fact{Kind: loop.DigitPressed, Digit: d, At: time.Now()} }
