// Package say gets the sounds that flows play from a library, and what is heard where there is no library. It starts no goroutine.
package say

import (
	"context"
	"log/slog"

	"parley/internal/audio"
	"parley/internal/fault"
	"parley/internal/flow/action"
	"parley/internal/prompt"
)

// Voice is where sounds come from.
type Voice struct {
	Library prompt.Library // nil for none
	Log     *slog.Logger
}

func (v *Voice) none() error {
	return fault.New(fault.Unavailable, "VOICE_UNAVAILABLE", "no voice and no player are installed on this server")
}

// Fetch returns what is at a URL.
func (v *Voice) Fetch(ctx context.Context, customerID, url string) (prompt.Sound, error) {
	if v.Library == nil {
		return prompt.Sound{}, v.none()
	}
	return v.Library.Fetch(ctx, customerID, url)
}

// Say returns what a talk says.
func (v *Voice) Say(ctx context.Context, o *action.Talking) (prompt.Sound, error) {
	if v.Library == nil {
		return prompt.Sound{}, v.none()
	}
	return v.Library.Say(ctx, prompt.Speech{Text: o.Text, Language: o.Language, Provider: o.Provider, Voice: o.VoiceID})
}

// Tone returns a built-in sound, never none.
func (v *Voice) Tone(name string) prompt.Sound {
	if v.Library != nil {
		s, err := v.Library.Tone(name)
		if err == nil {
			return s
		}
		v.Log.Warn("a tone is not there", "tone", name, "error", err)
	}
	const rate, millis = 8000, 400
	s := prompt.Sound{Samples: make([]int16, rate*millis/1000), Rate: rate}
	audio.NewTone(480, -12, rate, millis).Read(s.Samples)
	return s
}

// sentences are what a caller is told when a conference cannot be entered.
var sentences = map[string]string{
	"CONFERENCE_NOT_FOUND":       "There is no such conference.",
	"CONFERENCE_NOT_PROGRESSING": "This conference has ended.",
	"CONFERENCE_FULL":            "This conference is full.",
	"CONFERENCE_LOCKED":          "This conference is locked.",
	"CONFERENCECALL_LEAVED":      "You have been removed from this conference.",
	"PIN_REQUIRED":               "This conference needs a PIN.",
	"PIN_WRONG":                  "That PIN is wrong.",
	// why a participant was ended on its way in
	"terminated": "This conference has ended.",
	"timeout":    "This conference has ended.",
	"peer_left":  "This conference has ended.",
	"OVERLOADED": "The server is busy. Please try again later.",
}

// Sorry returns why a conference cannot be entered, as a sentence, or as a tone where there is no voice. result is how the participant ended, "" when
// there was none.
func (v *Voice) Sorry(ctx context.Context, reason, result string) prompt.Sound {
	text := sentences[result]
	if text == "" {
		text = sentences[reason]
	}
	if text == "" {
		text = "You cannot enter this conference now."
	}
	if v.Library != nil {
		if s, err := v.Library.Say(ctx, prompt.Speech{Text: text, Language: "en-US"}); err == nil {
			return s
		}
	}
	return v.Tone("refused")
}
