package touchtone

import (
	"strings"

	"parley/internal/audio"
	"parley/internal/codec"
)

// Tones are keys for a peer that takes no events: two sines (ITU-T Q.23) in its own codec.
type Tones struct {
	Format    codec.Format
	rate      int
	encoder   codec.Encoder
	low, high *audio.Tone
	frame     []int16
	second    []int16
	payload   []byte
}

// Level is that of each sine in dBov: about -9 dBm0 with G.711, amid what receivers take (ITU-T Q.24).
const Level = -15

var (
	lowTones  = [...]float64{697, 770, 852, 941}
	highTones = [...]float64{1209, 1336, 1477, 1633}
)

// lowestRate is enough for any key.
const lowestRate = 8000

const keyboard = "123A456B789C*0#D"

// NewTones makes them for a codec.
func NewTones(f codec.Format) (*Tones, error) {
	rate := f.Rate(lowestRate)
	encoder, err := codec.NewEncoder(f, rate)
	if err != nil {
		return nil, err
	}
	n := audio.FrameSamples(rate)
	return &Tones{Format: f, rate: rate, encoder: encoder, frame: make([]int16, n), second: make([]int16, n), payload: make([]byte, codec.MaxPayload)}, nil
}

// Next encodes the next frame: of the key while it is pressed, of silence after it.
func (t *Tones) Next(f Frame) []byte {
	at := strings.IndexByte(keyboard, f.Key)
	if f.Begins && at >= 0 {
		t.low, t.high = audio.NewTone(lowTones[at/4], Level, t.rate, 0), audio.NewTone(highTones[at%4], Level, t.rate, 0)
	}
	clear(t.frame)
	if t.low != nil && at >= 0 {
		if !f.Pressed {
			t.low.Stop()
			t.high.Stop()
		}
		t.low.Read(t.frame)
		t.high.Read(t.second)
		for i, v := range t.second {
			t.frame[i] += v
		}
	}
	n, err := t.encoder.Encode(t.payload, t.frame)
	if err != nil {
		return nil // cannot happen with frames of the encoder's own rate
	}
	return t.payload[:n]
}
