package line

import (
	"context"
	crand "crypto/rand"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"parley/internal/call"
	"parley/internal/conference"
	"parley/internal/loop"
	"parley/internal/mixer"
	"parley/internal/room"
	"parley/internal/sdp"
)

// Media is what lines need of the media loop. It exists so that tests run without sockets; the loop's is Engine.
type Media interface {
	Admit() error
	NewSession() (Session, error)
	// NewBooth makes an empty room for one call.
	NewBooth() Booth
}

// Session is a media transport; its methods promise what those of loop.Session promise.
type Session interface {
	Local() netip.AddrPort
	Apply(m sdp.Media) error
	Stats() loop.Stats
	Close()
	SendDigits(digits string, each, gap time.Duration) (done <-chan struct{}, err error)
	// Handle is what a room takes.
	Handle() *loop.Session
}

// Engine gives lines their sessions from a media engine.
func Engine(e *loop.Engine) Media { return engine{e} }

type engine struct{ *loop.Engine }

// NewSession implements Media.
func (e engine) NewSession() (Session, error) {
	s, err := e.Engine.NewSession()
	if err != nil {
		return nil, err // not s: a nil *loop.Session would make a Session that is not nil
	}
	return session{s}, nil
}

// NewBooth implements Media.
func (e engine) NewBooth() Booth { return &private{Room: e.NewRoom()} }

type private struct {
	*loop.Room
	port *loop.Port
}

// Enter implements Booth.
func (p *private) Enter(s *loop.Session, o loop.PortOptions) (room.Port, error) {
	port, err := p.Room.Enter(s, o)
	if err != nil {
		return nil, err // not port: a nil *loop.Port would make a Port that is not nil
	}
	p.port = port
	return port, nil
}

// Pour implements Booth.
func (p *private) Pour(s mixer.Sound) (Playing, error) {
	player, err := p.Room.Pour(s, p.port)
	if err != nil {
		return nil, err
	}
	return player, nil
}

// Play implements Booth.
func (p *private) Play(o loop.PlayOptions) (Playing, error) {
	o.Port = p.port // is heard on hold, too
	player, err := p.Room.Play(o)
	if err != nil {
		return nil, err
	}
	return player, nil
}

type session struct{ *loop.Session }

// Handle implements Session.
func (s session) Handle() *loop.Session { return s.Session }

// open binds the media ports, answers the offer as far as that goes without the caller, and writes the call's record.
func (l *Line) open(ctx context.Context) (err error) {
	if err := l.bind(); err != nil {
		return err
	}
	in := l.inbound.in
	l.sdp.SetSource(in.Peer.Addr())
	if in.Offer != nil {
		var m sdp.Media
		if l.body, m, err = l.sdp.Answer(in.Offer); err != nil {
			return err
		}
		l.agreed(m)
	}
	if err := l.prepare(ctx, call.Inbound, in.Source, in.Destination); err != nil {
		return err
	}
	incoming := call.Incoming{
		At: time.Now(), ID: l.id, CustomerID: l.customer, Type: l.plan.kind(), Source: in.Source, Destination: in.Destination, SIPCallID: in.SIPCallID,
	}
	if l.plan.show != nil {
		incoming.FlowID, incoming.ActiveflowID = l.plan.show.plan.Env.FlowID, l.plan.show.plan.Env.ActiveflowID
	}
	if err := l.record.Write(ctx, incoming); err != nil {
		l.forget(ctx)
		return err
	}
	l.made = l.record.Call
	return nil
}

// kind is the type of a call with the plan.
func (p plan) kind() call.Type {
	if p.conference == "" {
		return call.ForFlow
	}
	return call.ForConference
}

// bind takes media ports.
func (l *Line) bind() (err error) {
	if l.session, err = l.x.o.Media.NewSession(); err != nil {
		return err
	}
	l.describe(nil, false)
	return nil
}

// describe begins our side of the descriptions anew, with the codecs of these names in this order; none: all that we have. secure: offers are of SRTP.
func (l *Line) describe(names []string, secure bool) {
	codecs := l.x.o.Codecs
	if len(names) > 0 {
		codecs = nil
		for _, name := range names {
			for _, c := range l.x.o.Codecs {
				if strings.EqualFold(c.Name, name) {
					codecs = append(codecs, c)
				}
			}
		}
	}
	local := l.session.Local()
	l.sdp = sdp.New(local, netip.AddrPortFrom(local.Addr(), local.Port()+1), rand.Uint64()>>2, codecs)
	secret := make([]byte, sdp.SecretSize)
	_, _ = crand.Read(secret) // never fails
	l.sdp.SetSecret(secret, secure)
}

// close gives the media ports back.
func (l *Line) close() {
	if l.session != nil {
		l.session.Close()
	}
}

// leg is what signalling knows of a participant.
type leg struct {
	held   bool
	silent bool // sends no media by agreement
	media  conference.Media
}

// agreed notes what offer and answer have led to.
func (l *Line) agreed(m sdp.Media) {
	l.media = m
	l.want = leg{
		held:   held(m),
		silent: !m.Direction.Receives(),
		media:  conference.Media{Kind: "sip", Codec: m.Codec.Name, Address: masked(m.Remote.Addr())},
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

// adopt makes the media session follow an agreement.
func (l *Line) adopt(m sdp.Media) error {
	if err := l.session.Apply(m); err != nil {
		return fmt.Errorf("apply media: %w", err)
	}
	l.applied = true
	l.agreed(m)
	l.setBooth()
	return nil
}

// tell makes the seat follow what signalling says. What cannot be written is told again later.
func (l *Line) tell(ctx context.Context) {
	seat := l.seat()
	if seat == nil || l.want == l.told {
		return
	}
	seat.ExpectMedia(!l.want.silent)
	var p conference.ParticipantPatch
	if l.want.held != l.told.held {
		p.RemoteHeld = &l.want.held
	}
	if l.want.media != l.told.media {
		p.Media = &l.want.media
	}
	if p != (conference.ParticipantPatch{}) {
		if err := seat.Set(ctx, p); retriable(err) {
			l.x.o.Log.Warn("cannot write hold or codec; trying again", "call", l.id, "error", err)
			l.later()
			return
		}
	}
	l.told = l.want
}
