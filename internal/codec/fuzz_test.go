package codec_test

import (
	"testing"

	"parley/internal/codec"
)

// fuzzDecoder plays two payloads, a loss between them and a recovery, and looks for panics, writes beyond the room given, and
// decoders that stay broken.
func fuzzDecoder(f *testing.F, name string) {
	form := format(f, name)
	e, _ := pair(f, form, form.SampleRate)
	for _, p := range encodeAll(f, e, speech(form.SampleRate/10, form.SampleRate), form.SampleRate) {
		f.Add(p, p[:len(p)/2], uint16(form.SampleRate*120/1000))
	}
	f.Add([]byte{}, []byte{0}, uint16(0))
	f.Add([]byte{0xff, 0xff, 0xff}, []byte{0x03, 0xbf, 1, 2, 3}, uint16(960))
	good := encodeAll(f, e, speech(form.SampleRate/50, form.SampleRate), form.SampleRate)[0]
	f.Fuzz(func(t *testing.T, first, second []byte, room uint16) {
		const guard, mark = 64, int16(-12345)
		_, d := pair(t, form, form.SampleRate)
		n := min(int(room), form.SampleRate*120/1000)
		buf := make([]int16, n+guard)
		for i := range buf[n:] {
			buf[n+i] = mark
		}
		for _, payload := range [][]byte{first, second} {
			got, err := d.Decode(buf[:n], payload)
			if got < 0 || got > n || err != nil && got != 0 || err == nil && got == 0 {
				t.Fatalf("Decode = %d, %v with room for %d", got, err, n)
			}
			d.Conceal(buf[:min(n, form.SampleRate/50)])
			d.Recover(buf[:min(n, form.SampleRate/50)], payload)
		}
		for i, v := range buf[n:] {
			if v != mark {
				t.Fatalf("wrote %d samples beyond the end", i+1)
			}
		}
		if got, err := d.Decode(make([]int16, form.SampleRate*120/1000), good); err != nil || got != form.SampleRate/50 {
			t.Fatalf("a good packet afterwards: %d, %v", got, err)
		}
	})
}

func FuzzPCMU(f *testing.F) { fuzzDecoder(f, "PCMU") }
func FuzzPCMA(f *testing.F) { fuzzDecoder(f, "PCMA") }
func FuzzG722(f *testing.F) { fuzzDecoder(f, "G722") }
func FuzzL16(f *testing.F)  { fuzzDecoder(f, "L16") }
func FuzzOpus(f *testing.F) { fuzzDecoder(f, "opus") }

func FuzzSilent(f *testing.F) {
	f.Add(0, []byte{0xff, 0x7f})
	f.Add(3, []byte{0xd5, 0x55, 0xd5, 0x55, 0xd5, 0x55, 0xd5, 0x55, 0x56})
	f.Fuzz(func(t *testing.T, which int, payload []byte) {
		form := codec.Formats[uint(which)%uint(len(codec.Formats))]
		if !codec.Silent(form, payload) || form.Name == "opus" {
			return
		}
		_, d := pair(t, form, form.SampleRate)
		out := make([]int16, len(payload)+1)
		n, _ := d.Decode(out, payload)
		for _, v := range out[:n] {
			if v < -8 || v > 8 {
				t.Fatalf("%s: sample %d in a payload called silent", form.Name, v)
			}
		}
	})
}
