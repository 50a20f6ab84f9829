// Package rtp is the audio session of one SIP leg without its sockets: packets in, frames out; payloads in, packets out;
// RTCP, telephone events, statistics and the rule which addresses are believed (symmetric RTP with a latch). A Session belongs to the
// media loop that visits it: no method blocks, locks, logs or, once configured, allocates.
package rtp

import (
	"net/netip"
	"time"

	"parley/internal/codec"
	"parley/internal/fault"
	"parley/internal/jitter"
	"parley/internal/sdp"
)

const (
	frameTime = 20 * time.Millisecond
	longest   = 120 * time.Millisecond // of audio in one packet
	flood     = 400                    // packets per second of a believed address that are looked at
	reporting = 50                     // the same for RTCP
	never     = time.Duration(-1)
	comfort   = 13 // payload type of comfort noise (RFC 3389)
)

// Session is one RTP session: one stream in, one out. Times are durations since the start of the engine.
type Session struct {
	media sdp.Media
	rate  int // of Pull

	out    sender
	lanes  []lane // one for each payload type of audio that may arrive
	lane   *lane  // of the last decoded packet
	buffer *jitter.Buffer
	audio  fifo
	quiet  bool // the last decoded frame was silence

	latch   latch
	in      receiver
	rtcp    reports
	digits  digits
	stats   Stats
	budget  budget // of RTP
	control budget // of RTCP
}

// Frame says what Pull delivered.
type Frame struct {
	Audio     bool // false: silence
	Concealed bool // made up for a loss
}

// NewSession makes a session with the identity that its packets will carry (RFC 3550 section 5.1: all three random).
func NewSession(ssrc uint32, seq uint16, stamp uint32) *Session {
	s := &Session{out: sender{ssrc: ssrc, seq: seq, stamp: stamp, marker: true}}
	s.in.reset()
	s.rtcp.last = never
	s.latch.last = never
	return s
}

// Configure takes over what offer and answer agreed on; rate is the audio rate in Hz at which Pull delivers. It may allocate. The latch opens again only
// when a signalled address has changed.
func (s *Session) Configure(m sdp.Media, rate int) error {
	lanes, largest := lanesOf(m)
	if len(lanes) == 0 {
		return fault.New(fault.Invalid, "NOT_ACCEPTABLE_MEDIA", "no codec of the session is known here")
	}
	same := s.buffer != nil && s.media.Remote == m.Remote && sameLanes(lanes, s.lanes)
	if same && s.media.Direction.Receives() != m.Direction.Receives() {
		s.buffer.Reset()
	}
	s.latch.configure(m)
	s.media = m
	s.out.configure(m)
	if same {
		return s.SetRate(rate)
	}
	s.lanes, s.lane, s.rate = lanes, nil, 0
	s.buffer = jitter.New(jitter.Config{ClockRate: m.Codec.ClockRate, PayloadMax: largest + 1, Redundant: equalName(m.Codec.Name, "opus")})
	return s.SetRate(rate)
}

// SetRate changes the audio rate of Pull. It may allocate.
func (s *Session) SetRate(rate int) error {
	if rate == s.rate {
		return nil
	}
	for i := range s.lanes {
		if err := s.lanes[i].open(rate); err != nil {
			return err
		}
	}
	s.rate = rate
	s.audio.resize(samples(longest+2*frameTime, rate))
	return nil
}

// Receive takes an RTP packet that came from an address. It reports false for a packet that changes nothing: malformed, of an address that is not
// believed, or over the limit on packets per second. It may change bytes of the packet's header.
func (s *Session) Receive(packet []byte, from netip.AddrPort, now time.Duration) bool {
	h, ok := parse(packet)
	// The limit comes last: strangers must not use up what the peer may send.
	if !ok || s.buffer == nil || !s.known(h.pt) || !s.latch.believe(from, h.ssrc) || !s.budget.take(now, flood) || !s.in.stream(h, now) {
		s.stats.Refused++
		return false
	}
	if s.in.changed {
		s.in.changed = false
		s.restart()
		s.buffer.Reset()
	}
	if !s.push(h, packet, now) {
		s.stats.Refused++
		return false
	}
	s.latch.last = now
	s.stats.PacketsIn++
	return true
}

// push hands a believed packet on to where it belongs.
func (s *Session) push(h header, packet []byte, now time.Duration) bool {
	l := s.laneOf(h.pt)
	var payload []byte // what is no audio takes its place in the order, but no time
	if l != nil {
		s.buffer.SetClock(l.format.ClockRate)
		if s.media.Direction.Receives() && h.start < h.end {
			packet[h.start-1] = h.pt // the payload travels with its type; the header has been read
			payload = packet[h.start-1 : h.end]
		}
	}
	switch s.buffer.Push(h.seq, h.stamp, payload, now) {
	case jitter.Late:
		s.stats.Late++
	case jitter.Duplicate:
		s.stats.Duplicates++
	case jitter.Restarted:
		s.restart()
		s.in.restart(h)
	case jitter.Stray, jitter.TooLong:
		return false
	}
	s.in.count(h)
	switch {
	case l != nil:
		s.in.measure(h, now, l.format.ClockRate)
	default:
		s.quiet = true // nothing to bridge with what was heard before
		if h.pt != comfort {
			s.digits.take(packet[h.start:h.end], h.stamp, now)
		}
	}
	return true
}

// restart forgets what belongs to the stream before: timestamps of another one mean nothing to it.
func (s *Session) restart() {
	s.lane = nil
	s.digits.reset()
}

func (s *Session) known(pt uint8) bool {
	if pt == comfort || pt == s.media.DTMF && pt != 0 {
		return true
	}
	return s.laneOf(pt) != nil
}

// Digit returns the next key press, once for each event.
func (s *Session) Digit() (byte, bool) { return s.digits.next() }

// Connected reports whether a believed packet has come; LastPacket when the last one did, negative for never.
func (s *Session) Connected() bool { return s.latch.last >= 0 }

// LastPacket returns when the last believed packet came, negative for never.
func (s *Session) LastPacket() time.Duration { return s.latch.last }

// Sending returns the codec to encode for the peer; false while nothing may be sent.
func (s *Session) Sending() (codec.Format, bool) {
	return s.out.format, s.out.allowed && s.RTPTarget().IsValid()
}

// RTPTarget returns where RTP goes: the latched address, before that the signalled one; invalid on old-style hold.
func (s *Session) RTPTarget() netip.AddrPort { return s.latch.target() }

// Sure reports whether the signalled address itself has spoken, so that packets of others need not be looked at any more.
func (s *Session) Sure() bool { return s.latch.sure() }

// RTCPTarget returns where RTCP goes. It follows signalling only: RTCP never moves anything.
func (s *Session) RTCPTarget() netip.AddrPort {
	to := s.media.RemoteRTCP
	if s.media.RTCPMux {
		to = s.RTPTarget()
	}
	if !to.IsValid() || to.Addr().IsUnspecified() {
		return netip.AddrPort{}
	}
	return to
}

// Packet writes the RTP packet of one frame of 20 ms to dst, which has room for it, and moves on.
func (s *Session) Packet(dst, payload []byte) []byte {
	s.stats.PacketsOut++
	return s.out.packet(dst, payload)
}

// Skip moves on by a frame that is not sent; the next packet starts a talkspurt.
func (s *Session) Skip() { s.out.skip() }
