package sdp

import (
	"bytes"
	"fmt"
	"net/netip"

	"parley/internal/fault"
)

// Session is our side of the descriptions of one dialog: it answers offers and makes offers, with an o= version that rises only when the
// description changes (RFC 3264 section 8). It belongs to one goroutine.
type Session struct {
	local, rtcp netip.AddrPort
	source      netip.Addr
	id, version uint64
	codecs      []Codec
	hold        bool
	last        []byte  // the body that the version stands for
	offered     []Codec // in our last offer
	theirs      []Codec // in their last description
	secret      []byte  // of which our SRTP keys are made; nil: no SRTP is spoken
	shape       shape
}

// shape is what must stay in every description of a dialog: its streams in their order, of which one is ours.
type shape struct {
	index      int      // of the audio stream
	refused    []string // m= lines of the others
	proto, mid string
	mux        bool
	crypto     crypto // as agreed on; none: not yet
}

// New makes a session for our RTP and RTCP addresses. codecs restrict what is accepted; their order is that of our offers; telephone-event in
// their clock rates is added to them.
func New(local, rtcp netip.AddrPort, id uint64, codecs []Codec) *Session {
	return &Session{local: local, rtcp: rtcp, id: id, version: 1, codecs: codecs, shape: shape{proto: "RTP/AVP"}}
}

// SetHold puts the peer on hold by us (true: we send and receive nothing but keep the stream) or takes it off, from the next offer or answer on.
func (s *Session) SetHold(on bool) { s.hold = on }

// SetSource says which IP address the peer's signalling comes from: it becomes Media.Source.
func (s *Session) SetSource(ip netip.Addr) { s.source = ip }

// Answer answers an offer (RFC 3264 section 6). Of the offer's codecs the first that we have is chosen; the others that we have may be sent to us too.
// Streams other than the first usable audio stream are refused. Errors are fault.Invalid and change nothing: INVALID_SDP for what cannot be
// read, NOT_ACCEPTABLE_MEDIA (SIP 488) when there is no usable audio stream or no codec in common.
func (s *Session) Answer(offer []byte) ([]byte, Media, error) {
	d, theirs, index, err := understand(offer, s.secret != nil)
	if err != nil {
		return nil, Media{}, err
	}
	m, err := s.agree(theirs, s.codecs)
	if err != nil {
		return nil, Media{}, err
	}
	next := shape{index: index, proto: d.streams[index].proto, mid: theirs.mid, mux: theirs.mux}
	if secured(next.proto) {
		if next.crypto, m.SRTP, err = s.protect(theirs.crypto); err != nil {
			return nil, Media{}, err
		}
	}
	s.theirs, s.shape = theirs.codecs, next
	for i := range d.streams {
		if i != index {
			s.shape.refused = append(s.shape.refused, d.streams[i].refused())
		}
	}
	return s.body(m.Accept, m.Direction), m, nil
}

// understand reads a description and what its audio stream says.
func understand(text []byte, srtp bool) (d *message, theirs description, index int, err error) {
	if d, err = parse(text); err != nil {
		return nil, theirs, 0, err
	}
	if index, err = d.audio(srtp); err != nil {
		return nil, theirs, 0, err
	}
	theirs, err = d.describe(index)
	return d, theirs, index, err
}

// Offer describes everything that we can do, in the streams and under the payload types that the dialog has already.
func (s *Session) Offer() []byte {
	s.offered = number(s.codecs, s.theirs)
	direction := SendRecv
	if s.hold {
		direction = Inactive
	}
	return s.body(s.offered, direction)
}

// Accept reads the answer to our Offer. It refuses as Answer does, and with SDP_NOT_OFFERED when there was no Offer.
func (s *Session) Accept(answer []byte) (Media, error) {
	if s.offered == nil {
		return Media{}, fault.New(fault.Conflict, "SDP_NOT_OFFERED", "an answer came to an offer that was never made")
	}
	d, theirs, index, err := understand(answer, secured(s.shape.proto))
	if err != nil {
		return Media{}, err
	}
	if secured(s.shape.proto) != secured(d.streams[index].proto) {
		return Media{}, unacceptable("the answer is of %s to an offer of %s", d.streams[index].proto, s.shape.proto)
	}
	theirs.mux = theirs.mux && s.shape.mux // else nobody offered it
	m, err := s.agree(theirs, s.offered)
	if err != nil {
		return Media{}, err
	}
	if secured(s.shape.proto) {
		if s.shape.crypto, m.SRTP, err = s.protect(theirs.crypto); err != nil {
			return Media{}, err
		}
	}
	for _, c := range m.Accept { // who answers with numbers of its own sends with ours (RFC 3264 section 5.1)
		if own, ok := find(s.offered, c); ok && own.PayloadType != c.PayloadType && !isEvent(c) {
			m.Accept = append(m.Accept, own)
		}
	}
	s.theirs = theirs.codecs
	return m, nil
}

// agree puts together what both sides can: codecs in the order of theirs.
func (s *Session) agree(theirs description, ours []Codec) (Media, error) {
	m := Media{Remote: theirs.addr, RemoteRTCP: theirs.rtcp, RTCPMux: theirs.mux, Ptime: theirs.ptime, Source: s.source}
	if m.RTCPMux {
		m.RemoteRTCP = m.Remote
	}
	for _, c := range theirs.codecs {
		if have, ok := find(ours, c); ok && !isEvent(c) {
			c.Name, c.Fmtp = have.Name, have.Fmtp
			m.Accept = append(m.Accept, c)
		}
	}
	if len(m.Accept) == 0 {
		return Media{}, unacceptable("no codec in common: offer one of %s", names(ours))
	}
	m.Codec = m.Accept[0]
	if c, ok := eventsFor(m.Codec.ClockRate, theirs.codecs); ok {
		m.DTMF, m.DTMFRate = c.PayloadType, c.ClockRate
		c.Name, c.Fmtp = eventName, "0-15"
		m.Accept = append(m.Accept, c)
	}
	m.Direction = theirs.direction.reverse()
	if s.hold {
		m.Direction = Inactive
	}
	return m, nil
}

// reverse is what the other side may do when one side has said d (RFC 3264 section 6.1).
func (d Direction) reverse() Direction {
	switch d {
	case SendOnly:
		return RecvOnly
	case RecvOnly:
		return SendOnly
	}
	return d
}

// body prints a description; the version rises when it differs from the last one.
func (s *Session) body(codecs []Codec, direction Direction) []byte {
	body := s.write(codecs, direction)
	if s.last != nil && !bytes.Equal(body, s.last) {
		s.version++
		body = s.write(codecs, direction)
	}
	s.last = body
	return body
}

func (s *Session) write(codecs []Codec, direction Direction) []byte {
	var b bytes.Buffer
	family := "IP4"
	if s.local.Addr().Is6() {
		family = "IP6"
	}
	fmt.Fprintf(&b, "v=0\r\no=- %d %d IN %s %v\r\ns=-\r\nc=IN %s %v\r\nt=0 0\r\n", s.id, s.version, family, s.local.Addr(), family, s.local.Addr())
	for _, line := range s.shape.refused[:s.shape.index] {
		b.WriteString(line + "\r\n")
	}
	s.writeAudio(&b, codecs, direction)
	for _, line := range s.shape.refused[s.shape.index:] {
		b.WriteString(line + "\r\n")
	}
	return b.Bytes()
}

func (s *Session) writeAudio(b *bytes.Buffer, codecs []Codec, direction Direction) {
	fmt.Fprintf(b, "m=audio %d %s", s.local.Port(), s.shape.proto)
	for _, c := range codecs {
		fmt.Fprintf(b, " %d", c.PayloadType)
	}
	b.WriteString("\r\n")
	for _, c := range codecs {
		fmt.Fprintf(b, "a=rtpmap:%d %s/%d", c.PayloadType, c.Name, c.ClockRate)
		if c.Channels > 1 {
			fmt.Fprintf(b, "/%d", c.Channels)
		}
		b.WriteString("\r\n")
		if c.Fmtp != "" {
			fmt.Fprintf(b, "a=fmtp:%d %s\r\n", c.PayloadType, c.Fmtp)
		}
	}
	s.writeCrypto(b)
	if s.shape.mid != "" {
		fmt.Fprintf(b, "a=mid:%s\r\n", s.shape.mid)
	}
	fmt.Fprintf(b, "a=ptime:20\r\na=%s\r\n", direction)
	if s.shape.mux {
		b.WriteString("a=rtcp-mux\r\n")
	} else if s.rtcp.IsValid() {
		fmt.Fprintf(b, "a=rtcp:%d\r\n", s.rtcp.Port())
	}
}
