// Package rtp is the audio session of one SIP leg without its sockets: packets in, frames out; payloads in, packets out;
// RTCP, telephone events, statistics and the rule which addresses are believed (symmetric RTP with a latch). A Session belongs to the
// media loop that visits it: no method blocks, locks, logs or, once configured, allocates.
package rtp

import (
	"encoding/binary"
	"net/netip"
	"time"

	"parley/internal/audio"
	"parley/internal/codec"
	"parley/internal/fault"
	"parley/internal/jitter"
	"parley/internal/sdp"
)

const (
	frameTime = 20 * time.Millisecond
	longest   = 120 * time.Millisecond // of audio in one packet
	flood     = 400                    // packets per second that are looked at
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

	latch  latch
	in     receiver
	rtcp   reports
	digits digits
	stats  Stats
	budget budget
}

// lane decodes one payload type.
type lane struct {
	pt      uint8
	format  codec.Format
	rate    int
	decoder codec.Decoder
	up      *audio.Resampler // nil when the decoder gives the session's rate
	scratch []int16
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
// when the signalled address has changed.
func (s *Session) Configure(m sdp.Media, rate int) error {
	lanes, largest := make([]lane, 0, len(m.Accept)), 0
	for _, c := range m.Accept {
		f, ok := find(c)
		if !ok {
			continue
		}
		lanes = append(lanes, lane{pt: c.PayloadType, format: f})
		largest = max(largest, payloadMax(f))
	}
	if len(lanes) == 0 {
		return fault.New(fault.Invalid, "NOT_ACCEPTABLE_MEDIA", "no codec of the session is known here")
	}
	same := s.buffer != nil && s.media.Remote == m.Remote && len(lanes) == len(s.lanes)
	for i := range lanes {
		same = same && lanes[i].pt == s.lanes[i].pt && lanes[i].format == s.lanes[i].format
	}
	if s.media.Remote != m.Remote {
		s.latch.open(m.Remote)
	}
	s.media = m
	s.out.configure(m)
	s.digits.pt, s.digits.rate = m.DTMF, m.DTMFRate
	if same {
		return s.SetRate(rate)
	}
	s.lanes, s.lane, s.rate = lanes, nil, 0
	s.buffer = jitter.New(jitter.Config{ClockRate: m.Codec.ClockRate, PayloadMax: largest + 1})
	return s.SetRate(rate)
}

// find returns the codec of a payload type; L16 comes in two rates.
func find(c sdp.Codec) (codec.Format, bool) {
	for _, f := range codec.Formats {
		if equalName(f.Name, c.Name) && f.ClockRate == c.ClockRate {
			return f, true
		}
	}
	return codec.Format{}, false
}

// payloadMax is the longest payload of 120 ms in the codec.
func payloadMax(f codec.Format) int {
	if f.Name == "opus" {
		return codec.MaxPayload
	}
	if f.Name == "L16" {
		return 2 * f.ClockRate * 60 / 1000
	}
	return 960
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
	s.audio.resize(int(longest.Milliseconds()+40) * rate / 1000)
	return nil
}

func (l *lane) open(rate int) (err error) {
	l.rate = l.format.Rate(rate)
	if l.decoder, err = codec.NewDecoder(l.format, l.rate); err != nil {
		return err
	}
	l.up = nil
	if l.rate != rate {
		if l.up, err = audio.NewResampler(l.rate, rate); err != nil {
			return err
		}
	}
	l.scratch = make([]int16, int(longest.Milliseconds())*l.rate/1000)
	return nil
}

// Receive takes an RTP packet that came from an address. It reports false for a packet that changes nothing: malformed, of an address that is not believed, or over
// the limit on packets per second. It may change bytes of the packet's header.
func (s *Session) Receive(packet []byte, from netip.AddrPort, now time.Duration) bool {
	h, ok := parse(packet)
	if !ok || s.buffer == nil || !s.budget.take(now) || !s.known(h.pt) || !s.latch.believe(from, h.ssrc) {
		s.stats.Refused++
		return false
	}
	if !s.in.stream(h, now) {
		s.stats.Refused++
		return false
	}
	if s.in.changed {
		s.in.changed = false
		s.buffer.Reset()
		s.digits.reset()
	}
	s.latch.last = now
	s.stats.PacketsIn++
	s.in.measure(h, now, s.media.Codec.ClockRate)
	if h.pt == s.media.DTMF && s.media.DTMF != 0 {
		s.digits.take(h.payload(packet), h.stamp)
	}
	packet[h.start-1] = h.pt // the payload travels with its type; the header has been read
	switch s.buffer.Push(h.seq, h.stamp, packet[h.start-1:h.end], now) {
	case jitter.Late:
		s.stats.Late++
	case jitter.Duplicate:
		s.stats.Duplicates++
	}
	return true
}

func (s *Session) known(pt uint8) bool {
	if pt == comfort || pt == s.media.DTMF && pt != 0 {
		return true
	}
	for i := range s.lanes {
		if s.lanes[i].pt == pt {
			return true
		}
	}
	return false
}

// Pull fills dst with the frame of 20 ms that is due.
func (s *Session) Pull(dst []int16, now time.Duration) Frame {
	var f Frame
	if s.buffer == nil {
		clear(dst)
		return f
	}
	for s.audio.len() < len(dst) {
		due := s.buffer.Pop(now, s.quiet)
		length := s.render(due, &f)
		s.buffer.Played(due.Kind, length)
	}
	f.Audio = s.audio.read(dst)
	return f
}

// render adds what is due to the fifo and returns how long that is.
func (s *Session) render(due jitter.Due, f *Frame) time.Duration {
	switch due.Kind {
	case jitter.Packet:
		return s.decode(due.Payload)
	case jitter.Lost:
		s.stats.Lost++
		s.stats.Concealed++
		f.Concealed = true
		return s.conceal(due.Next)
	}
	if due.Underrun && s.lane != nil && !s.quiet {
		s.stats.Concealed++
		f.Concealed = true
		return s.conceal(nil)
	}
	s.audio.silence(s.samples(frameTime))
	return frameTime
}

func (s *Session) samples(d time.Duration) int { return int(d.Milliseconds()) * s.rate / 1000 }

// decode adds a packet: its first byte is the payload type.
func (s *Session) decode(packet []byte) time.Duration {
	l := s.find(packet[0])
	payload := packet[1:]
	if l == nil || len(payload) == 0 {
		s.quiet = true
		s.audio.silence(s.samples(frameTime))
		return frameTime
	}
	if l != s.lane {
		l.decoder.Reset()
		s.lane = l
	}
	if codec.Silent(l.format, payload) {
		d := frameTime
		if l.format.Name != "opus" {
			d = time.Duration(len(payload)) * time.Second / time.Duration(l.format.ClockRate)
		}
		s.quiet = true
		s.audio.silence(s.samples(d))
		return d
	}
	n, err := l.decoder.Decode(l.scratch, payload)
	if err != nil || n == 0 {
		s.stats.Refused++
		return s.conceal(nil)
	}
	s.quiet = false
	s.audio.add(l, l.scratch[:n])
	return time.Duration(n) * time.Second / time.Duration(l.rate)
}

func (s *Session) find(pt uint8) *lane {
	for i := range s.lanes {
		if s.lanes[i].pt == pt {
			return &s.lanes[i]
		}
	}
	return nil
}

// conceal makes up a frame, from the redundancy of the packet after it where there is some.
func (s *Session) conceal(next []byte) time.Duration {
	l := s.lane
	if l == nil {
		s.audio.silence(s.samples(frameTime))
		return frameTime
	}
	frame := l.scratch[:int(frameTime.Milliseconds())*l.rate/1000]
	if len(next) < 2 || next[0] != l.pt || !l.decoder.Recover(frame, next[1:]) {
		l.decoder.Conceal(frame)
	}
	s.audio.add(l, frame)
	return frameTime
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

// header is what parse finds in a packet.
type header struct {
	pt         uint8
	marker     bool
	seq        uint16
	stamp      uint32
	ssrc       uint32
	start, end int // of the payload
}

func (h header) payload(packet []byte) []byte { return packet[h.start:h.end] }

// parse reads an RTP header with its contributing sources, extension and padding (RFC 3550 section 5.1).
func parse(p []byte) (h header, ok bool) {
	if len(p) < 12 || p[0]>>6 != 2 {
		return h, false
	}
	h = header{
		pt: p[1] & 0x7f, marker: p[1]&0x80 != 0, seq: binary.BigEndian.Uint16(p[2:]),
		stamp: binary.BigEndian.Uint32(p[4:]), ssrc: binary.BigEndian.Uint32(p[8:]), start: 12 + 4*int(p[0]&0x0f), end: len(p),
	}
	if p[0]&0x10 != 0 {
		if len(p) < h.start+4 {
			return h, false
		}
		h.start += 4 + 4*int(binary.BigEndian.Uint16(p[h.start+2:]))
	}
	if p[0]&0x20 != 0 {
		padding := int(p[len(p)-1])
		if padding == 0 {
			return h, false
		}
		h.end -= padding
	}
	return h, h.start <= h.end
}
