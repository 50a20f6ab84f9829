package link

import (
	"bytes"
	"context"
	"encoding/binary"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/internal/audio"
	"parley/internal/codec"
	"parley/internal/fault"
	"parley/internal/mixer"
	"parley/internal/mixer/ear"
	"parley/internal/webhook/target"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	loopback = target.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})
	quiet    = slog.New(slog.DiscardHandler)
)

func TestOpenRefuses(t *testing.T) {
	for _, tt := range []struct{ host, format, reason string }{
		{"203.0.113.1", "", "EXTERNAL_MEDIA_INVALID"},
		{":4000", "", "EXTERNAL_MEDIA_INVALID"},
		{"example.com:0", "", "EXTERNAL_MEDIA_INVALID"},
		{"example.com:rtp", "", "EXTERNAL_MEDIA_INVALID"},
		{"example.com:4000", "opus", "EXTERNAL_MEDIA_INVALID"},
		{"127.0.0.1:4000", "", "EXTERNAL_MEDIA_REFUSED"},
		{"localhost:4000", "", "EXTERNAL_MEDIA_REFUSED"},
		{"[::ffff:10.0.0.1]:4000", "", "EXTERNAL_MEDIA_REFUSED"},
		{"169.254.169.254:80", "", "EXTERNAL_MEDIA_REFUSED"},
	} {
		l, err := Open(t.Context(), target.New(nil), Wish{Host: tt.host, Format: tt.format}, quiet)
		if fault.ReasonOf(err) != tt.reason {
			t.Errorf("%s: %v", tt.host, err)
		}
		if l != nil {
			l.Close()
		}
	}
}

// listener is the host outside.
func listener(t *testing.T) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

// TestBothWays: what the room says goes out on the room's clock, silence too, and what comes in is heard there; the sender's own sound is not sent back.
func TestBothWays(t *testing.T) {
	for name, f := range formats {
		t.Run(name, func(t *testing.T) {
			host := listener(t)
			l, err := Open(t.Context(), loopback, Wish{Host: host.LocalAddr().String(), Format: name, Listen: "both", Speak: "both"}, quiet)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			var running sync.WaitGroup
			running.Go(func() { l.Run(ctx) })
			defer running.Wait()
			defer cancel()
			r := mixer.New()
			if err := r.AddPlayer(l.Sound(true), nil); err != nil {
				t.Fatal(err)
			}
			r.AddTap(l.Tap("", true))
			mixed := mixer.NewRing("")
			r.AddTap(mixed)

			packets(t, f, host, l, r)
			_, loud := mixed.Next(make([]int16, ear.Samples))
			if !loud {
				t.Error("what came in was not heard")
			}
		})
	}
}

func packets(t *testing.T, f format, host *net.UDPConn, l *Link, r *mixer.Room) {
	t.Helper()
	encoder, err := codec.NewEncoder(f.Format, f.SampleRate)
	if err != nil {
		t.Fatal(err)
	}
	tone, pcm, buf := audio.NewTone(440, -10, f.SampleRate, 0), make([]int16, f.SampleRate/50), make([]byte, 2048)
	var last []byte
	for i := range 20 {
		tone.Read(pcm)
		packet := append(appendHeader(nil, f.payloadType, ear.Stamp{Sequence: uint16(65530 + i)}, 7), make([]byte, codec.MaxPayload)...)
		n, _ := encoder.Encode(packet[headerLen:], pcm)
		if _, err := host.WriteTo(packet[:headerLen+n], l.Addr()); err != nil {
			t.Fatal(err)
		}
		r.Tick(0)
		n, _, err := host.ReadFrom(buf)
		if err != nil {
			t.Fatal(err)
		}
		p := bytes.Clone(buf[:n])
		if p[0] != 0x80 || p[1]&0x7f != f.payloadType || len(p) != headerLen+f.sampleLen*f.SampleRate/50 {
			t.Fatalf("packet % x", p[:headerLen])
		}
		if (p[1]&0x80 != 0) != (i == 0) {
			t.Errorf("marker on packet %d: %v", i, p[1]&0x80 != 0)
		}
		if !codec.Silent(f.Format, p[headerLen:]) {
			t.Fatalf("packet %d sends the host's own sound back", i)
		}
		if last != nil {
			stamps := binary.BigEndian.Uint32(p[4:]) - binary.BigEndian.Uint32(last[4:])
			if binary.BigEndian.Uint16(p[2:]) != binary.BigEndian.Uint16(last[2:])+1 || stamps != uint32(f.SampleRate/50) || !bytes.Equal(p[8:12], last[8:12]) {
				t.Fatalf("% x after % x", p[:headerLen], last[:headerLen])
			}
		}
		last = p
	}
}

// TestHostAway: a host that is not there yet may come; a link to nobody ends like any other.
func TestHostAway(t *testing.T) {
	away := listener(t)
	at := away.LocalAddr().String()
	away.Close()
	l, err := Open(t.Context(), loopback, Wish{Host: at, Listen: "both"}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { l.Run(ctx) })
	r := mixer.New()
	r.AddTap(l.Tap("", false))
	for range 5 {
		r.Tick(0)
		wait := time.NewTimer(20 * time.Millisecond)
		<-wait.C
	}
	addr, err := net.ResolveUDPAddr("udp", at)
	if err != nil {
		t.Fatal(err)
	}
	back, err := net.ListenUDP("udp", addr)
	if err != nil {
		t.Skipf("the port is taken: %v", err)
	}
	defer back.Close()
	_ = back.SetDeadline(time.Now().Add(20 * time.Second))
	r.Tick(0)
	if _, _, err := back.ReadFrom(make([]byte, 2048)); err != nil {
		t.Errorf("nothing came to a host that is back: %v", err)
	}
	cancel()
	running.Wait()
}

// TestArrivals: short losses are made up for, late and foreign packets passed over, a host that begins anew is followed.
func TestArrivals(t *testing.T) {
	packet := func(seq uint16, ssrc uint32) []byte {
		return append(appendHeader(nil, 0, ear.Stamp{Sequence: seq}, ssrc), make([]byte, 160)...)
	}
	foreign := packet(11, 1)
	foreign[1] = 8
	for _, tt := range []struct {
		name    string
		packets [][]byte
		samples int
	}{
		{"in order", [][]byte{packet(10, 1), packet(11, 1)}, 320},
		{"across the end of numbers", [][]byte{packet(65535, 1), packet(0, 1)}, 320},
		{"two lost", [][]byte{packet(10, 1), packet(13, 1)}, 640},
		{"many lost", [][]byte{packet(10, 1), packet(200, 1)}, 320},
		{"late", [][]byte{packet(10, 1), packet(12, 1), packet(11, 1)}, 480},
		{"twice", [][]byte{packet(10, 1), packet(10, 1)}, 160},
		{"anew", [][]byte{packet(10000, 1), packet(10, 1)}, 320},
		{"another source", [][]byte{packet(10, 1), packet(5, 2)}, 320},
		{"foreign", [][]byte{packet(10, 1), foreign}, 160},
	} {
		a, err := newArrivals(formats["ulaw"])
		if err != nil {
			t.Fatal(err)
		}
		got := 0
		for _, p := range tt.packets {
			a.take(p, func(pcm []int16) { got += len(pcm) })
		}
		if got != tt.samples {
			t.Errorf("%s: %d samples, want %d", tt.name, got, tt.samples)
		}
	}
}

// FuzzTake: whatever comes is sound of a bounded length, or nothing.
func FuzzTake(f *testing.F) {
	f.Add([]byte("\x80\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03\xff\xff\xff\xff"))
	f.Add([]byte("\xb1\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03\x00\x00\x00\x04\xbe\xde\x00\x01\x01\x02\x03\x04ab\x00\x02"))
	f.Fuzz(func(t *testing.T, p []byte) {
		for _, format := range formats {
			a, err := newArrivals(format)
			if err != nil {
				t.Fatal(err)
			}
			total := 0
			play := func(pcm []int16) { total += len(pcm) }
			a.take(p, play)
			if later := bytes.Clone(p); len(later) > 4 {
				binary.BigEndian.PutUint16(later[2:], binary.BigEndian.Uint16(p[2:])+4)
				a.take(later, play)
			}
			if total > (concealMost+2)*len(p) {
				t.Errorf("%d samples of %d bytes", total, len(p))
			}
		}
	})
}
