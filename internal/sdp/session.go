package sdp

import (
	"bytes"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"parley/internal/fault"
)

// MaxSize is the largest description in bytes that is read.
const MaxSize = 64 << 10

// Session is our side of the descriptions of one dialog: it answers offers and makes offers, with an o= version that rises only when the
// description changes (RFC 3264 section 8). It belongs to one goroutine.
type Session struct {
	local, rtcp netip.AddrPort
	id, version uint64
	codecs      []Codec
	hold        bool
	last        []byte // the body that the version stands for
	offered     []Codec
}

// New makes a session for our RTP and RTCP addresses. codecs restrict what is accepted; their order is that of our offers; telephone-event is
// added to them for 8000 Hz, and for 48000 Hz when opus is among them.
func New(local, rtcp netip.AddrPort, id uint64, codecs []Codec) *Session {
	return &Session{local: local, rtcp: rtcp, id: id, version: 1, codecs: codecs}
}

// SetHold puts the peer on hold by us (true: we send and receive nothing but keep the stream) or takes it off, from the next offer or answer on.
func (s *Session) SetHold(on bool) { s.hold = on }

// Answer answers an offer (RFC 3264 section 6). Of the offer's codecs the first that we have is chosen. Errors are fault.Invalid: INVALID_SDP
// for what cannot be read, NOT_ACCEPTABLE_MEDIA (SIP 488) when there is no audio stream or codec in common.
func (s *Session) Answer(offer []byte) ([]byte, Media, error) {
	d, err := parse(offer)
	if err != nil {
		return nil, Media{}, err
	}
	index, err := audioLine(d)
	if err != nil {
		return nil, Media{}, err
	}
	theirs, err := read(d, d.MediaDescriptions[index])
	if err != nil {
		return nil, Media{}, err
	}
	m, err := s.agree(theirs, s.codecs)
	if err != nil {
		return nil, Media{}, err
	}
	body := s.body(func(b *bytes.Buffer) {
		for i, md := range d.MediaDescriptions {
			if i == index {
				s.writeAudio(b, md.MediaName.Protos, m.Accept, m, theirs.mid)
			} else {
				fmt.Fprintf(b, "m=%s 0 %s %s\r\n", md.MediaName.Media, strings.Join(md.MediaName.Protos, "/"), strings.Join(md.MediaName.Formats, " "))
			}
		}
	})
	return body, m, nil
}

// Offer describes everything that we can do.
func (s *Session) Offer() []byte {
	s.offered = withEvents(s.codecs)
	m := Media{Direction: SendRecv, Ptime: 20, Accept: s.offered}
	if s.hold {
		m.Direction = Inactive
	}
	return s.body(func(b *bytes.Buffer) { s.writeAudio(b, []string{"RTP", "AVP"}, s.offered, m, "") })
}

// Accept reads the answer to our Offer.
func (s *Session) Accept(answer []byte) (Media, error) {
	if s.offered == nil {
		return Media{}, fault.New(fault.Conflict, "SDP_NOT_OFFERED", "an answer came to an offer that was never made")
	}
	d, err := parse(answer)
	if err != nil {
		return Media{}, err
	}
	index, err := audioLine(d)
	if err != nil {
		return Media{}, err
	}
	theirs, err := read(d, d.MediaDescriptions[index])
	if err != nil {
		return Media{}, err
	}
	return s.agree(theirs, s.offered)
}

// agree puts together what both sides can: codecs in the order of theirs.
func (s *Session) agree(theirs description, ours []Codec) (Media, error) {
	m := Media{Remote: theirs.addr, RemoteRTCP: theirs.rtcp, RTCPMux: theirs.mux, Ptime: theirs.ptime}
	for _, c := range theirs.codecs {
		if isEvent(c) {
			continue
		}
		for _, have := range ours {
			if same(c, have) {
				c.Name, c.Fmtp = have.Name, have.Fmtp
				m.Accept = append(m.Accept, c)
				break
			}
		}
	}
	if len(m.Accept) == 0 {
		return Media{}, fault.New(fault.Invalid, "NOT_ACCEPTABLE_MEDIA", "no codec in common: offer one of %s", names(ours))
	}
	m.Codec = m.Accept[0]
	for _, c := range theirs.codecs {
		if isEvent(c) && c.ClockRate == m.Codec.ClockRate {
			m.DTMF, m.DTMFRate = c.PayloadType, c.ClockRate
			c.Fmtp = "0-15"
			m.Accept = append(m.Accept, c)
			break
		}
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
func (s *Session) body(media func(*bytes.Buffer)) []byte {
	print := func() []byte {
		var b bytes.Buffer
		family := "IP4"
		if s.local.Addr().Is6() {
			family = "IP6"
		}
		fmt.Fprintf(&b, "v=0\r\no=- %d %d IN %s %v\r\ns=-\r\nc=IN %s %v\r\nt=0 0\r\n", s.id, s.version, family, s.local.Addr(), family, s.local.Addr())
		media(&b)
		return b.Bytes()
	}
	body := print()
	if s.last != nil && !bytes.Equal(body, s.last) {
		s.version++
		body = print()
	}
	s.last = body
	return body
}

func (s *Session) writeAudio(b *bytes.Buffer, protos []string, codecs []Codec, m Media, mid string) {
	fmt.Fprintf(b, "m=audio %d %s", s.local.Port(), strings.Join(protos, "/"))
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
	if mid != "" {
		fmt.Fprintf(b, "a=mid:%s\r\n", mid)
	}
	fmt.Fprintf(b, "a=ptime:20\r\na=%s\r\n", m.Direction)
	if m.RTCPMux {
		b.WriteString("a=rtcp-mux\r\n")
	} else if s.rtcp.IsValid() {
		fmt.Fprintf(b, "a=rtcp:%d\r\n", s.rtcp.Port())
	}
}

// withEvents adds telephone-event in the clock rates of the codecs, under free payload types.
func withEvents(codecs []Codec) []Codec {
	out := append([]Codec(nil), codecs...)
	used := map[uint8]bool{}
	rates := map[int]bool{}
	for _, c := range codecs {
		used[c.PayloadType], rates[c.ClockRate] = true, true
	}
	next := uint8(101)
	for _, rate := range []int{8000, 16000, 48000} {
		if !rates[rate] {
			continue
		}
		for used[next] {
			next++
		}
		used[next] = true
		out = append(out, Codec{Name: eventName, PayloadType: next, ClockRate: rate, Channels: 1, Fmtp: "0-15"})
	}
	return out
}

func names(codecs []Codec) string {
	var list []string
	for _, c := range codecs {
		if !isEvent(c) {
			list = append(list, c.Name+"/"+strconv.Itoa(c.ClockRate))
		}
	}
	return strings.Join(list, ", ")
}
