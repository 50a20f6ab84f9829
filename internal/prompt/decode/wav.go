package decode

import (
	"encoding/binary"
	"math"

	"parley/internal/codec"
)

// Kinds of WAV, as RFC 2361 lists them.
const (
	wavPCM        = 1
	wavFloat      = 3
	wavALaw       = 6
	wavMuLaw      = 7
	wavExtensible = 0xfffe
	// wavStreamed is the least of the sizes that writers to a pipe claim, who cannot know it; others leave a 0.
	wavStreamed = 0x7ff00000
)

// wavFormat is what the format chunk says.
type wavFormat struct {
	kind, channels, rate, bits int
}

func readWAV(data []byte, out *sink) error {
	var format wavFormat
	for rest := data[12:]; len(rest) >= 8; {
		id, size := string(rest[:4]), int64(binary.LittleEndian.Uint32(rest[4:]))
		rest = rest[8:]
		if id == "data" {
			if format.rate == 0 {
				return unreadable("the WAV file's samples come before their format")
			}
			switch {
			case size == 0 || size >= wavStreamed || string(data[:4]) == "RF64":
				size = min(size, int64(len(rest)))
				if size == 0 {
					size = int64(len(rest))
				}
			case size > int64(len(rest)):
				return unreadable("the WAV file ends within its samples: was it copied whole?")
			}
			return format.samples(rest[:size], out)
		}
		if size > int64(len(rest)) {
			break
		}
		if id == "fmt " {
			var err error
			if format, err = readFormat(rest[:size]); err != nil {
				return err
			}
		}
		rest = rest[min(size+size&1, int64(len(rest))):]
	}
	return unreadable("the WAV file has no samples")
}

func readFormat(f []byte) (w wavFormat, err error) {
	if len(f) < 16 {
		return w, unreadable("the WAV file's format has %d bytes, not 16 or more", len(f))
	}
	le := binary.LittleEndian
	w = wavFormat{kind: int(le.Uint16(f)), channels: int(le.Uint16(f[2:])), rate: int(le.Uint32(f[4:])), bits: int(le.Uint16(f[14:]))}
	if w.kind == wavExtensible && len(f) >= 40 {
		w.kind = int(le.Uint16(f[24:]))
	}
	switch {
	case w.channels < 1 || w.channels > 16:
		return w, unreadable("the WAV file has %d channels: convert it to mono or stereo", w.channels)
	case w.kind == wavPCM && (w.bits == 8 || w.bits == 16 || w.bits == 24 || w.bits == 32),
		w.kind == wavFloat && w.bits == 32, (w.kind == wavALaw || w.kind == wavMuLaw) && w.bits == 8:
		return w, nil
	}
	return w, unreadable("the WAV file is of kind %d with %d bits: convert it to 16-bit PCM", w.kind, w.bits)
}

// samples gives the mean of the channels to the sink. What is less than a sample at the end is left out.
func (w wavFormat) samples(raw []byte, out *sink) error {
	if err := out.start(w.rate); err != nil {
		return err
	}
	read, err := w.reader()
	if err != nil {
		return err
	}
	width := w.bits / 8
	step := width * w.channels
	mono := make([]int16, 4096)
	for len(raw) >= step {
		n := min(len(raw)/step, len(mono))
		for i := range mono[:n] {
			sum := 0
			for c := range w.channels {
				sum += int(read(raw[i*step+c*width:]))
			}
			mono[i] = int16(sum / w.channels)
		}
		if err := out.write(mono[:n]); err != nil {
			return err
		}
		raw = raw[n*step:]
	}
	return nil
}

// reader returns what reads one sample.
func (w wavFormat) reader() (func([]byte) int16, error) {
	switch {
	case w.kind == wavFloat:
		return func(b []byte) int16 {
			v := math.Float32frombits(binary.LittleEndian.Uint32(b)) * 32768
			if v != v {
				return 0
			}
			return int16(min(max(v, math.MinInt16), math.MaxInt16))
		}, nil
	case w.kind == wavALaw:
		return lawReader("PCMA")
	case w.kind == wavMuLaw:
		return lawReader("PCMU")
	case w.bits == 8:
		return func(b []byte) int16 { return (int16(b[0]) - 128) << 8 }, nil
	}
	top := w.bits/8 - 2 // 16 bits and more: the upper two bytes
	return func(b []byte) int16 { return int16(binary.LittleEndian.Uint16(b[top:])) }, nil
}

// lawReader returns a reader of G.711, by a table.
func lawReader(name string) (func([]byte) int16, error) {
	format, _ := codec.Find(name)
	decoder, err := codec.NewDecoder(format, format.SampleRate)
	if err != nil {
		return nil, err
	}
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	table := make([]int16, 960)
	if _, err := decoder.Decode(table, all); err != nil {
		return nil, err
	}
	return func(b []byte) int16 { return table[b[0]] }, nil
}
