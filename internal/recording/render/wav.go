package render

import (
	"encoding/binary"
	"io"
	"math"

	"parley/internal/audio"
)

// wav writes 16-bit PCM. Its length is known before, so that nothing is to be corrected afterwards.
type wav struct {
	w        io.Writer
	channels int
	frame    int // samples of a tick in a channel
	buf      []byte
}

func newWAV(w io.Writer, rate, channels int, samples uint64) (*wav, error) {
	n := audio.FrameSamples(rate)
	_, err := w.Write(wavHead(rate, channels, samples))
	return &wav{w: w, channels: channels, frame: n, buf: make([]byte, 2*n*channels)}, err
}

const (
	wavPCM        = 1
	wavExtensible = 0xfffe
)

// wavHead is the header of a file with that many samples in each channel. Beyond 4 GiB it is RF64, whose sizes stand in a chunk of their
// own; more than two channels want WAVE_FORMAT_EXTENSIBLE, here without places for the loudspeakers.
func wavHead(rate, channels int, samples uint64) []byte {
	le := binary.LittleEndian
	format := le.AppendUint16(nil, wavPCM)
	if channels > 2 {
		format = le.AppendUint16(nil, wavExtensible)
	}
	format = le.AppendUint16(format, uint16(channels))
	format = le.AppendUint32(format, uint32(rate))
	format = le.AppendUint32(format, uint32(rate*channels*2))
	format = le.AppendUint16(format, uint16(channels*2))
	format = le.AppendUint16(format, 16)
	if channels > 2 {
		format = le.AppendUint16(format, 22)
		format = le.AppendUint16(format, 16)
		format = le.AppendUint32(format, 0)
		format = append(format, "\x01\x00\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"...)
	}
	data := samples * uint64(channels) * 2
	rest := uint64(4 + 8 + len(format) + 8)
	if data+rest <= math.MaxUint32 {
		b := append([]byte("RIFF"), le.AppendUint32(nil, uint32(data+rest))...)
		b = append(b, "WAVE"...)
		return appendData(b, format, uint32(data))
	}
	rest += 8 + 28
	b := append([]byte("RF64"), "\xff\xff\xff\xffWAVEds64"...)
	b = le.AppendUint32(b, 28)
	b = le.AppendUint64(b, data+rest)
	b = le.AppendUint64(b, data)
	b = le.AppendUint64(b, samples)
	b = le.AppendUint32(b, 0)
	return appendData(b, format, math.MaxUint32)
}

func appendData(b, format []byte, size uint32) []byte {
	b = append(b, "fmt "...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(format)))
	b = append(b, format...)
	b = append(b, "data"...)
	return binary.LittleEndian.AppendUint32(b, size)
}

func (w *wav) frames(channels [][]int16) error {
	clear(w.buf)
	step := 2 * w.channels
	for c, frame := range channels {
		at := 2 * c
		for _, v := range frame {
			binary.LittleEndian.PutUint16(w.buf[at:], uint16(v))
			at += step
		}
	}
	_, err := w.w.Write(w.buf)
	return err
}

func (w *wav) close() error { return nil }
