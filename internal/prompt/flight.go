package prompt

import (
	"context"
	"errors"
	"sync"
)

// flights lets one caller do what several want at once. The work runs in the caller's own goroutine and ends with it; when that caller gives up,
// another one takes over.
type flights struct {
	mu    sync.Mutex
	going map[string]*flight
}

type flight struct {
	done  chan struct{}
	sound Sound
	err   error
}

func (f *flights) do(ctx context.Context, key string, work func() (Sound, error)) (Sound, error) {
	for {
		f.mu.Lock()
		other := f.going[key]
		if other == nil {
			break
		}
		f.mu.Unlock()
		select {
		case <-other.done:
		case <-ctx.Done():
			return Sound{}, ctx.Err()
		}
		if !errors.Is(other.err, context.Canceled) && !errors.Is(other.err, context.DeadlineExceeded) {
			return other.sound, other.err
		}
	}
	own := &flight{done: make(chan struct{})}
	f.going[key] = own
	f.mu.Unlock()
	own.err = context.Canceled // if the work should panic
	defer func() {
		f.mu.Lock()
		delete(f.going, key)
		f.mu.Unlock()
		close(own.done)
	}()
	own.sound, own.err = work()
	return own.sound, own.err
}
