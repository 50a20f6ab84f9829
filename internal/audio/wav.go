package audio

import (
	"encoding/binary"
	"errors"
	"io"

	"parley/internal/fault"
)

// Limits of what ReadWAV takes.
const (
	wavMaxFrames = 15 * 60 * 48000 // fifteen minutes at 48 kHz
	wavMaxOther  = 1 << 20         // bytes in front of the samples that are not samples
	wavMinRate   = 8000
	wavMaxRate   = 192000
)

const (
	wavPCM        = 1
	wavExtensible = 0xfffe
	// Writers to a pipe, who cannot know the size, claim 0xffffffff or 0x7ffff000 bytes.
	wavStreamed = 0x7ffff000
	wavMaxBytes = 0xffffffff
)

// ReadWAV reads a WAV file of 16-bit PCM, mono or stereo, of up to fifteen minutes at 48 kHz, and returns it as mono: the mean of
// two channels. It refuses everything else with WAV_INVALID, WAV_UNSUPPORTED or WAV_TOO_LONG.
func ReadWAV(r io.Reader) (rate int, samples []int16, err error) {
	var head [12]byte
	if err := readWAV(r, head[:], "header"); err != nil {
		return 0, nil, err
	}
	if string(head[:4]) != "RIFF" || string(head[8:]) != "WAVE" {
		return 0, nil, wavInvalid("it does not begin with RIFF and WAVE: is it a WAV file?")
	}
	channels, other := 0, 0
	for {
		id, size, err := nextChunk(r)
		if err != nil {
			return 0, nil, err
		}
		switch {
		case id == "fmt " && channels == 0:
			rate, channels, err = readFormat(r, size)
		case id == "data" && channels == 0:
			err = wavInvalid("its samples come before their format")
		case id == "data":
			samples, err = readSamples(r, size, channels)
			return rate, samples, err
		default:
			if other += 8 + int(min(size, wavMaxOther)); other > wavMaxOther {
				return 0, nil, wavInvalid("more than 1 MiB stands in front of its samples")
			}
			err = skip(r, int64(size)+int64(size&1))
		}
		if err != nil {
			return 0, nil, err
		}
	}
}

func nextChunk(r io.Reader) (id string, size uint32, err error) {
	var head [8]byte
	if err := readWAV(r, head[:], "chunk of samples"); err != nil {
		return "", 0, err
	}
	return string(head[:4]), binary.LittleEndian.Uint32(head[4:]), nil
}

func readFormat(r io.Reader, size uint32) (rate, channels int, err error) {
	var f [40]byte
	if size < 16 || size > 1024 {
		return 0, 0, wavInvalid("its format chunk has %d bytes, not 16 to 1024", size)
	}
	known := min(size, uint32(len(f)))
	if err := readWAV(r, f[:known], "format chunk"); err != nil {
		return 0, 0, err
	}
	if err := skip(r, int64(size-known+size&1)); err != nil {
		return 0, 0, err
	}
	kind := binary.LittleEndian.Uint16(f[0:])
	if kind == wavExtensible && known == uint32(len(f)) {
		kind = binary.LittleEndian.Uint16(f[24:])
	}
	channels = int(binary.LittleEndian.Uint16(f[2:]))
	wide := binary.LittleEndian.Uint32(f[4:])
	bits := binary.LittleEndian.Uint16(f[14:])
	switch {
	case kind != wavPCM || bits != 16:
		return 0, 0, wavUnsupported("it is of kind %d with %d bits: convert it to 16-bit PCM", kind, bits)
	case channels != 1 && channels != 2:
		return 0, 0, wavUnsupported("it has %d channels: convert it to mono or stereo", channels)
	case wide < wavMinRate || wide > wavMaxRate:
		return 0, 0, wavUnsupported("it has %d Hz: convert it to %d to %d Hz", wide, wavMinRate, wavMaxRate)
	}
	return int(wide), channels, nil
}

// readSamples reads no further than size, or to the end where the writer did not know it. Memory grows with what is really
// there, not with what the header claims.
func readSamples(r io.Reader, size uint32, channels int) ([]int16, error) {
	streamed := size >= wavStreamed
	width := 2 * channels
	if !streamed {
		if size%uint32(width) != 0 {
			return nil, wavInvalid("its %d bytes of samples are no whole number of them", size)
		}
		if size/uint32(width) > wavMaxFrames {
			return nil, wavTooLong()
		}
		r = io.LimitReader(r, int64(size))
	}
	var samples []int16
	buf := make([]byte, 1<<16)
	for {
		n, err := io.ReadFull(r, buf)
		whole := n / width * width
		samples = appendMono(samples, buf[:whole], channels)
		if len(samples) > wavMaxFrames {
			return nil, wavTooLong()
		}
		switch {
		case err == nil:
			continue
		case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
			return nil, wavInvalid("reading its samples: %v", err)
		case whole != n || !streamed && len(samples) != int(size)/width:
			return nil, wavInvalid("it ends within its samples: was it copied whole?")
		}
		return samples, nil
	}
}

func appendMono(samples []int16, raw []byte, channels int) []int16 {
	from := len(samples)
	samples = append(samples, make([]int16, len(raw)/2/channels)...)
	for i := range samples[from:] {
		v := int(int16(binary.LittleEndian.Uint16(raw[2*channels*i:])))
		if channels == 2 {
			v = (v + int(int16(binary.LittleEndian.Uint16(raw[4*i+2:])))) / 2
		}
		samples[from+i] = int16(v)
	}
	return samples
}

func skip(r io.Reader, n int64) error {
	if got, err := io.CopyN(io.Discard, r, n); err != nil {
		return wavInvalid("it ends %d bytes into a chunk of %d: was it copied whole?", got, n)
	}
	return nil
}

func readWAV(r io.Reader, p []byte, what string) error {
	if _, err := io.ReadFull(r, p); err != nil {
		return wavInvalid("it ends before its %s is complete (%v)", what, err)
	}
	return nil
}

func wavInvalid(format string, args ...any) error {
	return fault.New(fault.Invalid, "WAV_INVALID", "cannot read WAV file: "+format, args...)
}

func wavUnsupported(format string, args ...any) error {
	return fault.New(fault.Invalid, "WAV_UNSUPPORTED", "cannot use WAV file: "+format, args...)
}

func wavTooLong() error {
	return fault.New(fault.Invalid, "WAV_TOO_LONG", "cannot use WAV file: it is longer than fifteen minutes at 48 kHz")
}

// WriteWAVHeader writes the header of a mono file of 16-bit PCM with n samples, which are to follow in little-endian order.
// It refuses more than the 4 GiB that a WAV file can hold with WAV_TOO_LONG.
func WriteWAVHeader(w io.Writer, rate, n int) error {
	const rest = 36 // of the header after the first size
	if n < 0 || int64(n)*2+rest > wavMaxBytes {
		return fault.New(fault.Invalid, "WAV_TOO_LONG", "cannot write a WAV file of %d samples: it holds 4 GiB", n)
	}
	var h [44]byte
	copy(h[0:], "RIFF")
	binary.LittleEndian.PutUint32(h[4:], uint32(n*2+rest))
	copy(h[8:], "WAVEfmt ")
	binary.LittleEndian.PutUint32(h[16:], 16)
	binary.LittleEndian.PutUint16(h[20:], wavPCM)
	binary.LittleEndian.PutUint16(h[22:], 1)
	binary.LittleEndian.PutUint32(h[24:], uint32(rate))
	binary.LittleEndian.PutUint32(h[28:], uint32(rate*2))
	binary.LittleEndian.PutUint16(h[32:], 2)
	binary.LittleEndian.PutUint16(h[34:], 16)
	copy(h[36:], "data")
	binary.LittleEndian.PutUint32(h[40:], uint32(n*2))
	_, err := w.Write(h[:])
	return err
}

// WriteWAV writes a mono file of 16-bit PCM.
func WriteWAV(w io.Writer, rate int, samples []int16) error {
	if err := WriteWAVHeader(w, rate, len(samples)); err != nil {
		return err
	}
	raw := make([]byte, 0, 1<<16)
	for len(samples) > 0 {
		n := min(len(samples), cap(raw)/2)
		raw = raw[:0]
		for _, v := range samples[:n] {
			raw = binary.LittleEndian.AppendUint16(raw, uint16(v))
		}
		if _, err := w.Write(raw); err != nil {
			return err
		}
		samples = samples[n:]
	}
	return nil
}
