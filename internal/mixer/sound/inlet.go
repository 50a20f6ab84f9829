package sound

import (
	"slices"
	"sync/atomic"
	"time"

	"parley/internal/audio"
	"parley/internal/fault"
)

// Inlet is sound that comes from outside while it is played: a bounded queue between one writer, which never waits, and the Room that plays it. It
// begins to sound when 60 ms are there, or what there is has waited for as long, and when it runs dry it fades out and begins anew. So a writer that keeps time is heard
// without a break, and one that writes now and then is too. Write, Clear and the counters may be called while it plays; the rest belongs to the loop.
type Inlet struct {
	rate        int
	ring        []int16
	wrote, read atomic.Uint64 // samples; each is written by its own side only
	clear       atomic.Uint64 // what was written before this is not to be heard
	dropped     atomic.Uint64
	gaps        atomic.Uint64

	// What follows is the loop's.
	in         []int16 // a frame at the rate of the ring
	resampler  *audio.Resampler
	gain, want float32 // at the begin of the next frame, and where it goes
	flowing    bool
	waited     int  // ticks that a little has lain there
	trailing   bool // the resampler holds the end of what was heard
	stopping   bool
	ended      bool
	sounding   []int16 // of the last tick
}

const (
	leadFrames = 3 // 60 ms
	queueLeast = 2 * leadFrames * 20 * time.Millisecond
	queueMost  = 30 * time.Second
)

// NewInlet makes an Inlet for mono samples at rate Hz that holds as much sound as queue, from 120 ms to 30 s. It refuses rates that cannot be resampled with
// SOUND_INVALID.
func NewInlet(rate int, queue time.Duration) (*Inlet, error) {
	if !slices.Contains([]int{8000, 12000, 16000, 24000, 48000}, rate) {
		return nil, fault.New(fault.Invalid, "SOUND_INVALID", "cannot play sound at %d Hz: use 8000, 12000, 16000, 24000 or 48000", rate)
	}
	queue = min(max(queue, queueLeast), queueMost)
	return &Inlet{
		rate: rate, want: 1, in: make([]int16, audio.FrameSamples(rate)), ring: make([]int16, int(queue.Milliseconds())*rate/1000),
	}, nil
}

// Write queues samples and returns how many found room; the others are dropped and counted. One goroutine writes at a time.
func (i *Inlet) Write(samples []int16) int {
	at := i.wrote.Load()
	room := len(i.ring) - int(at-i.read.Load())
	n := min(len(samples), room)
	from := int(at % uint64(len(i.ring)))
	moved := copy(i.ring[from:], samples[:n])
	copy(i.ring, samples[moved:n])
	i.wrote.Store(at + uint64(n))
	i.dropped.Add(uint64(len(samples) - n))
	return n
}

// Clear drops what has been written and not been heard; what sounds fades out. It is called by the writer.
func (i *Inlet) Clear() { i.clear.Store(i.wrote.Load()) }

// Waiting returns how much sound is queued.
func (i *Inlet) Waiting() time.Duration {
	read := i.read.Load()
	return time.Duration(i.wrote.Load()-read) * time.Second / time.Duration(i.rate)
}

// Dropped returns how many samples found no room, Gaps how often the sound ran dry.
func (i *Inlet) Dropped() uint64 { return i.dropped.Load() }

// Gaps returns how often the sound ran dry.
func (i *Inlet) Gaps() uint64 { return i.gaps.Load() }

// SetVolume implements Sound.
func (i *Inlet) SetVolume(volume int) {
	if !i.stopping {
		i.want = Volume(volume)
	}
}

// Stop implements Sound.
func (i *Inlet) Stop() { i.stopping, i.want = true, 0 }

// Ended implements Sound.
func (i *Inlet) Ended() bool { return i.ended }

// SetRate implements Source.
func (i *Inlet) SetRate(rate int) (err error) {
	i.trailing = false
	i.resampler, err = audio.NewResampler(i.rate, rate)
	return err
}

// Sounding returns what was pulled for this tick, nil for silence: a Tap may ask for it, to leave it out of what it hears.
func (i *Inlet) Sounding() []int16 { return i.sounding }

// Pull implements Source.
func (i *Inlet) Pull(dst []int16, _ time.Duration) bool {
	if i.sounding = nil; !i.pull(dst) {
		return false
	}
	i.sounding = dst
	return true
}

func (i *Inlet) pull(dst []int16) bool {
	to, until := i.want, i.clear.Load()
	cleared := until > i.read.Load()
	if cleared {
		to = 0
	}
	if !i.due(int(i.wrote.Load() - i.read.Load())) {
		if cleared {
			i.read.Store(until)
		}
		return i.trail(dst)
	}
	n, left := i.take()
	if cleared {
		i.read.Store(max(until, i.read.Load()))
	}
	if Fade(i.in, i.gain, to); left == 0 || to == 0 {
		i.rest(n)
	}
	if i.gain = to; !i.flowing {
		i.gain = 0 // it fades in again
	}
	i.resampler.Process(dst, i.in)
	i.trailing = len(dst) != len(i.in)
	i.ended = i.stopping
	return true
}

// due reports whether it is time to be heard.
func (i *Inlet) due(have int) bool {
	switch {
	case i.stopping && !i.flowing:
		i.ended = true
		return false
	case have == 0:
		i.waited = 0
		return false
	case i.flowing:
		return true
	}
	i.waited++
	i.flowing = have >= leadFrames*len(i.in) || i.waited > leadFrames
	return i.flowing
}

// take moves a frame out of the ring, silence where there is nothing, and returns how much of it is sound and how much is left.
func (i *Inlet) take() (n, left int) {
	at := i.read.Load()
	have := int(i.wrote.Load() - at)
	n = min(have, len(i.in))
	from := int(at % uint64(len(i.ring)))
	moved := copy(i.in[:n], i.ring[from:])
	copy(i.in[moved:n], i.ring)
	clear(i.in[n:])
	i.read.Store(at + uint64(n))
	return n, have - n
}

// rest ends the sound with this frame: nothing follows its first n samples for now.
func (i *Inlet) rest(n int) {
	length := min(n, len(i.in)/FadeShare)
	for k := n - length; k < n; k++ {
		i.in[k] = int16(int(i.in[k]) * (n - k) / (length + 1))
	}
	i.flowing, i.waited = false, 0
	i.gaps.Add(1)
}

// trail lets the resampler give what it still holds.
func (i *Inlet) trail(dst []int16) bool {
	if !i.trailing {
		return false
	}
	clear(i.in)
	i.resampler.Process(dst, i.in)
	i.trailing = false
	return true
}
