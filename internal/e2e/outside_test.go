package e2e

import (
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"parley/internal/codec"
)

// outside is a host that a call is linked to by RTP: it sends a tone to whoever sends to it, and keeps what it hears.
type outside struct {
	conn *net.UDPConn

	mu    sync.Mutex // guards what follows
	heard []int16
	last  time.Time
	first time.Time
	stamp [2]uint32 // of the first packet and the last
	wrong error
}

func newOutside(t *testing.T, hertz float64) *outside {
	t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	o := &outside{conn: c}
	var all sync.WaitGroup
	peer := make(chan net.Addr, 1)
	all.Go(func() { o.listen(peer) })
	all.Go(func() { o.speak(peer, tone(8000, hertz, 2*time.Minute)) })
	t.Cleanup(func() { c.Close(); all.Wait() })
	return o
}

func (o *outside) listen(peer chan<- net.Addr) {
	defer close(peer)
	f, _ := codec.Find("PCMU")
	decoder, _ := codec.NewDecoder(f, 8000)
	buf, pcm := make([]byte, 2048), make([]int16, 960)
	for next := uint16(0); ; next++ {
		n, from, err := o.conn.ReadFrom(buf)
		if err != nil {
			return
		}
		o.mu.Lock()
		stamp := binary.BigEndian.Uint32(buf[4:])
		if o.last = time.Now(); o.first.IsZero() {
			o.first, o.stamp[0] = o.last, stamp
			peer <- from
		} else if seq := binary.BigEndian.Uint16(buf[2:]); seq != next || int32(stamp-o.stamp[1]) < 160 {
			o.wrong = fmt.Errorf("packet %d at %d after %d at %d", seq, stamp, next-1, o.stamp[1])
		}
		o.stamp[1] = stamp
		n, _ = decoder.Decode(pcm, buf[12:n])
		o.heard = append(o.heard, pcm[:n]...)
		o.mu.Unlock()
	}
}

func (o *outside) speak(peer <-chan net.Addr, samples []int16) {
	to, ok := <-peer
	if !ok {
		return
	}
	f, _ := codec.Find("PCMU")
	encoder, _ := codec.NewEncoder(f, 8000)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	packet := make([]byte, 12+codec.MaxPayload)
	packet[0] = 0x80
	for i := 0; len(samples) > 160; i++ {
		<-tick.C
		binary.BigEndian.PutUint16(packet[2:], uint16(i))
		binary.BigEndian.PutUint32(packet[4:], uint32(i*160))
		n, _ := encoder.Encode(packet[12:], samples[:160])
		if _, err := o.conn.WriteTo(packet[:12+n], to); err != nil {
			return
		}
		samples = samples[160:]
	}
}

// hears waits until the last second of what the host has heard has the one tone and not the other.
func (o *outside) hears(t *testing.T, want, not float64) {
	t.Helper()
	eventually(t, 10*time.Second, "the host outside to hear the caller", func() error {
		o.mu.Lock()
		defer o.mu.Unlock()
		if len(o.heard) < 8000 {
			return fmt.Errorf("%d samples", len(o.heard))
		}
		second := o.heard[len(o.heard)-8000:]
		if has, hasNot := power(8000, second, want), power(8000, second, not); has < -30 || hasNot > -50 {
			return fmt.Errorf("%.0f dB of %.0f Hz, %.0f dB of %.0f Hz", has, want, hasNot, not)
		}
		return nil
	})
}

// TestHostOutside links a call to a host by RTP: they hear each other in a flow and in a conference, by one stream whose time goes on, until the call ends.
func TestHostOutside(t *testing.T) {
	t.Parallel()
	needs(t, "baresip")
	s, host := start(t), newOutside(t, 1300)
	room := s.conference(nil)
	flow := s.must("POST", "/flows", object{"name": "link", "actions": []object{
		{"type": "answer"},
		{"type": "external_media_start", "option": object{"external_host": "169.254.169.254:80"}},
		{"type": "external_media_start", "option": object{"external_host": "127.0.0.1:9", "format": "slin16", "direction_listen": "in"}},
		{"type": "external_media_stop"},
		{"type": "external_media_start", "option": object{"external_host": host.conn.LocalAddr().String()}},
		{"type": "external_media_start", "option": object{"external_host": host.conn.LocalAddr().String()}},
		{"type": "digits_receive", "option": object{"key": "#", "duration": 60000}},
		{"type": "conference_join", "option": object{"conference_id": room}},
	}})
	p := newPhone(t, "PCMU", tone(8000, hertzA, 2*time.Minute), account{})
	p.enter("sip:" + flow["direct_hash"].(string) + "@" + s.sip)
	p.hearsTone(1300)
	host.hears(t, hertzA, 1300)
	s.presses(p, "", "#", 1)
	s.wait(room, "conferencecall_joined", 1)
	p.hearsTone(1300)
	host.hears(t, hertzA, 1300)
	p.hangup()
	eventually(t, 10*time.Second, "the stream to end", func() error {
		host.mu.Lock()
		defer host.mu.Unlock()
		if since := time.Since(host.last); since < time.Second {
			return fmt.Errorf("a packet came %v ago", since)
		}
		return nil
	})
	host.mu.Lock()
	defer host.mu.Unlock()
	if host.wrong != nil {
		t.Error(host.wrong)
	}
	stamps, passed := time.Duration(host.stamp[1]-host.stamp[0])*time.Second/8000, host.last.Sub(host.first)
	if d := (stamps - passed).Abs(); d > 150*time.Millisecond {
		t.Errorf("by the time stamps %v have passed, by the clock %v", stamps, passed)
	}
	outcomes := s.run()["outcomes"].([]any)
	for i, want := range map[int]string{1: "EXTERNAL_MEDIA_REFUSED", 5: "EXTERNAL_MEDIA_ACTIVE"} {
		if got := outcomes[i].(object)["reason"]; got != want {
			t.Errorf("action %d: %v, want %s", i, got, want)
		}
	}
	for i := 2; i < 5; i++ {
		if got := outcomes[i].(object)["outcome"]; got != "done" {
			t.Errorf("action %d: %v", i, outcomes[i])
		}
	}
}
