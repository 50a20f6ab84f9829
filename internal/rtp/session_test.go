package rtp

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"parley/internal/audio"
	"parley/internal/codec"
	"parley/internal/sdp"
)

var (
	alice    = netip.MustParseAddrPort("127.0.0.1:4000")
	stranger = netip.MustParseAddrPort("127.0.0.2:4000")
)

// media is what was agreed with alice.
func media(name string) sdp.Media {
	f, _ := codec.Find(name)
	c := sdp.Codec{Name: f.Name, PayloadType: f.PayloadType, ClockRate: f.ClockRate, Channels: f.Channels}
	return sdp.Media{
		Remote: alice, RemoteRTCP: netip.AddrPortFrom(alice.Addr(), alice.Port()+1), Codec: c, Accept: []sdp.Codec{c},
		DTMF: 101, DTMFRate: f.ClockRate, Direction: sdp.SendRecv, Ptime: 20,
	}
}

func open(t testing.TB, name string, rate int) *Session {
	t.Helper()
	s := NewSession(7, 65530, 1<<32-1000)
	if err := s.Configure(media(name), rate); err != nil {
		t.Fatal(err)
	}
	return s
}

// energy is the mean square of samples in dB relative to full scale.
func energy(samples []int16) float64 {
	var sum float64
	for _, x := range samples {
		sum += float64(x) * float64(x)
	}
	return 10 * math.Log10(sum/float64(len(samples))/(32768*32768)+1e-12)
}

// TestEndToEnd sends a tone from one session to another over a network with loss, in each codec, between rooms of each rate.
func TestEndToEnd(t *testing.T) {
	for _, name := range []string{"PCMU", "PCMA", "G722", "opus"} {
		for _, rate := range []int{8000, 16000, 48000} {
			for _, loss := range []float64{0, 0.05} {
				from, to := open(t, name, rate), open(t, name, rate)
				f, ok := from.Sending()
				if !ok {
					t.Fatal("not sending")
				}
				enc, err := codec.NewEncoder(f, f.Rate(rate))
				if err != nil {
					t.Fatal(err)
				}
				tone := audio.NewTone(440, -12, f.Rate(rate), 0)
				frame, got := make([]int16, f.Rate(rate)/50), make([]int16, rate/50)
				payload, packet := make([]byte, codec.MaxPayload), make([]byte, 1500)
				r := rand.New(rand.NewPCG(1, 2))
				var heard []int16
				for i := range 300 {
					now := time.Duration(i) * frameTime
					tone.Read(frame)
					n, err := enc.Encode(payload, frame)
					if err != nil {
						t.Fatal(err)
					}
					p := from.Packet(packet, payload[:n])
					if r.Float64() >= loss && !to.Receive(p, alice, now) {
						t.Fatal("refused")
					}
					to.Pull(got, now+3*time.Millisecond)
					if i > 50 {
						heard = append(heard, got...)
					}
				}
				level, want := energy(heard), -12.0
				if math.Abs(level-want) > 1.5 {
					t.Errorf("%s at %d Hz, loss %v: %.1f dB, want about %.1f", name, rate, loss, level, want)
				}
				st := to.Stats()
				if loss == 0 && (st.Lost != 0 || st.Concealed != 0 || st.MOS < 4.2) || loss > 0 && (st.Concealed == 0 || st.MOS > 4.2) {
					t.Errorf("%s at %d Hz, loss %v: %+v", name, rate, loss, st)
				}
			}
		}
	}
}

// pcmu makes a packet of 20 ms by hand.
func pcmu(seq uint16, stamp, ssrc uint32, pt byte, fill byte) []byte {
	p := make([]byte, 172)
	p[0], p[1] = 0x80, pt
	binary.BigEndian.PutUint16(p[2:], seq)
	binary.BigEndian.PutUint32(p[4:], stamp)
	binary.BigEndian.PutUint32(p[8:], ssrc)
	for i := 12; i < len(p); i++ {
		p[i] = fill
	}
	return p
}

func TestStrangersChangeNothing(t *testing.T) {
	s := open(t, "PCMU", 8000)
	got := make([]int16, 160)
	for i := range 100 {
		now := time.Duration(i) * frameTime
		for k := range 3 { // louder, more, before and after the real one
			if s.Receive(pcmu(uint16(1000+3*i+k), uint32(i)*160, 99, 0, 0x80), stranger, now) {
				t.Fatal("a stranger was believed")
			}
		}
		if i >= 10 && !s.Receive(pcmu(uint16(i), uint32(i)*160, 5, 0, 0xff), alice, now) {
			t.Fatal("alice was refused")
		}
		s.Pull(got, now+time.Millisecond)
		if level := energy(got); level > -100 {
			t.Fatalf("frame %d: %v dB of a stranger are heard", i, level)
		}
		if s.RTPTarget() != alice {
			t.Fatalf("audio would go to %v", s.RTPTarget())
		}
	}
	if st := s.Stats(); st.Refused != 300 || st.PacketsIn != 90 {
		t.Errorf("%+v", st)
	}
}

func TestLatch(t *testing.T) {
	natted := netip.MustParseAddrPort("127.0.0.1:61000")
	s := open(t, "PCMU", 8000)
	for i := range votesNeeded - 1 {
		if s.Receive(pcmu(uint16(i), 0, 5, 0, 0xff), natted, 0) || s.RTPTarget() != alice {
			t.Fatal("believed too early")
		}
	}
	if !s.Receive(pcmu(9, 0, 5, 0, 0xff), natted, 0) || s.RTPTarget() != natted {
		t.Fatal("another port of the signalled address is not believed")
	}
	if s.Receive(pcmu(10, 0, 5, 0, 0xff), alice, 0) {
		t.Error("a second address is believed after the latch")
	}
	m := media("PCMU")
	if err := s.Configure(m, 8000); err != nil || s.RTPTarget() != natted {
		t.Errorf("the latch opened though the address did not change: %v", err)
	}
	m.Remote = stranger
	if err := s.Configure(m, 8000); err != nil || s.RTPTarget() != stranger {
		t.Errorf("signalling did not move the target: %v", err)
	}
	if !s.Receive(pcmu(11, 0, 5, 0, 0xff), stranger, 0) {
		t.Error("the newly signalled address is not believed")
	}
}

func TestRTCPMovesNothing(t *testing.T) {
	s := open(t, "PCMU", 8000)
	bye := []byte{0x81, 203, 0, 1, 0, 0, 0, 5}
	if s.ReceiveRTCP(bye, stranger, 0) || !s.ReceiveRTCP(bye, alice, 0) || s.RTPTarget() != alice || s.Connected() {
		t.Error("RTCP changed something")
	}
}

func TestOldHold(t *testing.T) {
	s := open(t, "PCMU", 8000)
	m := media("PCMU")
	m.Remote, m.Direction = netip.MustParseAddrPort("0.0.0.0:4000"), sdp.Inactive
	if err := s.Configure(m, 8000); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.Sending(); ok || s.RTPTarget().IsValid() {
		t.Error("audio goes to 0.0.0.0")
	}
	if err := s.Configure(media("PCMU"), 8000); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.Sending(); !ok {
		t.Error("not sending after hold")
	}
}

func TestNewSource(t *testing.T) {
	s := open(t, "PCMU", 8000)
	s.Receive(pcmu(1, 0, 5, 0, 0xff), alice, 0)
	if s.Receive(pcmu(1, 0, 6, 0, 0xff), alice, time.Millisecond) {
		t.Error("a second source right after the first")
	}
	if !s.Receive(pcmu(40000, 77777, 6, 0, 0xff), alice, 2*time.Second) {
		t.Error("a new source is refused")
	}
}

// event makes a telephone-event packet.
func event(seq uint16, stamp uint32, code byte, end bool, duration uint16) []byte {
	p := pcmu(seq, stamp, 5, 101, 0)[:16]
	p[12] = code
	if end {
		p[13] = 0x80
	}
	binary.BigEndian.PutUint16(p[14:], duration)
	return p
}

func TestDigits(t *testing.T) {
	for name, c := range map[string]struct {
		packets [][]byte
		want    string
	}{
		"one press":       {[][]byte{event(1, 0, 5, false, 160), event(2, 0, 5, false, 320), event(3, 0, 5, true, 480), event(4, 0, 5, true, 480), event(5, 0, 5, true, 480)}, "5"},
		"ends only":       {[][]byte{event(3, 0, 11, true, 480), event(4, 0, 11, true, 480)}, "#"},
		"start only":      {[][]byte{event(1, 0, 10, false, 160), event(9, 4000, 1, false, 160)}, "*1"},
		"same key twice":  {[][]byte{event(1, 0, 1, true, 160), event(2, 1600, 1, true, 160)}, "11"},
		"duplicates":      {[][]byte{event(1, 0, 1, true, 160), event(1, 0, 1, true, 160), event(2, 0, 1, true, 160)}, "1"},
		"late old one":    {[][]byte{event(5, 1600, 2, true, 160), event(1, 0, 1, true, 160)}, "2"},
		"long press":      {[][]byte{event(1, 0, 15, false, 0xffff), event(2, 0xffff, 15, false, 100)}, "D"},
		"not a digit":     {[][]byte{event(1, 0, 16, true, 160)}, ""},
		"too short":       {[][]byte{event(1, 0, 1, true, 160)[:14]}, ""},
		"timestamps wrap": {[][]byte{event(1, 0xffffff00, 1, true, 160), event(2, 0x100, 2, true, 160)}, "12"},
	} {
		s := open(t, "PCMU", 8000)
		for i, p := range c.packets {
			s.Receive(p, alice, time.Duration(i)*frameTime)
		}
		got := ""
		for d, ok := s.Digit(); ok; d, ok = s.Digit() {
			got += string(d)
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestReportsCross(t *testing.T) {
	a, b := open(t, "PCMU", 8000), open(t, "PCMU", 8000)
	b.out.ssrc = 9
	packet, buf := make([]byte, 1500), make([]byte, 1500)
	got := make([]int16, 160)
	for i := range 1500 {
		now := time.Duration(i) * frameTime
		if p := a.Packet(packet, make([]byte, 160)); i%10 != 0 {
			b.Receive(p, alice, now)
		}
		a.Receive(b.Packet(packet, make([]byte, 160)), alice, now)
		if r := a.RTCP(buf, now); r != nil && !b.ReceiveRTCP(r, alice, now) {
			t.Fatal("report refused")
		}
		if r := b.RTCP(buf, now); r != nil && !a.ReceiveRTCP(r, alice, now) {
			t.Fatal("report refused")
		}
		a.Pull(got, now)
		b.Pull(got, now)
	}
	if st := a.Stats(); math.Abs(st.RemoteLossPercent-10) > 2 || st.RTTMillis < 0 || st.RTTMillis > 1 {
		t.Errorf("a: %+v", st)
	}
	if st := b.Stats(); math.Abs(st.LossPercent-10) > 1 || st.JitterMillis > 1 {
		t.Errorf("b: %+v", st)
	}
}

func TestMOS(t *testing.T) {
	for _, c := range []struct {
		codec string
		loss  float64
		delay time.Duration
		want  float64
	}{{"PCMU", 0, 0, 4.41}, {"PCMU", 0, 150 * time.Millisecond, 4.32}, {"PCMU", 5, 50 * time.Millisecond, 3.90}, {"PCMU", 20, 50 * time.Millisecond, 2.53}, {"PCMU", 100, time.Second, 1}} {
		if got := MOS(c.codec, c.loss, c.delay); math.Abs(got-c.want) > 0.12 {
			t.Errorf("MOS of %+v is %.2f", c, got)
		}
	}
}

func TestNothingIsAllocated(t *testing.T) {
	for _, name := range []string{"PCMU", "G722", "opus"} {
		s := open(t, name, 48000)
		f, _ := s.Sending()
		enc, _ := codec.NewEncoder(f, f.Rate(48000))
		frame, got := make([]int16, f.Rate(48000)/50), make([]int16, 960)
		payload, packet, buf := make([]byte, codec.MaxPayload), make([]byte, 1500), make([]byte, 1500)
		for i := range frame {
			frame[i] = int16(i * 37)
		}
		now := time.Duration(0)
		if n := testing.AllocsPerRun(500, func() {
			k, _ := enc.Encode(payload, frame)
			s.Receive(s.Packet(packet, payload[:k]), alice, now)
			s.Pull(got, now)
			s.RTCP(buf, now)
			s.Digit()
			now += frameTime
		}); n != 0 {
			t.Errorf("%s: %v allocations per frame", name, n)
		}
	}
}

func FuzzReceive(f *testing.F) {
	f.Add(pcmu(1, 0, 5, 0, 0xff))
	f.Add(event(1, 0, 5, true, 160))
	f.Add([]byte{0xbf, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 9})
	f.Fuzz(func(t *testing.T, packet []byte) {
		for _, name := range []string{"PCMU", "opus"} {
			s := open(t, name, 16000)
			got := make([]int16, 320)
			for i := range 4 {
				p := append([]byte(nil), packet...)
				if len(p) > 3 {
					p[3] += byte(i)
				}
				s.Receive(p, alice, time.Duration(i)*frameTime)
				s.Pull(got, time.Duration(i)*frameTime)
				s.Digit()
			}
		}
	})
}

func FuzzReceiveRTCP(f *testing.F) {
	s := open(f, "PCMU", 8000)
	s.Receive(pcmu(1, 0, 5, 0, 0xff), alice, 0)
	s.Packet(make([]byte, 1500), make([]byte, 160))
	f.Add(append([]byte(nil), s.report(make([]byte, 1500), time.Second, true)...))
	f.Add([]byte{0x81, 200, 0, 1, 0, 0, 0, 5})
	f.Fuzz(func(t *testing.T, packet []byte) {
		s := open(t, "PCMU", 8000)
		s.ReceiveRTCP(packet, alice, time.Second)
		if s.RTPTarget() != alice {
			t.Error("RTCP moved the target")
		}
	})
}
