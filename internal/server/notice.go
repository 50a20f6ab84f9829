package server

import (
	"context"
	"fmt"
	"os"
	"strings"

	"parley/internal/audio"
	"parley/internal/conference/tape"
	"parley/internal/prompt"
	"parley/internal/room/sound"
)

// noticeMarks start what is fetched rather than read or spoken.
var noticeMarks = []string{"http://", "https://", "blob:"}

// notice returns what a leg hears before it is recorded. Where the configured sound cannot be had the built-in one says that there is a recording.
func (p *parts) notice(ctx context.Context, customerID, kind string) (prompt.Sound, error) {
	what := p.c.Recording.Announcement
	if kind == tape.Press1 {
		what = p.c.Recording.AskConsent
	}
	if what == "" {
		return sound.NoticeTone(), nil
	}
	s, err := p.noticeSound(ctx, customerID, what)
	if err != nil {
		p.log.Error("cannot play the configured announcement of recordings; playing tones", "announcement", what, "error", err)
		return sound.NoticeTone(), nil
	}
	return s, nil
}

func (p *parts) noticeSound(ctx context.Context, customerID, what string) (prompt.Sound, error) {
	if strings.HasSuffix(strings.ToLower(what), ".wav") && !strings.Contains(what, "://") {
		return readSound(what)
	}
	for _, mark := range noticeMarks {
		if strings.HasPrefix(what, mark) {
			return p.prompts.Fetch(ctx, customerID, what)
		}
	}
	return p.prompts.Say(ctx, prompt.Speech{Text: what})
}

// readSound reads a WAV file.
func readSound(path string) (prompt.Sound, error) {
	f, err := os.Open(path)
	if err != nil {
		return prompt.Sound{}, fmt.Errorf("read sound: %w", err)
	}
	defer f.Close()
	rate, samples, err := audio.ReadWAV(f)
	if err != nil {
		return prompt.Sound{}, fmt.Errorf("read sound %s: %w", path, err)
	}
	return prompt.Sound{Samples: samples, Rate: rate}, nil
}
