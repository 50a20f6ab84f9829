package rtp

import (
	"runtime"
	"testing"
	"time"

	"parley/internal/codec"
)

// BenchmarkFrame is what one participant costs each 20 ms without mixing and encoding: a packet in, a frame out, a packet out.
func BenchmarkFrame(b *testing.B) {
	for _, name := range []string{"PCMU", "G722", "opus"} {
		for _, sound := range []string{"speech", "silence"} {
			b.Run(name+"/"+sound, func(b *testing.B) {
				f, _ := codec.Find(name)
				rate := f.Rate(16000)
				s, peer := open(b, name, 16000), open(b, name, 16000)
				enc, err := codec.NewEncoder(f, rate)
				if err != nil {
					b.Fatal(err)
				}
				frame, got := make([]int16, rate/50), make([]int16, 320)
				if sound == "speech" {
					for i := range frame {
						frame[i] = int16(i * 199)
					}
				}
				payload, packet := make([]byte, codec.MaxPayload), make([]byte, 1500)
				n, err := enc.Encode(payload, frame)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportAllocs()
				now := time.Duration(0)
				for b.Loop() {
					s.Receive(peer.Packet(packet, payload[:n]), alice, now)
					s.Pull(got, now)
					s.Packet(packet, payload[:n])
					now += frameTime
				}
			})
		}
	}
}

// TestMemory holds a session to its share of what a participant may cost.
func TestMemory(t *testing.T) {
	for name, most := range map[string]int{"PCMU": 150 << 10, "opus": 300 << 10} {
		var before, after runtime.MemStats
		sessions := make([]*Session, 20)
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range sessions {
			sessions[i] = open(t, name, 48000)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		each := int(after.HeapAlloc-before.HeapAlloc) / len(sessions)
		t.Logf("%s: %d KiB", name, each>>10)
		if each > most {
			t.Errorf("%s: %d bytes for a session, at most %d", name, each, most)
		}
		runtime.KeepAlive(sessions)
	}
}
