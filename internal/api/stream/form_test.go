package stream

import (
	"errors"
	"testing"

	"parley/internal/mixer/ear"
)

// FuzzUnpack: whatever a client sends is whole samples or ends the stream with a reason.
func FuzzUnpack(f *testing.F) {
	pcm := []int16{1, -2, 3}
	for _, rate := range []int{8000, 16000, 48000} {
		for _, form := range []form{rtp, sln, audiosocket} {
			f.Add(string(form), rate, form.pack(nil, ear.Stamp{Sequence: 1, Timestamp: 2, Marker: true}, rate, pcm))
		}
	}
	f.Add("rtp", 8000, []byte("\xb1`\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03\x00\x00\x00\x04\xbe\xde\x00\x01\x01\x02\x03\x04ab\x00\x02"))
	f.Add("audiosocket", 8000, []byte{0x01, 0, 1, 7, 0x10, 0, 2, 1, 2, 0x00, 0, 0})
	f.Fuzz(func(t *testing.T, name string, rate int, frame []byte) {
		total := 0
		err := form(name).unpack(rate, frame, func(pcm []byte) {
			if total += len(pcm); len(pcm)%2 != 0 {
				t.Errorf("%d bytes of audio", len(pcm))
			}
		})
		var b *breach
		if err != nil && (!errors.As(err, &b) || b.reason == "" || len(b.reason) > reasonMost) {
			t.Errorf("ended with %v", err)
		}
		if total > len(frame) {
			t.Errorf("%d bytes of audio in %d", total, len(frame))
		}
	})
}

// TestPackAndUnpack: each form reads what it writes.
func TestPackAndUnpack(t *testing.T) {
	for _, form := range []form{rtp, sln, audiosocket} {
		for _, rate := range []int{8000, 16000, 48000} {
			var got []byte
			frame := form.pack(nil, ear.Stamp{}, rate, []int16{1, -2, 32767, -32768})
			if err := form.unpack(rate, frame, func(pcm []byte) { got = append(got, pcm...) }); err != nil || string(got) != "\x01\x00\xfe\xff\xff\x7f\x00\x80" {
				t.Errorf("%s at %d: % x, %v", form, rate, got, err)
			}
		}
	}
}
