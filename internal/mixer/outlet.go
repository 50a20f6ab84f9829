package mixer

import (
	"fmt"
	"slices"

	"parley/internal/audio"
	"parley/internal/codec"
)

// outlet is what a room needs to speak one format: the stream of the common mix that all silent listeners share, and streams
// for those who speak, kept when they fall silent for the next ones who do.
type outlet struct {
	format  codec.Format
	room    int // its rate in Hz
	keep    int // ticks for which a speaker keeps its own stream after the last audible frame
	shared  *stream
	silence *silence
	spare   []*voice
	members int
	worst   int // loss of its members while they are being asked
}

// voice is the mix that one speaker hears, with its only stream.
type voice struct {
	*mix
	stream *stream
}

// Figures of streams of one's own.
const (
	// keepTicks bridges the pauses of a speaker, on top of the hangover of talk detection, so that a decoder does not change
	// between two encoders at each. A second in all.
	keepTicks     = 30
	silenceFrames = 8 // after so many frames of silence an encoder's payload has settled
)

// mendTicks is how often listeners are asked what they lose.
const mendTicks = 50

// lossMost is up to how much loss in percent redundancy is made for. More of it takes quality from all who share the stream, and mends little.
const lossMost = 20

// mend has encoders add as much redundancy as their listeners need, the shared ones as the worst of theirs needs.
func (r *Room) mend() {
	for _, o := range r.outlets {
		o.worst = 0
	}
	for _, p := range r.ports {
		o := p.outlet
		if o == nil || o.shared.mender == nil {
			continue
		}
		loss := min(max(p.leg.Loss(), 0), lossMost)
		if p.own != nil {
			p.own.stream.loss = loss
		}
		o.worst = max(o.worst, loss)
	}
	for _, o := range r.outlets {
		o.shared.loss = o.worst
	}
	for _, x := range r.routing.groups {
		for _, s := range x.streams {
			s.stream.loss = s.outlet.worst
		}
	}
}

// silence is a silent frame, encoded once for all: a payload that can be repeated for ever, and an encoder that stands where
// a decoder stands after some of them.
type silence struct {
	payload []byte
	encoder codec.Encoder
}

func newOutlet(f codec.Format, common *mix) (*outlet, error) {
	quiet, err := encodeSilence(f, common.rate)
	if err != nil {
		return nil, err
	}
	shared, err := common.newStream(f, quiet)
	if err != nil {
		return nil, err
	}
	o := &outlet{format: f, room: common.rate, shared: shared, silence: quiet}
	if !stateless(f) || shared.render.resampler != nil {
		o.keep = keepTicks
	}
	return o, o.reserve()
}

// stateless formats may change encoders at any frame without anybody's hearing it.
func stateless(f codec.Format) bool { return slices.Contains([]string{"PCMU", "PCMA", "L16"}, f.Name) }

func encodeSilence(f codec.Format, room int) (*silence, error) {
	rate := f.Rate(room)
	encoder, err := codec.NewEncoder(f, rate)
	if err != nil {
		return nil, fmt.Errorf("open encoder: %w", err)
	}
	frame, buf, n := make([]int16, audio.FrameSamples(rate)), make([]byte, codec.MaxPayload), 0
	for range silenceFrames {
		if n, err = encoder.Encode(buf, frame); err != nil {
			return nil, fmt.Errorf("encode silence: %w", err)
		}
	}
	return &silence{payload: slices.Clone(buf[:n]), encoder: encoder}, nil
}

// reserve makes sure that the next speaker finds a voice without allocating in the tick.
func (o *outlet) reserve() error {
	if len(o.spare) > 0 {
		return nil
	}
	v, err := o.newVoice()
	if err != nil {
		return err
	}
	o.spare = append(o.spare, v)
	return nil
}

func (o *outlet) newVoice() (*voice, error) {
	v := &voice{mix: newMix(o.room)}
	s, err := v.newStream(o.format, o.silence)
	if err != nil {
		return nil, err
	}
	v.stream = s
	return v, nil
}

// take returns a voice that goes on where the shared stream of a mix stands, so that the listener who changes to it hears no break, or where silence
// stands for one who did not hear that, when shared is nil. It returns nil when none can be made: then the listener hears silence, and never itself. The
// pool grows to the number of those who ever spoke at once and only then allocates.
func (o *outlet) take(from *mix, shared *stream) *voice {
	var v *voice
	if n := len(o.spare); n > 0 {
		v, o.spare = o.spare[n-1], o.spare[:n-1]
	} else {
		var err error
		if v, err = o.newVoice(); err != nil {
			return nil
		}
	}
	v.stream.loss = o.shared.loss
	if shared != nil {
		v.mix.startAfter(from)
		v.stream.startAfter(shared)
	} else {
		v.mix.limiter, v.mix.limited, v.stream.broken = audio.Limiter{}, 0, true
	}
	return v
}

// joins has a listener who followed one stream go on with another, which many share. When nobody heard that in the tick before, it can go on where the
// first one stood. Otherwise it must go on for the others, and the newcomer's decoder has followed a stream of, mostly, nearly the same sound.
// last is the tick before.
func (s *stream) joins(from *stream, last uint64) {
	switch {
	case s == nil || from == s:
	case s.tick == last:
		s.refresh()
	case from != nil:
		s.startAfter(from)
	}
}
