package script

import (
	"context"
	"strings"
	"sync"

	"parley/internal/audio"
	"parley/internal/fault"
	"parley/internal/flow/action"
	"parley/internal/prompt"
)

// sound is one that goes on beside the steps.
type sound struct {
	stop context.CancelFunc
	done chan struct{}
}

// voiceless is the failure of everything that needs a library when there is none.
func voiceless() error {
	return fault.New(fault.Unavailable, "VOICE_UNAVAILABLE", "no voice and no player are installed on this server")
}

// hear plays a sound after the one that still goes on.
func (w *walk) hear(ctx context.Context, s prompt.Sound) error {
	if w.sound != nil {
		select {
		case <-w.sound.done:
			w.sound = nil
		case <-ctx.Done():
			w.hush()
			return ctx.Err()
		}
	}
	return w.stage.Phone.Play(ctx, s)
}

// hush ends the sound that goes on beside the steps.
func (w *walk) hush() {
	if w.sound == nil {
		return
	}
	w.sound.stop()
	<-w.sound.done
	w.sound = nil
}

func (w *walk) beep(ctx context.Context) error { return w.hear(ctx, w.tone("beep")) }

// tone returns a built-in sound, or what there is without a library.
func (w *walk) tone(name string) prompt.Sound {
	if w.p.o.Prompts != nil {
		s, err := w.p.o.Prompts.Tone(name)
		if err == nil {
			return s
		}
		w.p.o.Log.Warn("a tone is not there", "tone", name, "error", err)
	}
	const rate, millis = 8000, 400
	s := prompt.Sound{Samples: make([]int16, rate*millis/1000), Rate: rate}
	audio.NewTone(480, -12, rate, millis).Read(s.Samples)
	return s
}

// play plays what is at the URLs, each fetched while the one before plays. One that cannot be had is passed by, and the first such failure
// is that of the step.
func (w *walk) play(ctx context.Context, urls []string) (failure error) {
	if w.p.o.Prompts == nil {
		return voiceless()
	}
	type fetched struct {
		sound prompt.Sound
		err   error
	}
	var fetching sync.WaitGroup
	defer fetching.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	fetch := func(url string) <-chan fetched {
		got := make(chan fetched, 1)
		fetching.Go(func() {
			s, err := w.p.o.Prompts.Fetch(ctx, w.plan.CustomerID, url)
			got <- fetched{s, err}
		})
		return got
	}
	next := fetch(urls[0])
	for i := range urls {
		now := <-next
		if i+1 < len(urls) {
			next = fetch(urls[i+1])
		}
		err := now.err
		if err == nil {
			err = w.hear(ctx, now.sound)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if failure == nil {
			failure = err
		}
	}
	return failure
}

// talk speaks a text. When nobody waits for it, it goes on beside the next steps.
func (w *walk) talk(ctx context.Context, o *action.Talking) error {
	if strings.TrimSpace(o.Text) == "" {
		return nil
	}
	if w.p.o.Prompts == nil {
		return voiceless()
	}
	s, err := w.p.o.Prompts.Say(ctx, prompt.Speech{Text: o.Text, Language: o.Language, Provider: o.Provider, Voice: o.VoiceID})
	if err != nil {
		return err
	}
	if !o.Async {
		return w.hear(ctx, s)
	}
	if w.sound != nil {
		select {
		case <-w.sound.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	whole, stop := context.WithCancel(w.whole)
	w.sound = &sound{stop: stop, done: make(chan struct{})}
	done := w.sound.done
	w.others.Go(func() {
		defer close(done)
		defer stop()
		if err := w.stage.Phone.Play(whole, s); err != nil && whole.Err() == nil {
			w.p.o.Log.Info("a text that nobody waits for is not spoken", "activeflow", w.id(), "error", err)
		}
	})
	return nil
}

// sentences are what a caller is told when a conference cannot be entered.
var sentences = map[string]string{
	"CONFERENCE_NOT_FOUND":       "There is no such conference.",
	"CONFERENCE_NOT_PROGRESSING": "This conference has ended.",
	"CONFERENCE_FULL":            "This conference is full.",
	"CONFERENCE_LOCKED":          "This conference is locked.",
	"CONFERENCECALL_LEAVED":      "You have been removed from this conference.",
	"OVERLOADED":                 "The server is busy. Please try again later.",
}

const sentence = "You cannot enter this conference now."

// announce tells the caller why it does not enter: by a sentence, or by a tone where there is no voice. It never is silence.
func (w *walk) announce(ctx context.Context, why string) {
	if w.stage.Phone == nil {
		return
	}
	w.hush()
	if err := w.stage.Phone.Answer(ctx); err != nil {
		return
	}
	text := sentences[why]
	if text == "" {
		text = sentence
	}
	s, err := prompt.Sound{}, voiceless()
	if w.p.o.Prompts != nil {
		s, err = w.p.o.Prompts.Say(ctx, prompt.Speech{Text: text, Language: "en-US"})
	}
	if err != nil {
		s = w.tone("refused")
	}
	if err := w.hear(ctx, s); err != nil && ctx.Err() == nil {
		w.p.o.Log.Warn("a caller cannot be told why", "activeflow", w.id(), "why", why, "error", err)
	}
}
