package room_test

import (
	"errors"
	"sync"
	"time"

	"parley/internal/loop"
	"parley/internal/mixer"
	"parley/internal/room"
)

// fakeMedia stands in for the media loop: ports remember what they were told, the test says what is heard.
type fakeMedia struct {
	mu     sync.Mutex // guards all fields
	ports  map[string]*fakePort
	open   int  // mixers
	refuse bool // Enter fails
}

type fakeMixer struct {
	media *fakeMedia
	facts chan loop.Fact
	ports map[string]*fakePort
}

type fakePort struct {
	mixer   *fakeMixer
	options loop.PortOptions
	silence time.Duration
	last    time.Time // of the last packet; zero: as silence says
}

func newFakeMedia() *fakeMedia { return &fakeMedia{ports: map[string]*fakePort{}} }

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
	return p, nil
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
	for tag := range x.ports {
		delete(x.media.ports, tag)
	}
	close(x.facts)
}

func (p *fakePort) Set(o loop.PortOptions) {
	p.mixer.media.mu.Lock()
	defer p.mixer.media.mu.Unlock()
	p.options = o
}

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
	delete(p.mixer.media.ports, p.options.Tag)
}

// tell makes the loop notice something of a participant, if it is in a mixer.
func (m *fakeMedia) tell(id string, kind loop.FactKind, digit byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.ports[id]; p != nil {
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
