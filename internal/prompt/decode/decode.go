// Package decode turns the bytes of a sound file into mono samples: WAV, Ogg Opus and MP3, told apart by what they are and not by what anybody
// says of them. It keeps nothing, starts no goroutine and bounds what a file may cost. Where files come from is left to others.
package decode

import (
	"bytes"
	"context"
	"time"

	"parley/internal/fault"
)

// Reasons of refusals.
const (
	Unreadable = "PROMPT_UNREADABLE"
	TooLarge   = "PROMPT_TOO_LARGE"
)

// File decodes a whole file, of up to the longest time, and returns mono samples at 8000, 12000, 16000, 24000 or 48000 Hz: at the first of them that
// holds all of the file's, or at 16000 at most when it is longer than three minutes, so that half an hour takes less than 60 MB. It stops when
// ctx ends, and refuses with PROMPT_UNREADABLE and PROMPT_TOO_LARGE.
func File(ctx context.Context, data []byte, longest time.Duration) (samples []int16, rate int, err error) {
	out := &sink{ctx: ctx, longest: longest}
	switch {
	case len(data) == 0:
		return nil, 0, unreadable("the file is empty")
	case len(data) >= 12 && (string(data[:4]) == "RIFF" || string(data[:4]) == "RF64") && string(data[8:12]) == "WAVE":
		err = readWAV(data, out)
	case bytes.HasPrefix(data, []byte("OggS")):
		err = readOgg(data, out)
	case bytes.HasPrefix(data, []byte("ID3")) || mp3Frame(data):
		err = readMP3(data, out)
	default:
		return nil, 0, unreadable("the file is neither WAV nor Ogg Opus nor MP3: convert it to one of these")
	}
	if err == nil {
		samples, err = out.end()
	}
	if err != nil {
		return nil, 0, err
	}
	return samples, out.rate, nil
}

func unreadable(format string, args ...any) error {
	return fault.New(fault.Invalid, Unreadable, "cannot read the sound: "+format, args...)
}
