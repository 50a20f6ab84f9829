package leg

import (
	crand "crypto/rand"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"

	"parley/internal/call"
	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/sdp"
)

// Leg is a media session and what has been agreed on for it.
type Leg struct {
	Session
	codecs  []sdp.Codec
	secure  bool // nothing but SRTP will do
	sdp     *sdp.Session
	body    []byte    // our answer to the invite's offer
	media   sdp.Media // as agreed, zero before
	applied bool      // to the session
	state   State
}

// State is what signalling knows of a participant.
type State struct {
	Held   bool
	Silent bool // sends no media by agreement
	Media  conference.Media
}

// New takes media ports for a call that may use the codecs.
func New(m Media, codecs []sdp.Codec) (*Leg, error) {
	s, err := m.NewSession()
	if err != nil {
		return nil, err
	}
	l := &Leg{Session: s, codecs: codecs}
	l.Describe(nil, false)
	return l, nil
}

// Describe begins our side of the descriptions anew, with the codecs of these names in this order; none: all that we have. secure: of SRTP alone.
func (l *Leg) Describe(names []string, secure bool) {
	l.secure = secure
	codecs := l.codecs
	if len(names) > 0 {
		codecs = nil
		for _, name := range names {
			for _, c := range l.codecs {
				if strings.EqualFold(c.Name, name) {
					codecs = append(codecs, c)
				}
			}
		}
	}
	local := l.Local()
	l.sdp = sdp.New(local, netip.AddrPortFrom(local.Addr(), local.Port()+1), rand.Uint64()>>2, codecs)
	secret := make([]byte, sdp.SecretSize)
	_, _ = crand.Read(secret) // never fails
	l.sdp.SetSecret(secret, secure)
}

// Invited takes the offer of an INVITE that came from an address; nil for a late offer. Apply makes it count.
func (l *Leg) Invited(from netip.Addr, offer []byte) error {
	l.sdp.SetSource(from)
	if offer == nil {
		return nil
	}
	body, m, err := l.sdp.Answer(offer)
	if err != nil {
		return err
	}
	if err := l.protected(m); err != nil {
		return err
	}
	l.body = body
	l.agree(m)
	return nil
}

// Body is our answer to the invite's offer, nil when that is late.
func (l *Leg) Body() []byte { return l.body }

// Offer is an offer of ours.
func (l *Leg) Offer() []byte { return l.sdp.Offer() }

// Apply makes the session follow what the invite's offer has led to.
func (l *Leg) Apply() error {
	if l.applied || l.media.Codec.Name == "" {
		return nil
	}
	return l.adopt(l.media)
}

// Applied reports whether the session follows an agreement.
func (l *Leg) Applied() bool { return l.applied }

// Reoffered answers an offer inside the dialog. One that is refused changes nothing.
func (l *Leg) Reoffered(offer []byte) (answer []byte, err error) {
	answer, m, err := l.sdp.Answer(offer)
	if err == nil {
		err = l.adopt(m)
	}
	if err != nil {
		return nil, err
	}
	return answer, nil
}

// Accept takes an answer to our offer.
func (l *Leg) Accept(answer []byte) error {
	m, err := l.sdp.Accept(answer)
	if err != nil {
		return err
	}
	return l.adopt(m)
}

// AcceptFork takes an answer to the INVITE's offer; early and final ones may differ when the INVITE has forked.
func (l *Leg) AcceptFork(answer []byte) error {
	_ = l.sdp.Offer()
	return l.Accept(answer)
}

// protected refuses media that would have to be SRTP and are not.
func (l *Leg) protected(m sdp.Media) error {
	if l.secure && m.SRTP == nil {
		return fault.New(fault.Invalid, "NOT_ACCEPTABLE_MEDIA", "the media have to be protected: offer SRTP (RTP/SAVP with a=crypto, RFC 4568)")
	}
	return nil
}

// adopt makes the session follow an agreement.
func (l *Leg) adopt(m sdp.Media) error {
	if err := l.protected(m); err != nil {
		return err
	}
	if err := l.Session.Apply(m); err != nil {
		return fmt.Errorf("apply media: %w", err)
	}
	l.applied = true
	l.agree(m)
	return nil
}

// State is what has been agreed.
func (l *Leg) State() State { return l.state }

// agree notes what offer and answer have led to.
func (l *Leg) agree(m sdp.Media) {
	l.media = m
	l.state = State{
		Held:   held(m),
		Silent: !m.Direction.Receives(),
		Media:  conference.Media{Kind: "sip", Codec: m.Codec.Name, Address: masked(m.Remote.Addr())},
	}
}

// held reports whether the peer has put us on hold: it does not want to hear us (RFC 3264 section 8.4), or has no address to be heard at.
func held(m sdp.Media) bool {
	return !m.Direction.Sends() || !m.Remote.IsValid() || m.Remote.Addr().IsUnspecified()
}

// masked shows which network an address is in, not which host.
func masked(ip netip.Addr) string {
	ip = ip.Unmap()
	switch {
	case !ip.IsValid() || ip.IsUnspecified():
		return ""
	case ip.Is4():
		b := ip.As4()
		return fmt.Sprintf("%d.%d.%d.*", b[0], b[1], b[2])
	}
	p, _ := ip.Prefix(48)
	return strings.TrimSuffix(p.Addr().String(), "::") + "::*"
}

// Quality is what the session has measured of what we received; nil when nothing came.
func (l *Leg) Quality() *call.Quality {
	s := l.Stats()
	if s.PacketsIn == 0 {
		return nil
	}
	return &call.Quality{MOS: s.MOS, LossPercent: s.LossPercent, JitterMS: s.JitterMillis, RTTMS: s.RTTMillis}
}
