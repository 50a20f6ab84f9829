package sound

import (
	"context"
	"errors"
	"sync"
	"time"

	"parley/internal/audio"
	"parley/internal/loop"
	"parley/internal/prompt"
)

// errNotHeard says that the port went away under a sound.
var errNotHeard = errors.New("the sound was not heard to its end")

// Tell plays a sound to one port and returns nil when that has heard all of it.
func Tell(ctx context.Context, m Mixer, to Port, s prompt.Sound) error {
	began := time.Now()
	player, err := m.Play(loop.PlayOptions{Samples: s.Samples, Rate: s.Rate}, to)
	if err != nil {
		return err
	}
	select {
	case <-player.Done():
	case <-ctx.Done():
		player.Stop()
		return context.Cause(ctx)
	}
	length := time.Duration(len(s.Samples)) * time.Second / time.Duration(max(s.Rate, 1))
	if time.Since(began) < length-audio.FrameMillis*time.Millisecond {
		return errNotHeard
	}
	return nil
}

// Of the built-in announcement of a recording: three short high tones.
const (
	noticeRate  = 16000
	noticeHz    = 1400
	noticeLevel = -20 // dBov
	noticeMark  = 200 * noticeRate / 1000
	noticeSpace = 150 * noticeRate / 1000
)

// NoticeTone returns what is heard before a recording where nothing else is configured: three tones.
var NoticeTone = sync.OnceValue(func() prompt.Sound {
	var s []int16
	for range 3 {
		mark := make([]int16, noticeMark+noticeSpace)
		audio.NewTone(noticeHz, noticeLevel, noticeRate, 0).Read(mark[:noticeMark])
		s = append(s, mark...)
	}
	return prompt.Sound{Samples: s, Rate: noticeRate}
})
