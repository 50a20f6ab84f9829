package decode

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"parley/internal/audio"
	"parley/internal/codec"
	"parley/internal/fault"
)

// sine is a tone of 440 Hz at -20 dBov.
func sine(rate, millis int) []int16 {
	out := make([]int16, rate*millis/1000)
	audio.NewTone(440, -20, rate, 0).Read(out)
	return out
}

// wavFile writes a file of any kind: put writes one sample of 16 bits.
func wavFile(kind, bits, channels, rate int, samples []int16, put func([]byte, int16) []byte) []byte {
	var data []byte
	for _, v := range samples {
		for range channels {
			data = put(data, v)
		}
	}
	le := binary.LittleEndian
	b := append([]byte("RIFF"), le.AppendUint32(nil, uint32(36+len(data)))...)
	b = append(b, "WAVEfmt \x10\x00\x00\x00"...)
	b = le.AppendUint16(le.AppendUint16(b, uint16(kind)), uint16(channels))
	b = le.AppendUint32(le.AppendUint32(b, uint32(rate)), uint32(rate*channels*bits/8))
	b = le.AppendUint16(le.AppendUint16(b, uint16(channels*bits/8)), uint16(bits))
	b = append(b, "data"...)
	return append(le.AppendUint32(b, uint32(len(data))), data...)
}

func put16(b []byte, v int16) []byte { return binary.LittleEndian.AppendUint16(b, uint16(v)) }

func put24(b []byte, v int16) []byte { return append(b, 0x55, byte(v), byte(v>>8)) }

func put8(b []byte, v int16) []byte { return append(b, byte(v>>8)+128) }

func put32(b []byte, v int16) []byte { return append(b, 1, 2, byte(v), byte(v>>8)) }

func putFloat(b []byte, v int16) []byte {
	return binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(v)/32768))
}

func putLaw(name string) func([]byte, int16) []byte {
	format, _ := codec.Find(name)
	e, err := codec.NewEncoder(format, 8000)
	if err != nil {
		panic(err)
	}
	frame, out := make([]int16, 160), make([]byte, codec.MaxPayload)
	return func(b []byte, v int16) []byte {
		frame[0] = v
		if _, err := e.Encode(out, frame); err != nil {
			panic(err)
		}
		return append(b, out[0])
	}
}

// oggFile writes Opus in Ogg: pages of a few packets, the end within the last one.
func oggFile(t testing.TB, channels, rate int, samples []int16, gain int16) []byte {
	t.Helper()
	format, _ := codec.Find("opus")
	e, err := codec.NewEncoder(format, rate)
	if err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	head := append([]byte("OpusHead\x01"), byte(channels), 312&0xff, 312>>8)
	head = append(le.AppendUint16(le.AppendUint32(head, uint32(rate)), uint16(gain)), 0)
	file := page(oggFirst, 0, 0, head)
	file = append(file, page(0, 0, 1, []byte("OpusTags\x00\x00\x00\x00\x00\x00\x00\x00"))...)
	n, number, clock := rate/50, uint32(2), int64(0)
	end := int64(len(samples)*(48000/rate)) + 312
	var packets [][]byte
	for {
		frame := make([]int16, n)
		samples = samples[copy(frame, samples):]
		out := make([]byte, codec.MaxPayload)
		size, err := e.Encode(out, frame)
		if err != nil {
			t.Fatal(err)
		}
		packets = append(packets, out[:size])
		clock += 960
		if clock >= end {
			return append(file, page(oggLast, end, number, packets...)...)
		}
		if len(packets) == 7 {
			file = append(file, page(0, clock, number, packets...)...)
			packets, number = nil, number+1
		}
	}
}

func page(flags byte, granule int64, number uint32, packets ...[]byte) []byte {
	var lacing, body []byte
	for _, p := range packets {
		for n := len(p); n >= 0; n -= 255 {
			lacing = append(lacing, byte(min(n, 255)))
		}
		body = append(body, p...)
	}
	le := binary.LittleEndian
	b := append([]byte("OggS\x00"), flags)
	b = le.AppendUint32(le.AppendUint64(b, uint64(granule)), 7)
	b = le.AppendUint32(le.AppendUint32(b, number), 0)
	b = append(append(append(b, byte(len(lacing))), lacing...), body...)
	var sum uint32
	for _, v := range b {
		sum = sum<<8 ^ oggTable[byte(sum>>24)^v]
	}
	le.PutUint32(b[22:], sum)
	return b
}

// check says that a sound is the sine: its level, its pitch, its length.
func check(t *testing.T, data []byte, rate, millis int) {
	t.Helper()
	samples, got, err := File(context.Background(), data, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if got != rate {
		t.Errorf("%d Hz, want %d", got, rate)
	}
	length := len(samples) * 1000 / got
	if length < millis-1 || length > millis+8 {
		t.Errorf("%d ms, want %d", length, millis)
	}
	mid := samples[got/10 : got/10+got/5]
	if level := audio.Level(mid); level < 19 || level > 21 {
		t.Errorf("level -%d dBov, want -20", level)
	}
	crossings := 0
	for i := range mid[1:] {
		if mid[i] < 0 && mid[i+1] >= 0 {
			crossings++
		}
	}
	if crossings < 87 || crossings > 89 { // 440 Hz for 0.2 s
		t.Errorf("%d periods, want 88", crossings)
	}
}

func TestWAV(t *testing.T) {
	for _, c := range []struct {
		name                       string
		kind, bits, channels, rate int
		put                        func([]byte, int16) []byte
		want                       int
	}{
		{"PCM 16", wavPCM, 16, 1, 8000, put16, 8000},
		{"PCM 16 stereo", wavPCM, 16, 2, 44100, put16, 48000},
		{"PCM 24", wavPCM, 24, 1, 48000, put24, 48000},
		{"PCM 8", wavPCM, 8, 1, 11025, put8, 12000},
		{"PCM 32", wavPCM, 32, 6, 22050, put32, 24000},
		{"float", wavFloat, 32, 2, 96000, putFloat, 48000},
		{"mu-law", wavMuLaw, 8, 1, 8000, putLaw("PCMU"), 8000},
		{"A-law", wavALaw, 8, 2, 8000, putLaw("PCMA"), 8000},
		{"odd rate", wavPCM, 16, 1, 37123, put16, 48000},
		{"slow", wavPCM, 16, 1, 6000, put16, 8000},
	} {
		t.Run(c.name, func(t *testing.T) {
			data := wavFile(c.kind, c.bits, c.channels, c.rate, sine(c.rate, 500), c.put)
			check(t, data, c.want, 500)
			for _, size := range []uint32{0, 0x7ffff000, 0xffffffff} { // from a pipe
				binary.LittleEndian.PutUint32(data[40:], size)
				check(t, data, c.want, 500)
			}
		})
	}
}

func TestOgg(t *testing.T) {
	for _, rate := range []int{8000, 16000, 24000, 48000} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) { check(t, oggFile(t, 1, rate, sine(rate, 490), 0), rate, 490) })
	}
	// A quieter one with a gain, damage between pages, and another stream behind it.
	quiet := sine(48000, 300)
	audio.Gain(quiet, audio.DB(-6))
	one := oggFile(t, 1, 48000, quiet, 6*256)
	check(t, append(append([]byte("OggS"), one...), oggFile(t, 2, 16000, sine(16000, 300), 0)...), 48000, 600)
}

// TestOggDamage cuts a byte out of a page: the page is lost, the rest is heard.
func TestOggDamage(t *testing.T) {
	data := oggFile(t, 1, 48000, sine(48000, 1000), 0)
	data[len(data)/2] ^= 1
	samples, _, err := File(context.Background(), data, time.Minute)
	if err != nil || len(samples) < 38000 || len(samples) > 44000 {
		t.Errorf("%d samples, %v", len(samples), err)
	}
}

// TestReal decodes what ffmpeg writes.
func TestReal(t *testing.T) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("there is no ffmpeg")
	}
	dir := t.TempDir()
	source := filepath.Join(dir, "source.wav")
	if err := os.WriteFile(source, wavFile(wavPCM, 16, 1, 48000, sine(48000, 1000), put16), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct {
		rate, slack int
		args        []string
	}{
		"a.mp3":   {48000, 120, []string{"-c:a", "libmp3lame", "-ar", "44100"}},
		"b.mp3":   {48000, 120, []string{"-c:a", "libmp3lame", "-ac", "2", "-ar", "48000", "-q:a", "4"}},
		"c.mp3":   {16000, 220, []string{"-c:a", "libmp3lame", "-ar", "16000"}},
		"d.ogg":   {48000, 8, []string{"-c:a", "libopus", "-ac", "2"}},
		"e.opus":  {48000, 8, []string{"-c:a", "libopus", "-frame_duration", "60"}},
		"f.wav":   {24000, 8, []string{"-c:a", "pcm_s24le", "-ac", "2", "-ar", "22050"}},
		"g.wav":   {8000, 8, []string{"-c:a", "pcm_mulaw", "-ar", "8000"}},
		"h.wav":   {48000, 8, []string{"-c:a", "pcm_s16le", "-rf64", "always"}},
		"i.x.wav": {8000, 8, []string{"-c:a", "pcm_alaw", "-ac", "2", "-ar", "8000"}},
	} {
		file := filepath.Join(dir, name)
		args := append([]string{"-v", "error", "-i", source}, want.args...)
		if out, err := exec.Command("ffmpeg", append(args, file)...).CombinedOutput(); err != nil {
			t.Errorf("ffmpeg %v: %v %s", args, err, out)
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		samples, rate, err := File(context.Background(), data, time.Minute)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if n := len(samples) * 1000 / rate; rate != want.rate || n < 995 || n > 1000+want.slack {
			t.Errorf("%s: %d ms at %d Hz", name, n, rate)
		}
		if level := audio.Level(samples[rate/4 : rate/2]); level < 19 || level > 24 { // ffmpeg takes 3 dB off when it makes two channels of one
			t.Errorf("%s: level -%d", name, level)
		}
	}
}

// TestLong says that what is longer than three minutes is kept at 16 kHz, and what is too long is refused.
func TestLong(t *testing.T) {
	data := wavFile(wavPCM, 8, 1, 24000, sine(24000, 240_000), put8)
	samples, rate, err := File(context.Background(), data, time.Hour)
	if err != nil || rate != 16000 || len(samples) < 240*16000-16 || len(samples) > 240*16000+200 {
		t.Fatalf("%d samples at %d Hz, %v", len(samples), rate, err)
	}
	if level := audio.Level(samples[200*16000 : 201*16000]); level != 20 {
		t.Errorf("level -%d", level)
	}
	if _, _, err := File(context.Background(), data, 239*time.Second); fault.ReasonOf(err) != TooLarge {
		t.Errorf("too long: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := File(ctx, data, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

// mp3Silence is a frame of silence: a header of 128 kbit/s at 44.1 kHz and zeros.
func mp3Silence() []byte { return append([]byte{0xff, 0xfb, 0x90, 0x64}, make([]byte, 413)...) }

func TestRefusals(t *testing.T) {
	wav := wavFile(wavPCM, 16, 1, 8000, sine(8000, 100), put16)
	odd := func(at int, b ...byte) []byte { return append(append(bytes.Clone(wav[:at]), b...), wav[at+len(b):]...) }
	ogg := oggFile(t, 1, 48000, sine(48000, 100), 0)
	for name, data := range map[string][]byte{
		"nothing":          nil,
		"HTML":             []byte("<!DOCTYPE html><html>"),
		"short":            []byte("RIFF"),
		"WAV header only":  wav[:12],
		"WAV cut":          wav[:len(wav)-10],
		"WAV empty":        wavFile(wavPCM, 16, 1, 8000, nil, put16),
		"no channels":      odd(22, 0, 0),
		"many channels":    odd(22, 0xff, 0xff),
		"ADPCM":            odd(20, 2, 0),
		"12 bits":          odd(34, 12, 0),
		"rate 0":           odd(24, 0, 0, 0, 0),
		"rate 4 GHz":       odd(24, 0xff, 0xff, 0xff, 0xff),
		"data first":       append(bytes.Clone(wav[:12]), wav[36:]...),
		"Ogg header only":  ogg[:47],
		"Ogg of something": page(oggFirst, 0, 0, []byte("\x01vorbis...")),
		"MP3 frame cut":    mp3Silence()[:100],
		"ID3 only":         []byte("ID3\x04\x00\x00\x00\x00\x00\x00"),
		"sync only":        {0xff, 0xff, 0xff, 0xff},
	} {
		if _, _, err := File(context.Background(), data, time.Minute); fault.ReasonOf(err) != Unreadable {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func fuzz(f *testing.F, seeds ...[]byte) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		samples, rate, err := File(context.Background(), data, 2*time.Second)
		switch {
		case err != nil:
			if r := fault.ReasonOf(err); r != Unreadable && r != TooLarge {
				t.Errorf("reason %s: %v", r, err)
			}
		case len(samples) > 3*rate:
			t.Errorf("%d samples at %d Hz", len(samples), rate)
		}
	})
}

func FuzzWAV(f *testing.F) {
	fuzz(f, wavFile(wavPCM, 16, 2, 44100, sine(44100, 20), put16), wavFile(wavMuLaw, 8, 1, 8000, sine(8000, 20), putLaw("PCMU")),
		wavFile(wavFloat, 32, 1, 8000, sine(8000, 20), putFloat), []byte("RF64\xff\xff\xff\xffWAVEds64\x1c\x00\x00\x00"))
}

func FuzzOgg(f *testing.F) {
	fuzz(f, oggFile(f, 1, 48000, sine(48000, 60), 0), oggFile(f, 2, 8000, sine(8000, 200), -300), page(oggFirst|oggLast, -1, 0, []byte("OpusHead\x01")))
}

func FuzzMP3(f *testing.F) {
	frame := mp3Silence()
	fuzz(f, frame, append(bytes.Clone(frame), frame...), append([]byte("ID3\x04\x00\x00\x00\x00\x00\x00"), frame...))
}
