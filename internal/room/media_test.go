package room_test

import (
	"errors"
	"slices"
	"sync"
	"time"

	"parley/internal/loop"
	"parley/internal/mixer"
	"parley/internal/room"
)

// fakeMedia stands in for the media loop: ports remember what they were told, the test says what is heard.
type fakeMedia struct {
	mu      sync.Mutex // guards all fields
	ports   map[string]*fakePort
	open    int // mixers
	players map[*fakePlayer]bool
	flows   map[string]bool // participants whose packets have come
	refuse  bool            // Enter fails
}

type fakeMixer struct {
	media  *fakeMedia
	facts  chan loop.Fact
	ports  map[string]*fakePort
	closed bool
}

type fakePort struct {
	mixer   *fakeMixer
	options loop.PortOptions
	silence time.Duration
	last    time.Time // of the last packet; zero: as silence says
}

func newFakeMedia() *fakeMedia {
	return &fakeMedia{ports: map[string]*fakePort{}, players: map[*fakePlayer]bool{}, flows: map[string]bool{}}
}

func (m *fakeMedia) NewRoom() room.Mixer {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.open++
	return &fakeMixer{media: m, facts: make(chan loop.Fact, 4096), ports: map[string]*fakePort{}}
}

func (x *fakeMixer) Enter(_ *loop.Session, o loop.PortOptions) (room.Port, error) {
	time.Sleep(5 * time.Millisecond) // a tick of the loop
	x.media.mu.Lock()
	defer x.media.mu.Unlock()
	if x.media.refuse {
		return nil, errors.New("session is closed")
	}
	p := &fakePort{mixer: x, options: o, silence: -1}
	x.ports[o.Tag], x.media.ports[o.Tag] = p, p
	if x.media.flows[o.Tag] { // as the loop does, whatever room it was in before
		x.facts <- loop.Fact{Tag: o.Tag, Kind: loop.Connected, At: time.Now()}
	}
	return p, nil
}

func (x *fakeMixer) Pour(mixer.Sound) (room.Player, error) {
	return x.Play(loop.PlayOptions{Repeat: true, Rate: 8000}, nil)
}

// Play remembers what is played, to whom; it ends by itself after its length.
func (x *fakeMixer) Play(o loop.PlayOptions, to room.Port) (room.Player, error) {
	time.Sleep(5 * time.Millisecond) // a tick of the loop
	x.media.mu.Lock()
	defer x.media.mu.Unlock()
	p := &fakePlayer{media: x.media, mixer: x, samples: len(o.Samples), done: make(chan struct{})}
	if to != nil {
		p.to = to.(*fakePort).options.Tag
	}
	if x.closed {
		return nil, errors.New("room is closed")
	}
	x.media.players[p] = true
	if !o.Repeat {
		p.timer = time.AfterFunc(time.Duration(len(o.Samples))*time.Second/time.Duration(o.Rate), p.Stop)
	}
	return p, nil
}

type fakePlayer struct {
	media   *fakeMedia
	mixer   *fakeMixer
	to      string // "" for all
	samples int    // tells sounds apart
	timer   *time.Timer
	done    chan struct{}
}

func (p *fakePlayer) Done() <-chan struct{} { return p.done }

func (p *fakePlayer) Stop() {
	p.media.mu.Lock()
	defer p.media.mu.Unlock()
	p.end()
}

func (p *fakePlayer) end() {
	if p.media.players[p] {
		delete(p.media.players, p)
		close(p.done)
	}
}

// heard returns how long the sounds are, in samples, that a participant hears: alone, and with all others of its mix.
func (m *fakeMedia) heard(id string) (alone, all []int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for p := range m.players {
		switch {
		case p.to == id:
			alone = append(alone, p.samples)
		case p.to == "" && m.ports[id] != nil && m.ports[id].mixer == p.mixer:
			all = append(all, p.samples)
		}
	}
	slices.Sort(alone)
	slices.Sort(all)
	return alone, all
}

// Tap shows the tap a tick every 20 ms: a steady frame of everybody who may be heard.
func (x *fakeMixer) Tap(t mixer.Tap) (remove func()) {
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		frame := make([]int16, 160)
		for i := range frame {
			frame[i] = 1000
		}
		for clock := uint64(0); ; clock += 960 {
			select {
			case <-tick.C:
				m := mixer.Moment{Clock: clock, Rate: 8000}
				x.media.mu.Lock()
				for tag, p := range x.ports {
					if !p.options.Muted && !p.options.Held {
						m.Voices = append(m.Voices, mixer.Voice{Tag: tag, Frame: frame})
					}
				}
				x.media.mu.Unlock()
				t.See(m)
			case <-stop:
				return
			}
		}
	}()
	return func() { close(stop); <-done }
}

func (x *fakeMixer) Facts() <-chan loop.Fact { return x.facts }

func (x *fakeMixer) Close() {
	time.Sleep(5 * time.Millisecond) // a tick of the loop
	x.media.mu.Lock()
	defer x.media.mu.Unlock()
	x.media.open--
	x.closed = true
	for tag, p := range x.ports {
		if x.media.ports[tag] == p {
			delete(x.media.ports, tag)
		}
	}
	for p := range x.media.players {
		if p.mixer == x {
			p.end()
		}
	}
	close(x.facts)
}

func (p *fakePort) Set(o loop.PortOptions) {
	p.mixer.media.mu.Lock()
	defer p.mixer.media.mu.Unlock()
	p.options = o
}

func (p *fakePort) Level() int { return -30 }

func (p *fakePort) Silence() time.Duration {
	p.mixer.media.mu.Lock()
	defer p.mixer.media.mu.Unlock()
	if !p.last.IsZero() {
		return time.Since(p.last)
	}
	return p.silence
}

func (p *fakePort) Leave() {
	time.Sleep(5 * time.Millisecond) // a tick of the loop
	p.mixer.media.mu.Lock()
	defer p.mixer.media.mu.Unlock()
	delete(p.mixer.ports, p.options.Tag)
	if p.mixer.media.ports[p.options.Tag] == p {
		delete(p.mixer.media.ports, p.options.Tag)
	}
	for x := range p.mixer.media.players {
		if x.mixer == p.mixer && x.to == p.options.Tag {
			x.end()
		}
	}
}

// tell makes the loop notice something of a participant, if it is in a mixer.
func (m *fakeMedia) tell(id string, kind loop.FactKind, digit byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.ports[id]; p != nil {
		m.flows[id] = m.flows[id] || kind == loop.Connected
		p.mixer.facts <- loop.Fact{Tag: id, Kind: kind, Digit: digit, At: time.Now()}
	}
}

// silent makes the participant's packets stop now.
func (m *fakeMedia) silent(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ports[id].last = time.Now()
}

// port returns what the mixer has been told about a participant.
func (m *fakeMedia) port(id string) (o loop.PortOptions, there bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.ports[id]
	if p == nil {
		return o, false
	}
	return p.options, true
}

func (m *fakeMedia) count() (ports, mixers int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.ports), m.open
}
