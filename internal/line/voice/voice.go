// Package voice gets the sounds that a call hears alone: tones, sentences, what is kept elsewhere. It starts no goroutine; to play them is package line's
// business.
package voice

import (
	"context"
	"fmt"

	"parley/internal/fault"
	"parley/internal/prompt"
)

// Voice is that of one call. A refusal is VOICE_UNAVAILABLE when there is no library, else the library's.
type Voice struct {
	Library  prompt.Library // nil: there is no sound at all
	Customer string
}

func unavailable() error {
	return fault.New(fault.Unavailable, "VOICE_UNAVAILABLE", "this server has no sounds and no voice")
}

// Tone is one of the library's.
func (v Voice) Tone(name string) ([]prompt.Sound, error) {
	if v.Library == nil {
		return nil, unavailable()
	}
	s, err := v.Library.Tone(name)
	return []prompt.Sound{s}, err
}

// Say speaks.
func (v Voice) Say(ctx context.Context, what prompt.Speech) ([]prompt.Sound, error) {
	if v.Library == nil {
		return nil, unavailable()
	}
	s, err := v.Library.Say(ctx, what)
	return []prompt.Sound{s}, err
}

// Tell says a sentence of ours, or beeps when nobody speaks.
func (v Voice) Tell(ctx context.Context, text string) (s prompt.Sound, err error) {
	if v.Library == nil {
		return s, unavailable()
	}
	if s, err = v.Library.Say(ctx, prompt.Speech{Text: text, Language: "en-US"}); err != nil {
		s, err = v.Library.Tone("beep")
	}
	return s, err
}

// Fetch gets sounds from their addresses.
func (v Voice) Fetch(ctx context.Context, urls []string) (sounds []prompt.Sound, err error) {
	if v.Library == nil {
		return nil, unavailable()
	}
	for _, url := range urls {
		s, err := v.Library.Fetch(ctx, v.Customer, url)
		if err != nil {
			return nil, fmt.Errorf("fetch %s: %w", url, err)
		}
		sounds = append(sounds, s)
	}
	return sounds, nil
}
