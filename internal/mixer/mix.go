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
	silence []byte // payload of a silent frame, made once
	payload []byte
	buf     []byte
	tick    uint64 // of payload
	broken  bool   // decoders have not followed the encoder: the next frame uses no prediction
}

func newMix(rate int) *mix {
	return &mix{rate: rate, frame: make([]int16, audio.FrameSamples(rate))}
}

// start gives the mix its sum for a tick, which must stay as it is until the last payload is made.
func (m *mix) start(tick uint64, sum []int32, silent bool) {
	m.tick, m.sum, m.silent = tick, sum, silent
}

// samples returns the limited frame of this tick.
func (m *mix) samples() []int16 {
	if m.limited != m.tick {
		m.limited = m.tick
		m.limiter.Apply(m.frame, m.sum)
	}
	return m.frame
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

func (m *mix) newStream(f codec.Format, silence []byte) (*stream, error) {
	rate := f.Rate(m.rate)
	r, err := m.renderAt(rate)
	if err != nil {
		return nil, err
	}
	encoder, err := codec.NewEncoder(f, rate)
	if err != nil {
		return nil, fmt.Errorf("open encoder: %w", err)
	}
	return &stream{render: r, encoder: encoder, silence: silence, buf: make([]byte, codec.MaxPayload)}, nil
}

// payload returns the mix of this tick as s encodes it. A silent mix costs no encoding: everyone gets the stored silence.
func (m *mix) payload(s *stream) []byte {
	if s.tick == m.tick {
		return s.payload
	}
	follows := s.tick+1 == m.tick && !s.broken
	s.tick = m.tick
	if m.silent {
		// The encoder stands still, so it must begin anew with the next sound.
		s.payload, s.broken = s.silence, true
		return s.payload
	}
	s.broken = false
	if !follows {
		s.encoder.Reset()
	}
	n, err := s.encoder.Encode(s.buf, m.rendered(s.render))
	if err != nil {
		// Cannot happen with frames of the encoder's own rate; silence keeps the stream alive.
		s.payload, s.broken = s.silence, true
		return s.payload
	}
	s.payload = s.buf[:n]
	return s.payload
}

// refresh has the next frame encoded so that a decoder that comes from another stream follows it at once, where the codec can do
// that without disturbing the others. Else the newcomer hears what it would after a lost packet: nothing with G.711, a few
// milliseconds of adaptation with G.722.
func (s *stream) refresh() {
	if e, ok := s.encoder.(interface{ Refresh() }); ok {
		e.Refresh()
	}
}

func (m *mix) rendered(r *render) []int16 {
	frame := m.samples()
	if r.resampler == nil {
		return frame
	}
	if r.tick != m.tick {
		if r.tick+1 != m.tick {
			r.resampler.Reset()
		}
		r.tick = m.tick
		r.resampler.Process(r.frame, frame)
	}
	return r.frame
}

// prime continues where the common mix stood before this tick: with its past in the resamplers, changing from it to one's own
// mix does not click.
func (m *mix) prime(common *mix) {
	for _, r := range m.renders {
		if r.resampler == nil {
			continue
		}
		r.resampler.Reset()
		if common.limited == common.tick && !common.silent {
			r.resampler.Process(r.frame, common.frame)
		}
		r.tick = common.tick
	}
}
