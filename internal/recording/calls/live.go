package calls

import (
	"sync"
	"time"

	"parley/internal/audio"
	"parley/internal/conference/tape"
	"parley/internal/mixer"
	"parley/internal/recording/capture"
)

// The lanes of a call's recording, and their tags in the manifest.
const (
	In  = "in"  // the caller's voice
	Out = "out" // what is played to the caller
)

// Tap shows the sound of a room to t until remove has returned; loop.Room.Tap is one.
type Tap func(t mixer.Tap) (remove func())

// Recording is one that runs. Its methods may be called from any goroutine, also after its end.
type Recording struct {
	id, callID string
	options    tape.Options
	desk       *Desk
	capture    *capture.Capture
	stopped    chan struct{}

	mu     sync.Mutex // guards what follows
	ears   ears
	remove func() // nil while the call is heard nowhere
	reason tape.Reason
	told   sync.Once
}

// ID returns the recording's id.
func (r *Recording) ID() string { return r.id }

// Stopped is closed when nothing more is recorded and that is written, whoever ended it: the call's recording_id is to be cleared.
func (r *Recording) Stopped() <-chan struct{} { return r.stopped }

// Switch has the recording hear the call in a room, where its port has the tag. The room before, if any, is left; nil is nowhere. The time in between
// is kept as silence.
func (r *Recording) Switch(tap Tap, tag string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leave()
	if tap == nil || r.reason != "" {
		return
	}
	r.ears.tag, r.ears.moved = tag, true
	r.remove = tap(&r.ears)
}

func (r *Recording) leave() {
	if r.remove != nil {
		r.remove()
		r.remove, r.ears.left = nil, time.Now()
	}
}

// Key tells of a key that the caller pressed; it may be one that ends the recording.
func (r *Recording) Key(key byte) {
	if r.options.Ends(key) {
		r.end(tape.ByKey)
	}
}

// end stops the capture; the deck does the rest. The first reason counts.
func (r *Recording) end(reason tape.Reason) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.reason == "" {
		r.reason = reason
	}
	r.leave()
	r.capture.Stop(string(r.reason))
}

// why returns the reason of the end, or what the capture's own end says.
func (r *Recording) why(own tape.Reason) tape.Reason {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.reason != "" && own == tape.ByCrash {
		return r.reason
	}
	return own
}

// watchEvery is how often the silence is looked at.
const watchEvery = 100 * time.Millisecond

// watch ends the recording when the caller was silent for long enough.
func (r *Recording) watch() {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if time.Duration(r.ears.quiet.Load())*audio.FrameMillis*time.Millisecond >= r.options.EndOfSilence {
				r.end(tape.BySilence)
				return
			}
		case <-r.capture.Done():
			return
		}
	}
}
