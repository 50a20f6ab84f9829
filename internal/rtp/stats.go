package rtp

import (
	"net/netip"
	"time"
)

// Stats of a session, both directions.
type Stats struct {
	PacketsIn, PacketsOut  uint64
	Lost, Late, Duplicates uint64 // of the received stream, after the jitter buffer
	Concealed              uint64 // frames of 20 ms
	Refused                uint64 // packets of addresses that are not believed, malformed, or over the limit
	JitterMillis           float64
	RTTMillis              float64
	RemoteLossPercent      float64 // as the peer reports by RTCP
	LossPercent            float64
	MOS                    float64 // E-model estimate, ITU-T G.107, of what we receive
	DelayMillis            float64 // what the jitter buffer adds just now
	Latched                netip.AddrPort
}

// Stats returns the figures of this moment.
func (s *Session) Stats() Stats {
	st := s.stats
	st.Latched = s.latch.latched
	st.RTTMillis = float64(s.in.rtt.Microseconds()) / 1000
	st.RemoteLossPercent = s.in.remoteLoss
	if s.in.clock > 0 {
		st.JitterMillis = s.in.jitter * 1000 / float64(s.in.clock)
	}
	if expected := s.in.expected(); s.in.any && expected > 0 {
		st.LossPercent = max(0, 100*float64(expected-int64(s.in.received))/float64(expected))
	}
	var delay time.Duration
	if s.buffer != nil {
		delay = s.buffer.Delay()
	}
	st.DelayMillis = float64(delay.Microseconds()) / 1000
	name := s.media.Codec.Name
	if s.lane != nil {
		name = s.lane.format.Name
	}
	st.MOS = MOS(name, st.LossPercent, delay+s.in.rtt/2+frameTime)
	return st
}

// MOS estimates how good speech sounds, 1 to 4.5, from the codec, packet loss in percent and one-way delay: the E-model of ITU-T G.107 with its default
// values, and loss robustness of G.113 appendix I for G.711 with concealment; for the wideband codecs, which G.107 does not rate, the same base quality
// with a robustness of their own.
func MOS(codec string, loss float64, delay time.Duration) float64 {
	robustness := 25.1
	if equalName(codec, "opus") {
		robustness = 34
	}
	ms := float64(delay.Microseconds()) / 1000
	impairment := 0.024 * ms
	if ms > 177.3 {
		impairment += 0.11 * (ms - 177.3)
	}
	r := 93.2 - impairment - 95*loss/(loss+robustness)
	switch {
	case r <= 0:
		return 1
	case r >= 100:
		return 4.5
	}
	return max(1, 1+0.035*r+r*(r-60)*(100-r)*7e-6)
}
