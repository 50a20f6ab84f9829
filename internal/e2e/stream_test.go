package e2e

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// listener is a client of a media stream (rtp): it keeps what it hears and checks each packet.
type listener struct {
	s    *server
	rate int
	c    *websocket.Conn

	mu      sync.Mutex // guards what follows
	heard   []int16
	stamps  []uint32
	arrived []time.Time
	wrong   error
	closed  error
}

// listen opens a media stream of a conference or call, for example /conferences/ID.
func (s *server) listen(path string, rate int) *listener {
	s.t.Helper()
	url := fmt.Sprintf("ws://%s/v1.0%s/media_stream?encapsulation=rtp&rate=%d&accesskey=%s", s.http, path, rate, accessKey)
	c, _, err := websocket.Dial(s.t.Context(), url, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	l := &listener{s: s, rate: rate, c: c}
	done := make(chan struct{})
	go func() { defer close(done); l.read() }()
	s.t.Cleanup(func() { _ = c.CloseNow(); <-done })
	return l
}

func (l *listener) read() {
	last := -1
	for {
		_, b, err := l.c.Read(context.Background())
		l.mu.Lock()
		if err != nil {
			l.closed = err
			l.mu.Unlock()
			return
		}
		l.wrong = errors.Join(l.wrong, l.take(b, &last))
		l.mu.Unlock()
	}
}

func (l *listener) take(b []byte, last *int) error {
	if len(b) != 12+l.rate/50*2 || b[0] != 0x80 || b[1]&0x7f != 96 {
		return fmt.Errorf("a packet of %d bytes", len(b))
	}
	sequence := int(binary.BigEndian.Uint16(b[2:]))
	if *last >= 0 && sequence != (*last+1)&0xffff {
		return fmt.Errorf("packet %d after %d", sequence, *last)
	}
	*last = sequence
	l.stamps, l.arrived = append(l.stamps, binary.BigEndian.Uint32(b[4:])), append(l.arrived, time.Now())
	for b = b[12:]; len(b) > 0; b = b[2:] {
		l.heard = append(l.heard, int16(binary.LittleEndian.Uint16(b)))
	}
	return nil
}

// until waits for half a second in which a tone has a level.
func (l *listener) until(hertz float64, want string, good func(level float64) bool) {
	l.s.t.Helper()
	eventually(l.s.t, 30*time.Second, fmt.Sprintf("a stream hears %v Hz %s", hertz, want), func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.wrong != nil {
			l.s.t.Fatal(l.wrong)
		}
		n := len(l.heard) - l.rate/2
		if n < 0 {
			return errors.New("too little so far")
		}
		if level := power(l.rate, l.heard[n:], hertz); !good(level) {
			return fmt.Errorf("heard at %.1f dB", level)
		}
		return nil
	})
}

func (l *listener) hearsTone(hertz float64) {
	l.s.t.Helper()
	l.until(hertz, "at about -12 dB", func(level float64) bool { return level > -16 && level < -8 })
}

func (l *listener) hearsNone(hertz float64) {
	l.s.t.Helper()
	l.until(hertz, "not at all", func(level float64) bool { return level < -50 })
}

// say sends a tone as fast as it is heard, until stop is called. A frame that has begun is sent to its end: the library would cut the connection.
func (l *listener) say(hertz float64) (stop func()) {
	samples := tone(l.rate, hertz, time.Minute)
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for sequence := uint16(0); ctx.Err() == nil && len(samples) >= l.rate/50; sequence++ {
			b := binary.BigEndian.AppendUint32([]byte{0x80, 96, byte(sequence >> 8), byte(sequence)}, uint32(sequence)*uint32(l.rate/50))
			b = append(b, 0, 0, 0, 7)
			for _, v := range samples[:l.rate/50] {
				b = binary.LittleEndian.AppendUint16(b, uint16(v))
			}
			samples = samples[l.rate/50:]
			if err := l.c.Write(context.Background(), websocket.MessageBinary, b); err != nil {
				return
			}
			<-tick.C
		}
	})
	return func() { cancel(); all.Wait() }
}

// steady checks that the stream's time went on with the clock on the wall, whoever spoke.
func (l *listener) steady() {
	l.s.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.stamps) - 1
	for i := range n {
		if step := l.stamps[i+1] - l.stamps[i]; step%uint32(l.rate/50) != 0 || step == 0 {
			l.s.t.Fatalf("the time stamp went on by %d", step)
		}
	}
	stream := time.Duration(l.stamps[n]-l.stamps[0]) * time.Second / time.Duration(l.rate)
	if wall := l.arrived[n].Sub(l.arrived[0]); (stream - wall).Abs() > 500*time.Millisecond {
		l.s.t.Errorf("%v of stream in %v", stream, wall)
	}
}

// wantEnd waits for the close of the stream.
func (l *listener) wantEnd(code websocket.StatusCode, reason string) {
	l.s.t.Helper()
	eventually(l.s.t, 20*time.Second, "end of a stream", func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		var got websocket.CloseError
		if !errors.As(l.closed, &got) || got.Code != code || !strings.Contains(got.Reason, reason) {
			return fmt.Errorf("ended with %v", l.closed)
		}
		return nil
	})
}

// TestMediaStream has a client hear two phones and be heard by them, through silence too, until the conference ends.
func TestMediaStream(t *testing.T) {
	t.Parallel()
	const own, other = 1300, 2100
	p := newPair(t)
	room := "/conferences/" + p.room
	l, eight := p.s.listen(room, 16000), p.s.listen(room, 8000)
	for _, x := range []*listener{l, eight} {
		x.hearsTone(hertzA)
		x.hearsTone(hertzB)
	}
	stop := l.say(own)
	p.a.hearsTone(own)
	p.b.hearsTone(own)
	p.a.hearsNone(hertzA)
	eight.hearsTone(own)
	l.hearsNone(own)
	stop()
	p.a.hearsNone(own)

	p.s.must("POST", "/conferencecalls/"+p.partA+"/mute", nil)
	p.s.must("POST", "/conferencecalls/"+p.partB+"/mute", nil)
	l.hearsNone(hertzA)
	l.hearsNone(hertzB)
	p.s.must("DELETE", "/conferencecalls/"+p.partA+"/mute", nil)
	l.hearsTone(hertzA)
	l.steady()
	eight.steady()

	call := p.s.must("GET", "/conferencecalls/"+p.partA, nil)["reference_id"].(string)
	p.s.must("DELETE", "/conferencecalls/"+p.partB+"/mute", nil)
	leg := p.s.listen("/calls/"+call, 48000)
	leg.hearsTone(hertzA) // what it says
	leg.hearsTone(hertzB) // and what it hears
	stop = leg.say(other)
	p.a.hearsTone(other)
	stop()
	leg.steady()

	p.s.must("DELETE", room, nil)
	l.wantEnd(websocket.StatusNormalClosure, "the conference has ended")
	eight.wantEnd(websocket.StatusNormalClosure, "the conference has ended")
	leg.wantEnd(websocket.StatusNormalClosure, "over")
}

// TestMediaStreamAlone needs nobody in the conference: two clients hear each other, and learn that the server stops.
func TestMediaStreamAlone(t *testing.T) {
	t.Parallel()
	s := start(t)
	room := "/conferences/" + s.conference(nil)
	one, two := s.listen(room, 8000), s.listen(room, 48000)
	stop := one.say(hertzA)
	two.hearsTone(hertzA)
	one.hearsNone(hertzA)
	stop()
	two.hearsNone(hertzA)
	two.steady()
	s.stop()
	one.wantEnd(websocket.StatusGoingAway, "stopping")
	two.wantEnd(websocket.StatusGoingAway, "stopping")
}

// TestStreamsOutliveAStall stops the whole server for two seconds, as a machine does that swaps or moves: no client is blamed for that.
func TestStreamsOutliveAStall(t *testing.T) {
	t.Parallel()
	s := start(t)
	room := "/conferences/" + s.conference(nil)
	one, two := s.listen(room, 8000), s.listen(room, 48000)
	for range 3 {
		stop := one.say(hertzA)
		two.hearsTone(hertzA)
		if err := s.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2500 * time.Millisecond)
		if err := s.cmd.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		stop()
		two.hearsNone(hertzA)
	}
	for _, l := range []*listener{one, two} {
		l.mu.Lock()
		if l.closed != nil {
			t.Errorf("a stream was ended: %v", l.closed)
		}
		l.mu.Unlock()
	}
}
