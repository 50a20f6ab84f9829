package decode

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"

	mp3 "github.com/hajimehoshi/go-mp3"
)

// mp3Frame reports whether data begins with the header of a frame of layer III (ISO 11172-3 section 2.4.1.3).
func mp3Frame(data []byte) bool {
	return len(data) >= 4 && data[0] == 0xff && data[1]&0xe0 == 0xe0 && // sync
		data[1]>>3&3 != 1 && data[1]>>1&3 == 1 && // version, layer
		data[2]>>4 != 15 && data[2]>>2&3 != 3 // bit rate, sample rate
}

// readMP3 decodes layer III. The decoder gives stereo always, and is not trusted with hostile input: where it gives up by a panic, the
// file is refused.
func readMP3(data []byte, out *sink) (err error) {
	defer func() {
		if trouble := recover(); trouble != nil {
			err = unreadable("the MP3 file is damaged")
		}
	}()
	// Without a way to seek it does not look through the whole file first.
	decoder, err := mp3.NewDecoder(struct{ io.Reader }{bytes.NewReader(data)})
	if err != nil {
		return unreadable("the MP3 file is damaged or of MPEG 2.5: convert it to MPEG 1 or 2, layer III")
	}
	if err := out.start(decoder.SampleRate()); err != nil {
		return err
	}
	raw, mono := make([]byte, 4*4096), make([]int16, 4096)
	for {
		n, err := io.ReadFull(decoder, raw)
		for i := range mono[:n/4] {
			left, right := int16(binary.LittleEndian.Uint16(raw[4*i:])), int16(binary.LittleEndian.Uint16(raw[4*i+2:]))
			mono[i] = int16((int(left) + int(right)) / 2)
		}
		if err := out.write(mono[:n/4]); err != nil {
			return err
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || out.taken > 0:
			// Files are often followed by tags that are no frames; what came before them is the sound.
			return nil
		default:
			return unreadable("the MP3 file is damaged")
		}
	}
}
