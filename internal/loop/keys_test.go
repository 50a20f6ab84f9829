package loop

import (
	"encoding/binary"
	"net"
	"testing"
	"time"

	"parley/internal/audio"
	"parley/internal/fault"
	"parley/internal/loop/touchtone"
	"parley/internal/sdp"
)

func (r *rig) digits(s *Session, keys string, duration, gap time.Duration) <-chan struct{} {
	r.t.Helper()
	var done <-chan struct{}
	var err error
	r.do(func() { done, err = s.SendDigits(keys, duration, gap) })
	if err != nil {
		r.t.Fatal(err)
	}
	return done
}

func ended(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// TestSendDigits presses keys for a phone in a room and for one in none; a second session of ours reads the packets.
func TestSendDigits(t *testing.T) {
	for _, inRoom := range []bool{true, false} {
		r := newRig(t, 1)
		a := newPeer(t, 0)
		s := r.session(a, "PCMU")
		room := r.e.NewRoom()
		if inRoom {
			r.enter(room, s, PortOptions{Tag: "a"})
		}
		r.talk(5, a)
		first := r.digits(s, "1w#", 100*time.Millisecond, 80*time.Millisecond)
		second := r.digits(s, "d", 0, 0)
		type packet struct {
			seq    uint16
			stamp  uint32
			marker bool
			key    byte
			end    bool
			length int
		}
		var events []packet
		audio := 0
		frames := 0
		var endOfFirst int
		for ; !ended(second); frames++ {
			if frames > 100 {
				t.Fatal("the keys do not end")
			}
			a.speak()
			r.frame()
			for a.poll(func(p []byte) {
				if p[1]&127 != 101 {
					audio++
					return
				}
				events = append(events, packet{
					binary.BigEndian.Uint16(p[2:]), binary.BigEndian.Uint32(p[4:]), p[1]&128 != 0, p[12], p[13]&128 != 0, int(binary.BigEndian.Uint16(p[14:])),
				})
			}) {
				continue
			}
			if ended(first) && endOfFirst == 0 {
				endOfFirst = frames + 1
			}
		}
		// 100 ms and 80, half a second, 100 and 80, and then 100 and 100.
		if endOfFirst != 9+25+9 || frames != 9+25+9+10 {
			t.Errorf("in a room %v: the first took %d frames, both %d", inRoom, endOfFirst, frames)
		}
		if len(events) != 3*7 {
			t.Fatalf("in a room %v: %d events", inRoom, len(events))
		}
		for i, e := range events {
			n := i%7 + 1
			want := packet{e.seq, events[i/7*7].stamp, n == 1, []byte{1, 11, 15}[i/7], n >= 5, 160 * min(n, 5)}
			if e != want {
				t.Errorf("event %d: %+v, want %+v", i, e, want)
			}
		}
		if d := events[7].stamp - events[0].stamp; d != 160*(9+25) {
			t.Errorf("the second press began %d later", d)
		}
		if inRoom && audio != frames-3*7 || !inRoom && audio != 0 {
			t.Errorf("in a room %v: %d packets of audio in %d frames", inRoom, audio, frames)
		}
	}
}

// TestDigitsAsTones sends keys to a phone that takes no events: it hears the two sines.
func TestDigitsAsTones(t *testing.T) {
	for _, name := range []string{"PCMU", "G722", "opus"} {
		r := newRig(t, 1)
		a := newPeer(t, 0)
		a.open(name)
		s, err := r.e.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		a.to = net.UDPAddrFromAddrPort(s.Local())
		m := a.media(name)
		m.DTMF, m.DTMFRate = 0, 0
		r.do(func() { err = s.Apply(m) })
		if err != nil {
			t.Fatal(err)
		}
		room := r.e.NewRoom()
		r.enter(room, s, PortOptions{Tag: "a"})
		b := newPeer(t, 300)
		r.enter(room, r.session(b, "PCMU"), PortOptions{Tag: "b"})
		r.talk(20, a, b)
		a.forget()
		done := r.digits(s, "5", 200*time.Millisecond, 100*time.Millisecond)
		r.talk(10, a, b)
		for _, hz := range []float64{770, 1336} {
			if got := a.level(hz); got < touchtone.Level-3 || got > touchtone.Level+2 {
				t.Errorf("%s: %v Hz at %.1f dBov", name, hz, got)
			}
		}
		for _, hz := range []float64{697, 1209, 300} {
			if got := a.level(hz); got > -38 {
				t.Errorf("%s: %v Hz at %.1f dBov", name, hz, got)
			}
		}
		r.talk(5, a, b)
		if !ended(done) {
			t.Errorf("%s: not done", name)
		}
		a.forget()
		r.talk(30, a, b)
		a.hears(name, []float64{300}, 770)
		if a.other > 0 {
			t.Errorf("%s: %d other packets", name, a.other)
		}
	}
}

// TestDigitsWait holds a call while keys go out: they wait, and go on by what is agreed on then.
func TestDigitsWait(t *testing.T) {
	r := newRig(t, 1)
	a := newPeer(t, 0)
	s := r.session(a, "PCMU")
	room := r.e.NewRoom()
	r.enter(room, s, PortOptions{Tag: "a"})
	apply := func(change func(*sdp.Media)) {
		t.Helper()
		m := a.media("PCMU")
		change(&m)
		var err error
		r.do(func() { err = s.Apply(m) })
		if err != nil {
			t.Fatal(err)
		}
	}
	r.talk(5, a)
	done := r.digits(s, "12", 0, 0)
	r.talk(2, a)
	apply(func(m *sdp.Media) { m.Direction = sdp.Inactive })
	a.forget()
	r.talk(50, a)
	if ended(done) || a.other != 0 {
		t.Errorf("on hold: done %v, %d events", ended(done), a.other)
	}
	apply(func(m *sdp.Media) { m.DTMF = 0 })
	r.talk(18, a)
	if !ended(done) || a.other != 0 {
		t.Errorf("done %v, %d events", ended(done), a.other)
	}
	waiting := r.digits(s, "1234567890", 0, 0)
	r.talk(1, a)
	r.do(s.Close)
	if !ended(waiting) {
		t.Error("the end of the session leaves somebody waiting")
	}
}

func TestSendDigitsRefuses(t *testing.T) {
	r := newRig(t, 1)
	fresh, err := r.e.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fresh.SendDigits("1", 0, 0); fault.ReasonOf(err) != "MEDIA_NOT_AGREED" {
		t.Error(err)
	}
	s := r.session(newPeer(t, 0), "PCMU")
	for _, keys := range []string{"", "x", "1 2", "١", "1\x00"} {
		if _, err := s.SendDigits(keys, 0, 0); fault.ReasonOf(err) != "DIGITS_INVALID" {
			t.Errorf("%q: %v", keys, err)
		}
	}
	for _, d := range []time.Duration{-1, time.Hour} {
		if _, err := s.SendDigits("1", d, 0); fault.ReasonOf(err) != "DIGITS_INVALID" {
			t.Errorf("%v: %v", d, err)
		}
		if _, err := s.SendDigits("1", 0, d); fault.ReasonOf(err) != "DIGITS_INVALID" {
			t.Errorf("%v: %v", d, err)
		}
	}
	for range mostKeyings {
		r.digits(s, "1", 0, 0)
	}
	r.do(func() { _, err = s.SendDigits("1", 0, 0) })
	if fault.ReasonOf(err) != "DIGITS_EXHAUSTED" {
		t.Error(err)
	}
	r.do(s.Close)
	if _, err := s.SendDigits("1", 0, 0); fault.ReasonOf(err) != "SESSION_CLOSED" {
		t.Error(err)
	}
}

// TestEcho lets a port hear itself, alone and among others, and not any more.
func TestEcho(t *testing.T) {
	for _, name := range []string{"PCMU", "G722", "opus"} {
		r := newRig(t, 1)
		room := r.e.NewRoom()
		a, b := newPeer(t, 400), newPeer(t, 700)
		a.open(name)
		a.tone = audio.NewTone(400, -20, a.format.Rate(8000), 0)
		port := r.enter(room, r.session(a, name), PortOptions{Tag: "a", Echo: true})
		r.talk(60, a)
		a.forget()
		r.talk(30, a)
		if got := a.level(400); got < -24 {
			t.Errorf("%s: hears itself at %.1f dBov", name, got)
		}
		r.enter(room, r.session(b, "PCMU"), PortOptions{Tag: "b"})
		r.talk(60, a, b)
		a.forget()
		b.forget()
		r.talk(30, a, b)
		b.hears("b", []float64{400}, 700)
		if got := a.level(400); got < -24 {
			t.Errorf("%s: among others: hears itself at %.1f dBov", name, got)
		}
		r.do(func() { port.Set(PortOptions{}) })
		r.talk(10, a, b)
		a.forget()
		r.talk(30, a, b)
		a.hears("a", []float64{700}, 400)
		r.do(func() { port.Set(PortOptions{Echo: true, Muted: true}) })
		r.talk(10, a, b)
		a.forget()
		r.talk(30, a, b)
		a.hears("a, muted", []float64{700}, 400)
	}
}
