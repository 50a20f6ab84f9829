package render

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"time"

	"parley/internal/fault"
	"parley/internal/recording/page"
)

// The kinds of renditions.
const (
	Mix         = "mix"         // one channel: what a listener who says nothing heard
	Stereo      = "stereo"      // two: the first, third ... participant left, the others right, players on both
	Channels    = "channels"    // one for each participant in the order of joining, and the players last if there were any
	Participant = "participant" // one: the participant Tag
)

// The formats of renditions.
const (
	WAV = "wav" // 16 bits at the highest rate the room had; RF64 where 4 GiB do not suffice (EBU Tech 3306)
	Ogg = "ogg" // Opus (RFC 7845)
)

// Rendition says what to make.
type Rendition struct {
	Kind   string `json:"rendition"`
	Tag    string `json:"tag,omitempty"`
	Format string `json:"format"`
}

// Made says what was made.
type Made struct {
	Rendition
	Size     int64         `json:"size"`
	SHA256   string        `json:"sha256"` // in hexadecimal
	Duration time.Duration `json:"duration"`
	Rate     int           `json:"rate"`
	Channels int           `json:"channels"`
}

// encoder writes a format.
type encoder interface {
	// frames takes one tick, a frame for each channel, nil for silence.
	frames(channels [][]int16) error
	close() error
}

// maxChannels is what Opus in Ogg can hold, and more than any player opens.
const maxChannels = 255

// Render writes a rendition to w as it makes it; w needs no seeking, and memory does not grow with the length. It refuses with
// RENDITION_UNKNOWN, RENDITION_FORMAT_UNKNOWN, PARTICIPANT_NOT_RECORDED and RENDITION_TOO_WIDE before anything is written.
func (r *Recording) Render(ctx context.Context, w io.Writer, what Rendition) (Made, error) {
	routes, channels, err := r.routes(what)
	if err != nil {
		return Made{}, err
	}
	r.done.Store(0)
	out := newCounter(w)
	enc, err := r.encoder(out, what.Format, channels)
	if err != nil {
		return Made{}, err
	}
	err = r.produce(ctx, routes, channels, enc.frames)
	if err == nil {
		err = enc.close()
	}
	if err == nil {
		err = out.buf.Flush()
	}
	if err != nil {
		return Made{}, fmt.Errorf("render %s of recording %s: %w", what.Kind, r.id, err)
	}
	return Made{
		Rendition: what, Size: out.n, SHA256: hex.EncodeToString(out.hash.Sum(nil)),
		Duration: r.Length(), Rate: r.rate, Channels: channels,
	}, nil
}

func (r *Recording) encoder(w io.Writer, format string, channels int) (encoder, error) {
	samples := r.kept() * uint64(r.rate/50)
	switch format {
	case WAV:
		return newWAV(w, r.rate, channels, samples)
	case Ogg:
		return newOgg(w, r.rate, channels, uint32(r.stream.Mark()))
	}
	return nil, fault.New(fault.Invalid, "RENDITION_FORMAT_UNKNOWN", "no rendition has the format %q: use wav or ogg", format)
}

// routes says by lane on which channels it plays.
func (r *Recording) routes(what Rendition) (routes [][]int, channels int, err error) {
	routes = make([][]int, len(r.lanes))
	people := 0
	for i := range r.lanes {
		switch {
		case what.Kind == Mix:
			routes[i] = []int{0}
		case what.Kind == Stereo && i == page.Player:
			routes[i] = []int{0, 1}
		case what.Kind == Stereo:
			routes[i] = []int{(i - 1) % 2}
		case what.Kind == Channels && i != page.Player:
			routes[i] = []int{people}
			people++
		case what.Kind == Participant && i != page.Player && r.lanes[i].tag == what.Tag:
			routes[i] = []int{0}
			people++
		}
	}
	switch what.Kind {
	case Mix:
		return routes, 1, nil
	case Stereo:
		return routes, 2, nil
	case Channels:
		if len(r.lanes) > 0 && r.lanes[page.Player].used {
			routes[page.Player] = []int{people}
			people++
		}
		if people > maxChannels {
			return nil, 0, fault.New(fault.Invalid, "RENDITION_TOO_WIDE", "recording %s has %d lanes, a file holds %d: take them one by one as participant", r.id, people, maxChannels)
		}
		return routes, max(people, 1), nil
	case Participant:
		if people == 0 {
			return nil, 0, fault.New(fault.NotFound, "PARTICIPANT_NOT_RECORDED", "recording %s has no participant %q: its manifest lists them", r.id, what.Tag)
		}
		return routes, 1, nil
	}
	return nil, 0, fault.New(fault.Invalid, "RENDITION_UNKNOWN", "there is no rendition %q: use mix, stereo, channels or participant", what.Kind)
}

// produce makes the channels tick by tick.
// Progress returns how much of the rendition that was asked for last is made, from 0 to 1. Anyone may call it.
func (r *Recording) Progress() float64 {
	return min(float64(r.done.Load())/float64(max(r.kept(), 1)), 1)
}

func (r *Recording) produce(ctx context.Context, routes [][]int, channels int, each func([][]int16) error) error {
	buses := make([]*bus, channels)
	for i := range buses {
		buses[i] = newBus(r.rate)
	}
	out := make([][]int16, channels)
	wanted := func(lane int) bool { return len(routes[lane]) > 0 }
	return r.walk(ctx, wanted, func(t *tick) (err error) {
		for _, b := range buses {
			b.start(t.rate)
		}
		for lane, frame := range t.frames {
			if frame == nil {
				continue
			}
			for _, n := range routes[lane] {
				buses[n].add(frame)
			}
		}
		for i, b := range buses {
			if out[i], err = b.end(); err != nil {
				return err
			}
		}
		r.done.Add(1)
		return each(out)
	})
}

// counter writes, counts and hashes.
type counter struct {
	buf  *bufio.Writer
	hash hash.Hash
	n    int64
}

func newCounter(w io.Writer) *counter {
	c := &counter{hash: sha256.New()}
	c.buf = bufio.NewWriterSize(io.MultiWriter(w, c.hash), 1<<16)
	return c
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.buf.Write(p)
	c.n += int64(n)
	return n, err
}
