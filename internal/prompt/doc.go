// Package prompt brings sound into memory: what is at a URL or in the blob store, spoken text, tones and music. It decodes WAV, Ogg Opus and MP3,
// keeps what was made of a text or fetched, and refuses what is too long, too large or no sound. It starts no goroutine that outlives a call.
package prompt

import "context"

// Sound is decoded mono sound. Nobody may change Samples.
type Sound struct {
	Samples []int16
	Rate    int // in Hz: 8000, 12000, 16000, 24000 or 48000
}

// Speech is a text to be spoken.
type Speech struct {
	Text     string // plain or SSML
	Language string // BCP 47, "" is the default one
	Provider string // "" or the name of a voice program; unknown ones are refused
	Voice    string // name of a voice or gender; "" is the language's first
}

// Library is where sounds come from. Its methods may be called from any goroutine, wait for network, disk and programs until ctx ends, and fail
// with faults whose reasons are stable: PROMPT_UNREACHABLE, PROMPT_TOO_LARGE, PROMPT_UNREADABLE, PROMPT_REFUSED, VOICE_UNAVAILABLE, TEXT_INVALID.
type Library interface {
	// Fetch returns what is at an http or https URL, or at blob:<key> in the customer's part of the blob store.
	Fetch(ctx context.Context, customerID, url string) (Sound, error)
	// Say returns a text as speech.
	Say(ctx context.Context, s Speech) (Sound, error)
	// Tone returns a built-in sound: beep, join, leave, locked, refused, music, ringback, or another name that the package documents.
	Tone(name string) (Sound, error)
}
