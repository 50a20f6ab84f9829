package mixer

import (
	"fmt"

	"parley/internal/audio"
	"parley/internal/codec"
)

// mix is one distinct sum on its way to those who hear it: limited once, resampled once per rate, encoded once per format, each
// on first demand in a tick. The common mix has a stream per format in the room, a speaker's own has one.
type mix struct {
	rate    int
	limiter audio.Limiter
	frame   []int16 // limited, at the room's rate
	prev    []int16 // the frame of the tick before, silence when there was none
	sum     []int32 // of this tick
	silent  bool
	tick    uint64
	limited uint64 // the tick that frame belongs to
	renders []*render
}

// render is a mix at another rate.
type render struct {
	resampler *audio.Resampler // nil at the room's rate
	rate      int
	frame     []int16
	tick      uint64
}

// stream encodes one mix in one format.
type stream struct {
	render  *render
	encoder codec.Encoder
	mender  mender // the encoder, where it can add redundancy
	loss    int    // of those who hear it, in percent
	silence *silence
	payload []byte
	buf     []byte
	tick    uint64 // of payload
	broken  bool   // the last payload was stored silence, or there was none
}

// mender is an encoder that adds redundancy for listeners who lose packets.
type mender interface{ SetPacketLoss(percent int) }

func newMix(rate int) *mix {
	n := audio.FrameSamples(rate)
	return &mix{rate: rate, frame: make([]int16, n), prev: make([]int16, n)}
}

// start gives the mix its sum for a tick, which must stay as it is until the last payload is made.
func (m *mix) start(tick uint64, sum []int32, silent bool) {
	m.tick, m.sum, m.silent = tick, sum, silent
	if silent {
		return
	}
	m.frame, m.prev = m.prev, m.frame
	if m.limited+1 != tick {
		clear(m.prev)
	}
	m.limiter.Apply(m.frame, sum)
	m.limited = tick
}

// startAfter makes m go on where other stood at the last tick.
func (m *mix) startAfter(other *mix) {
	m.limiter = other.limiter
	m.limited = other.limited
	copy(m.frame, other.frame)
}

// renderAt returns the mix's rendering at rate, making it when it is new.
func (m *mix) renderAt(rate int) (*render, error) {
	for _, r := range m.renders {
		if r.rate == rate {
			return r, nil
		}
	}
	r := &render{rate: rate}
	if rate != m.rate {
		resampler, err := audio.NewResampler(m.rate, rate)
		if err != nil {
			return nil, fmt.Errorf("resample mix: %w", err)
		}
		r.resampler, r.frame = resampler, make([]int16, audio.FrameSamples(rate))
	}
	m.renders = append(m.renders, r)
	return r, nil
}

func (m *mix) newStream(f codec.Format, quiet *silence) (*stream, error) {
	rate := f.Rate(m.rate)
	r, err := m.renderAt(rate)
	if err != nil {
		return nil, err
	}
	encoder, err := codec.NewEncoder(f, rate)
	if err != nil {
		return nil, fmt.Errorf("open encoder: %w", err)
	}
	s := &stream{render: r, encoder: encoder, silence: quiet, broken: true, buf: make([]byte, codec.MaxPayload)}
	s.mender, _ = encoder.(mender)
	return s, nil
}

// payload returns the mix of this tick as s encodes it. A silent mix costs no encoding: everyone gets the stored silence.
func (m *mix) payload(s *stream) []byte {
	if s.tick == m.tick {
		return s.payload
	}
	if s.tick+1 != m.tick {
		s.broken = true // nobody heard it last; who comes had silence
	}
	s.tick = m.tick
	if m.silent {
		s.payload, s.broken = s.silence.payload, true
		return s.payload
	}
	if s.broken && !codec.Follow(s.encoder, s.silence.encoder) {
		s.encoder.Reset()
	}
	if s.mender != nil {
		s.mender.SetPacketLoss(s.loss) // following another encoder took over that one's
	}
	n, err := s.encoder.Encode(s.buf, m.rendered(s.render))
	if s.broken = err != nil; s.broken {
		// Cannot happen with frames of the encoder's own rate; silence keeps the stream alive.
		s.payload = s.silence.payload
		return s.payload
	}
	s.payload = s.buf[:n]
	return s.payload
}

// startAfter makes s go on where other stood at the last tick.
func (s *stream) startAfter(other *stream) {
	s.tick = other.tick
	s.broken = other.broken || !codec.Follow(s.encoder, other.encoder)
}

// refresh has the next frame encoded so that a decoder that comes from another stream follows it at once, where the codec can do
// that without disturbing the others.
func (s *stream) refresh() {
	if e, ok := s.encoder.(interface{ Refresh() }); ok {
		e.Refresh()
	}
}

func (m *mix) rendered(r *render) []int16 {
	if r.resampler == nil {
		return m.frame
	}
	if r.tick == m.tick {
		return r.frame
	}
	if r.tick+1 != m.tick {
		// Nobody needed it last; with the past in its filter it goes on without a click.
		r.resampler.Reset()
		r.resampler.Process(r.frame, m.prev)
	}
	r.tick = m.tick
	r.resampler.Process(r.frame, m.frame)
	return r.frame
}
