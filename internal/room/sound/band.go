package sound

import (
	"context"
	"log/slog"
	"sync"

	"parley/internal/loop"
	"parley/internal/prompt"
)

const (
	builtIn    = "music"   // music that needs no address
	silence    = "silence" // music that is none
	musicLevel = -12       // dB: it is to be talked over
)

// Band plays what rooms play by themselves. Its methods may be called from any goroutine until its context has ended.
type Band struct {
	ctx     context.Context
	prompts prompt.Library // nil: it plays nothing
	log     *slog.Logger
	done    sync.WaitGroup
}

// NewBand makes a Band that plays until ctx ends.
func NewBand(ctx context.Context, p prompt.Library, log *slog.Logger) *Band {
	return &Band{ctx: ctx, prompts: p, log: log}
}

// Wait returns when nothing plays any more. Call it after the context has ended and nobody asks for more.
func (b *Band) Wait() { b.done.Wait() }

// Music plays music into a mix until stop is called or the mix ends, to one port or to all: source is music, silence or a URL of the customer's. What
// cannot be had is replaced by the built-in music.
func (b *Band) Music(m Mixer, to Port, customer, source string) (stop func()) {
	if b.prompts == nil || source == silence {
		return func() {}
	}
	ctx, cancel := context.WithCancel(b.ctx)
	b.done.Go(func() {
		defer cancel()
		b.music(ctx, m, to, customer, source)
	})
	return cancel
}

func (b *Band) music(ctx context.Context, m Mixer, to Port, customer, source string) {
	sound, err := b.sound(ctx, customer, source)
	if err != nil && ctx.Err() == nil {
		b.log.Warn("cannot get the music for those that wait; playing the built-in one", "customer", customer, "url", source, "error", err)
		sound, err = b.prompts.Tone(builtIn)
	}
	if ctx.Err() != nil {
		return
	}
	var player Player
	if err == nil {
		player, err = m.Play(loop.PlayOptions{Samples: sound.Samples, Rate: sound.Rate, Repeat: true, Volume: musicLevel}, to)
	}
	if err != nil {
		b.log.Info("no music for somebody that waits", "customer", customer, "error", err)
		return
	}
	select {
	case <-ctx.Done():
		player.Stop()
	case <-player.Done():
	}
}

func (b *Band) sound(ctx context.Context, customer, source string) (prompt.Sound, error) {
	if source == builtIn || source == "" {
		return b.prompts.Tone(builtIn)
	}
	return b.prompts.Fetch(ctx, customer, source)
}

// Tone plays a built-in sound once, to one port or to all, and calls over when it has ended. Without sounds it does nothing.
func (b *Band) Tone(m Mixer, name string, to Port, over func()) {
	if b.prompts == nil {
		over()
		return
	}
	b.done.Go(func() {
		defer over()
		if err := b.tone(m, name, to); err != nil {
			b.log.Info("a tone was not heard", "tone", name, "error", err)
		}
	})
}

func (b *Band) tone(m Mixer, name string, to Port) error {
	sound, err := b.prompts.Tone(name)
	if err != nil {
		return err
	}
	player, err := m.Play(loop.PlayOptions{Samples: sound.Samples, Rate: sound.Rate}, to)
	if err != nil {
		return err
	}
	select {
	case <-player.Done():
	case <-b.ctx.Done():
		player.Stop()
	}
	return nil
}
