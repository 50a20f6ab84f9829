package audio_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"
	"testing"
	"testing/iotest"

	"parley/internal/audio"
	"parley/internal/fault"
)

// chunk is one chunk of a WAV file as bytes.
func chunk(id string, body []byte) []byte {
	out := binary.LittleEndian.AppendUint32([]byte(id), uint32(len(body)))
	out = append(out, body...)
	if len(body)%2 == 1 {
		out = append(out, 0)
	}
	return out
}

func wavFormat(kind, channels uint16, rate uint32, bits uint16) []byte {
	b := binary.LittleEndian.AppendUint16(nil, kind)
	b = binary.LittleEndian.AppendUint16(b, channels)
	b = binary.LittleEndian.AppendUint32(b, rate)
	b = binary.LittleEndian.AppendUint32(b, rate*uint32(channels)*uint32(bits)/8)
	b = binary.LittleEndian.AppendUint16(b, channels*bits/8)
	return binary.LittleEndian.AppendUint16(b, bits)
}

func riff(chunks ...[]byte) []byte {
	body := append([]byte("WAVE"), bytes.Join(chunks, nil)...)
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
}

func TestWAVComesBack(t *testing.T) {
	for _, n := range []int{0, 1, 160, 100_001} {
		want := tone(n, 16000, 440, 30000)
		var file bytes.Buffer
		if err := audio.WriteWAV(&file, 16000, want); err != nil {
			t.Fatal(err)
		}
		if file.Len() != 44+2*n {
			t.Errorf("%d samples make %d bytes", n, file.Len())
		}
		rate, got, err := audio.ReadWAV(iotest.OneByteReader(&file))
		if err != nil || rate != 16000 || !slices.Equal(got, want) {
			t.Errorf("%d samples came back as %d at %d Hz, %v", n, len(got), rate, err)
		}
	}
}

func TestReadWAVTakes(t *testing.T) {
	data := []byte{1, 0, 3, 0, 0xff, 0xff, 0xfd, 0xff} // 1 3 -1 -3
	extended := append(wavFormat(0xfffe, 1, 48000, 16), make([]byte, 24)...)
	binary.LittleEndian.PutUint16(extended[16:], 22)
	extended[24] = 1
	endless := riff(chunk("fmt ", wavFormat(1, 1, 8000, 16)), chunk("data", data))
	copy(endless[40:], []byte{0xff, 0xff, 0xff, 0xff})
	piped := slices.Clone(endless)
	copy(piped[40:], []byte{0, 0xf0, 0xff, 0x7f})
	tests := []struct {
		name string
		file []byte
		rate int
		want []int16
	}{
		{"mono", riff(chunk("fmt ", wavFormat(1, 1, 8000, 16)), chunk("data", data)), 8000, []int16{1, 3, -1, -3}},
		{"stereo as its mean", riff(chunk("fmt ", wavFormat(1, 2, 44100, 16)), chunk("data", data)), 44100, []int16{2, -2}},
		{"the extensible format", riff(chunk("fmt ", extended), chunk("data", data)), 48000, []int16{1, 3, -1, -3}},
		{"other chunks", riff(chunk("LIST", []byte("abc")), chunk("fmt ", wavFormat(1, 1, 8000, 16)), chunk("x", nil)[:0],
			chunk("fact", make([]byte, 4)), chunk("data", data), chunk("id3 ", []byte("x"))), 8000, []int16{1, 3, -1, -3}},
		{"a stream without size", endless, 8000, []int16{1, 3, -1, -3}},
		{"a stream with a size made up", piped, 8000, []int16{1, 3, -1, -3}},
	}
	for _, tt := range tests {
		rate, got, err := audio.ReadWAV(bytes.NewReader(tt.file))
		if err != nil || rate != tt.rate || !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v at %d Hz, %v", tt.name, got, rate, err)
		}
	}
}

func TestReadWAVRefuses(t *testing.T) {
	mono := chunk("fmt ", wavFormat(1, 1, 8000, 16))
	data := chunk("data", []byte{1, 0, 3, 0})
	good := riff(mono, data)
	tooLong := slices.Clone(good)
	copy(tooLong[40:], []byte{0, 0, 0, 0x60})
	many := [][]byte{}
	for range 200_000 {
		many = append(many, chunk("junk", nil))
	}
	tests := []struct {
		name   string
		file   []byte
		reason string
	}{
		{"nothing", nil, "WAV_INVALID"},
		{"text", []byte("<html><body>not found"), "WAV_INVALID"},
		{"half a header", good[:10], "WAV_INVALID"},
		{"no samples", riff(mono), "WAV_INVALID"},
		{"samples first", riff(data, mono), "WAV_INVALID"},
		{"a short format", riff(chunk("fmt ", []byte{1, 0}), data), "WAV_INVALID"},
		{"a huge format", riff(chunk("fmt ", make([]byte, 5000)), data), "WAV_INVALID"},
		{"cut samples", good[:len(good)-1], "WAV_INVALID"},
		{"cut by whole samples", good[:len(good)-2], "WAV_INVALID"},
		{"half a sample", riff(mono, chunk("data", []byte{1, 0, 3})), "WAV_INVALID"},
		{"endless other chunks", riff(append(many, mono, data)...), "WAV_INVALID"},
		{"a huge other chunk", riff(chunk("LIST", make([]byte, 2<<20)), mono, data), "WAV_INVALID"},
		{"8 bits", riff(chunk("fmt ", wavFormat(1, 1, 8000, 8)), data), "WAV_UNSUPPORTED"},
		{"float", riff(chunk("fmt ", wavFormat(3, 1, 8000, 32)), data), "WAV_UNSUPPORTED"},
		{"mu-law", riff(chunk("fmt ", wavFormat(7, 1, 8000, 8)), data), "WAV_UNSUPPORTED"},
		{"no channel", riff(chunk("fmt ", wavFormat(1, 0, 8000, 16)), data), "WAV_UNSUPPORTED"},
		{"six channels", riff(chunk("fmt ", wavFormat(1, 6, 8000, 16)), data), "WAV_UNSUPPORTED"},
		{"no rate", riff(chunk("fmt ", wavFormat(1, 1, 0, 16)), data), "WAV_UNSUPPORTED"},
		{"a huge rate", riff(chunk("fmt ", wavFormat(1, 1, 1<<31, 16)), data), "WAV_UNSUPPORTED"},
		{"a claim of hours", tooLong, "WAV_TOO_LONG"},
	}
	for _, tt := range tests {
		_, got, err := audio.ReadWAV(bytes.NewReader(tt.file))
		if fault.ReasonOf(err) != tt.reason || got != nil {
			t.Errorf("%s: %d samples, %v, want %s", tt.name, len(got), err, tt.reason)
		}
	}
}

func TestReadWAVStopsAnEndlessStream(t *testing.T) {
	head := riff(chunk("fmt ", wavFormat(1, 1, 8000, 16)), chunk("data", nil))
	copy(head[40:], []byte{0xff, 0xff, 0xff, 0xff})
	_, _, err := audio.ReadWAV(io.MultiReader(bytes.NewReader(head), zeros{}))
	if fault.ReasonOf(err) != "WAV_TOO_LONG" {
		t.Error(err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestWriteWAVRefusesMoreThanFits(t *testing.T) {
	for _, n := range []int{-1, 1 << 31} {
		if err := audio.WriteWAVHeader(io.Discard, 48000, n); fault.ReasonOf(err) != "WAV_TOO_LONG" {
			t.Errorf("%d samples: %v", n, err)
		}
	}
	if err := audio.WriteWAV(failing{}, 8000, make([]int16, 10)); err == nil {
		t.Error("a full disk is no error")
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func FuzzReadWAV(f *testing.F) {
	f.Add(riff(chunk("fmt ", wavFormat(1, 1, 8000, 16)), chunk("data", []byte{1, 0, 3, 0})))
	f.Add(riff(chunk("fmt ", wavFormat(1, 2, 48000, 16)), chunk("LIST", []byte("a")), chunk("data", make([]byte, 40))))
	f.Add([]byte("RIFF\x00\x00\x00\x00WAVEdata\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, file []byte) {
		rate, samples, err := audio.ReadWAV(bytes.NewReader(file))
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Fatalf("refused as %v", err)
			}
			return
		}
		if len(samples)*2 > len(file) || rate < 8000 {
			t.Fatalf("%d samples at %d Hz out of %d bytes", len(samples), rate, len(file))
		}
		var again bytes.Buffer
		if err := audio.WriteWAV(&again, rate, samples); err != nil {
			t.Fatal(err)
		}
		if r, s, err := audio.ReadWAV(&again); err != nil || r != rate || !slices.Equal(s, samples) {
			t.Fatalf("does not come back: %v", err)
		}
	})
}
