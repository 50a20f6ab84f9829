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

// TestLossIsConcealedOnce: on a steady network each lost packet costs one frame made up, and no delay.
func TestLossIsConcealedOnce(t *testing.T) {
	s := open(t, "PCMA", 16000)
	got := make([]int16, 320)
	concealed := 0
	for i := range 500 {
		now := time.Duration(i) * frameTime
		if i%25 != 20 {
			s.Receive(pcmu(uint16(i), uint32(i)*160, 5, 8, 0x12), alice, now)
		}
		if s.Pull(got, now+7*time.Millisecond).Concealed {
			concealed++
		}
	}
	if st := s.Stats(); concealed != 20 || st.Concealed != 20 || st.Lost != 20 || st.DelayMillis != 7 || math.Abs(st.LossPercent-4) > 0.2 {
		t.Errorf("%d concealed, %+v", concealed, st)
	}
}

// TestOtherCodec: the peer changes between agreed codecs, of other clocks, in the middle of the stream.
func TestOtherCodec(t *testing.T) {
	opus, ulaw := media("opus"), media("PCMU")
	opus.Accept = append(opus.Accept, ulaw.Codec)
	s := NewSession(1, 2, 3)
	if err := s.Configure(opus, 16000); err != nil {
		t.Fatal(err)
	}
	f, _ := codec.Find("opus")
	enc, err := codec.NewEncoder(f, 16000)
	if err != nil {
		t.Fatal(err)
	}
	tone, frame := audio.NewTone(440, -12, 16000, 0), make([]int16, 320)
	peer, payload, packet, got := open(t, "opus", 16000), make([]byte, codec.MaxPayload), make([]byte, 1500), make([]int16, 320)
	loud, concealed := 0, 0
	for i := range 300 {
		now := time.Duration(i) * frameTime
		tone.Read(frame)
		n, _ := enc.Encode(payload, frame)
		p := peer.Packet(packet, payload[:n])
		if i/50%2 == 1 {
			p = pcmu(binary.BigEndian.Uint16(p[2:]), binary.BigEndian.Uint32(p[4:])/6, 7, 0, 0x80)
		}
		s.Receive(p, alice, now)
		if s.Pull(got, now+3*time.Millisecond).Concealed {
			concealed++
		}
		if energy(got) > -20 {
			loud++
		}
	}
	if st := s.Stats(); loud < 290 || concealed > 0 || st.Refused > 0 || st.DelayMillis > 20 {
		t.Errorf("%d loud frames, %d concealed, %+v", loud, concealed, st)
	}
}

// TestNotToBeHeard: while we do not receive, what the peer sends counts as life and as nothing else.
func TestNotToBeHeard(t *testing.T) {
	s := open(t, "PCMU", 8000)
	m := media("PCMU")
	m.Direction = sdp.SendOnly
	got := make([]int16, 160)
	for i := range 150 {
		if i == 50 || i == 100 {
			if m.Direction = sdp.SendOnly; i == 100 {
				m.Direction = sdp.SendRecv
			}
			if err := s.Configure(m, 8000); err != nil {
				t.Fatal(err)
			}
		}
		now := time.Duration(i) * frameTime
		if !s.Receive(pcmu(uint16(i), uint32(i)*160, 5, 0, 0x80), alice, now) || s.LastPacket() != now {
			t.Fatal("refused")
		}
		f := s.Pull(got, now+time.Millisecond)
		if want := i < 50 || i >= 100; f.Audio != want || f.Concealed || (energy(got) > -100) != want {
			t.Errorf("frame %d: %+v, %.0f dB", i, f, energy(got))
		}
	}
}

// TestSilenceEndsWithTheSpeech: the first frame of silence still carries what the resampler holds, later ones are nothing.
func TestSilenceEndsWithTheSpeech(t *testing.T) {
	s := open(t, "PCMU", 48000)
	got := make([]int16, 960)
	for i := range 30 {
		fill := byte(0x90)
		if i >= 10 {
			fill = 0xff
		}
		now := time.Duration(i) * frameTime
		s.Receive(pcmu(uint16(i), uint32(i)*160, 5, 0, fill), alice, now)
		f := s.Pull(got, now)
		if want := i <= 10; f.Audio != want || (energy(got) > -100) != want {
			t.Errorf("frame %d: %+v, %.0f dB", i, f, energy(got))
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

// spy is a decoder that notes what it is asked for.
type spy struct {
	codec.Decoder
	recovered, concealed int
}

func (s *spy) Recover(dst []int16, next []byte) bool {
	ok := s.Decoder.Recover(dst, next)
	if ok {
		s.recovered++
	}
	return ok
}

func (s *spy) Conceal(dst []int16) {
	s.concealed++
	s.Decoder.Conceal(dst)
}

// TestRedundancyIsUsed: once losses have shown, most of them are mended from the packet that follows.
func TestRedundancyIsUsed(t *testing.T) {
	s, peer := open(t, "opus", 16000), open(t, "opus", 16000)
	watch := &spy{Decoder: s.lanes[0].decoder}
	s.lanes[0].decoder = watch
	enc, err := codec.NewEncoder(s.lanes[0].format, 16000)
	if err != nil {
		t.Fatal(err)
	}
	if opus, ok := enc.(*codec.OpusEncoder); ok {
		opus.SetPacketLoss(20)
	}
	frame, got := make([]int16, 320), make([]int16, 320)
	payload, packet := make([]byte, codec.MaxPayload), make([]byte, 1500)
	phase := 0.0
	for i := range 1000 {
		now := time.Duration(i) * frameTime
		for k := range frame { // a voice: harmonics of a pitch that moves, syllables
			at := float64(i*320+k) / 16000
			phase += 2 * math.Pi * (125 + 30*math.Sin(4*at)) / 16000
			v := 0.0
			for h := 1.0; h < 20; h++ {
				v += math.Sin(phase*h) / h * (1 + 0.8*math.Sin(7*at+h))
			}
			frame[k] = int16(4500 * v * (0.55 + 0.45*math.Sin(14*at)))
		}
		n, err := enc.Encode(payload, frame)
		if err != nil {
			t.Fatal(err)
		}
		if p := peer.Packet(packet, payload[:n]); i%20 != 10 {
			s.Receive(p, alice, now)
		}
		s.Pull(got, now+3*time.Millisecond)
	}
	if watch.recovered < 35 || watch.recovered+watch.concealed > 53 {
		t.Errorf("of 50 losses %d were mended, %d frames made up", watch.recovered, watch.concealed)
	}
}
