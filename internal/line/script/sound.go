package script

import (
	"context"
	"strings"
	"sync"

	"parley/internal/flow/action"
	"parley/internal/prompt"
)

// sound is one that goes on beside the steps.
type sound struct {
	stop context.CancelFunc
	done chan struct{}
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

func (w *walk) beep(ctx context.Context) error { return w.hear(ctx, w.p.voice.Tone("beep")) }

// play plays what is at the URLs, each fetched while the one before plays. One that cannot be had is passed by, and the first such failure
// is that of the step.
func (w *walk) play(ctx context.Context, urls []string) (failure error) {
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
			s, err := w.p.voice.Fetch(ctx, w.plan.CustomerID, url)
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
	s, err := w.p.voice.Say(ctx, o)
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

// announce tells the caller why it does not enter. It never is silence.
func (w *walk) announce(ctx context.Context, why string) {
	if w.stage.Phone == nil {
		return
	}
	w.hush()
	err := w.stage.Phone.Answer(ctx)
	if err == nil {
		err = w.hear(ctx, w.p.voice.Sorry(ctx, why, w.astrayBy))
	}
	if err != nil && ctx.Err() == nil {
		w.p.o.Log.Warn("a caller cannot be told why", "activeflow", w.id(), "why", why, "error", err)
	}
}
