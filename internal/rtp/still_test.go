package rtp

import (
	"testing"
	"time"

	"parley/internal/audio"
	"parley/internal/codec"
)

// counting counts what is decoded.
type counting struct {
	codec.Decoder
	n int
}

func (c *counting) Decode(dst []int16, payload []byte) (int, error) {
	c.n++
	return c.Decoder.Decode(dst, payload)
}

// TestRepeatedSilence alternates sound and silence of some packets, which then are not decoded one by one. What is heard is, from the first
// frame after the silence on, what a decoder gives that has decoded all.
func TestRepeatedSilence(t *testing.T) {
	for _, rate := range []int{8000, 16000, 48000} {
		for _, quiet := range []int{1, 4, 5, 6, 50, 500} {
			s := open(t, "opus", rate)
			f, _ := codec.Find("opus")
			enc, err := codec.NewEncoder(f, rate)
			if err != nil {
				t.Fatal(err)
			}
			all, err := codec.NewDecoder(f, rate)
			if err != nil {
				t.Fatal(err)
			}
			decoded := &counting{Decoder: s.lanes[0].decoder}
			s.lanes[0].decoder = decoded
			from := open(t, "opus", rate)
			tone, frame := audio.NewTone(440, -12, rate, 0), make([]int16, rate/50)
			got, want := make([]int16, rate/50), make([]int16, rate/8)
			payload, packet := make([]byte, codec.MaxPayload), make([]byte, 1500)
			at, saved := 0, 0
			for round := range 4 {
				for i := range 30 + quiet {
					clear(frame)
					if i < 30 {
						tone.Read(frame)
					}
					n, err := enc.Encode(payload, frame)
					if err != nil {
						t.Fatal(err)
					}
					now := time.Duration(at) * frameTime
					if at++; !s.Receive(from.Packet(packet, payload[:n]), alice, now) {
						t.Fatal("refused")
					}
					before := decoded.n
					heard := s.Pull(got, now)
					saved += 1 - (decoded.n - before)
					if _, err := all.Decode(want, payload[:n]); err != nil {
						t.Fatal(err)
					}
					if decoded.n == before && heard.Audio {
						t.Error("silence that was not decoded counts as sound")
					}
					for j, v := range got {
						if d := int(v) - int(want[j]); d < -1 || d > 1 {
							t.Fatalf("%d Hz, %d frames of silence, round %d, frame %d: sample %d is %d, want %d", rate, quiet, round, i, j, v, want[j])
						}
					}
				}
			}
			if quiet >= 50 && saved < 4*(quiet-20) {
				t.Errorf("%d Hz: of %d frames of silence only %d were not decoded", rate, 4*quiet, saved)
			}
		}
	}
}
