package codec

import (
	"bytes"
	"testing"
)

// TestFollow changes encoders in the middle of a stream: the packets are those of one encoder.
func TestFollow(t *testing.T) {
	for _, f := range Formats {
		make2 := func() (Encoder, Encoder) {
			one, err := NewEncoder(f, f.SampleRate)
			if err != nil {
				t.Fatal(err)
			}
			two, err := NewEncoder(f, f.SampleRate)
			if err != nil {
				t.Fatal(err)
			}
			return one, two
		}
		whole, _ := make2()
		one, two := make2()
		frame := make([]int16, f.SampleRate/50)
		encode := func(e Encoder) []byte {
			buf := make([]byte, MaxPayload)
			n, err := e.Encode(buf, frame)
			if err != nil {
				t.Fatal(err)
			}
			return buf[:n]
		}
		for i := range 20 {
			for j := range frame {
				frame[j] = int16((j*j*(i+3) + j*977) % 9001)
			}
			want := encode(whole)
			if i == 10 && !Follow(two, one) {
				t.Fatalf("%s does not follow", f.Name)
			}
			from := one
			if i >= 10 {
				from = two
			}
			if got := encode(from); !bytes.Equal(got, want) {
				t.Fatalf("%s: frame %d differs", f.Name, i)
			}
		}
		for _, other := range Formats {
			if other == f {
				continue
			}
			e, err := NewEncoder(other, other.SampleRate)
			if err != nil {
				t.Fatal(err)
			}
			if Follow(one, e) {
				t.Errorf("%s follows %s at %d Hz", f.Name, other.Name, other.SampleRate)
			}
		}
	}
	wide, err := NewEncoder(Formats[0], 48000)
	if err != nil {
		t.Fatal(err)
	}
	narrow, err := NewEncoder(Formats[0], 8000)
	if err != nil {
		t.Fatal(err)
	}
	if Follow(wide, narrow) {
		t.Error("opus follows another rate")
	}
}
