// Package shield protects the RTP and RTCP of one stream (SRTP, RFC 3711): it seals what is sent and opens what comes. The protection itself is pion's;
// here is how a media loop uses it, in buffers of its own. It starts no goroutine; a Shield belongs to the loop's thread.
package shield

import (
	"fmt"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"

	"parley/internal/sdp"
)

// overhead is the most that sealing adds to a packet: an authentication tag and the index of RTCP.
const overhead = 32

// replayWindow is how many packets may overtake each other before one counts as repeated (RFC 3711 section 3.3.2 wants 64 at least).
const replayWindow = 256

// Shield is the protection of both directions.
type Shield struct {
	in, out        *srtp.Context
	rtp            rtp.Header
	rtcp           rtcp.Header
	opened, sealed []byte
	agreed         sdp.SRTP
}

// profiles are pion's names of the suites, with the size of their master keys in bytes; the salt is the rest.
var profiles = map[string]struct {
	profile srtp.ProtectionProfile
	key     int
}{
	"AES_CM_128_HMAC_SHA1_80": {srtp.ProtectionProfileAes128CmHmacSha1_80, 16},
	"AES_CM_128_HMAC_SHA1_32": {srtp.ProtectionProfileAes128CmHmacSha1_32, 16},
	"AEAD_AES_128_GCM":        {srtp.ProtectionProfileAeadAes128Gcm, 16},
	"AEAD_AES_256_GCM":        {srtp.ProtectionProfileAeadAes256Gcm, 32},
}

// New makes a Shield for packets of at most size bytes, as offer and answer agreed.
func New(a *sdp.SRTP, size int) (*Shield, error) {
	p, ok := profiles[a.Suite]
	if !ok {
		return nil, fmt.Errorf("protect media: unknown suite %q", a.Suite)
	}
	s := &Shield{agreed: *a, opened: make([]byte, size+overhead), sealed: make([]byte, size+overhead)}
	var err error
	if s.out, err = srtp.CreateContext(a.Local[:p.key], a.Local[p.key:], p.profile); err != nil {
		return nil, fmt.Errorf("protect what is sent: %w", err)
	}
	s.in, err = srtp.CreateContext(a.Remote[:p.key], a.Remote[p.key:], p.profile,
		srtp.SRTPReplayProtection(replayWindow), srtp.SRTCPReplayProtection(replayWindow))
	if err != nil {
		return nil, fmt.Errorf("open what comes: %w", err)
	}
	return s, nil
}

// Fits reports whether the Shield is what was agreed on: its counters go on then.
func (s *Shield) Fits(a *sdp.SRTP) bool { return s.agreed.Equal(a) }

// Open returns the RTP packet inside, valid until the next call; false when it is forged, repeated or damaged.
func (s *Shield) Open(packet []byte) ([]byte, bool) {
	out, err := s.in.DecryptRTP(s.opened, packet, &s.rtp)
	return out, err == nil
}

// OpenControl does so for RTCP.
func (s *Shield) OpenControl(packet []byte) ([]byte, bool) {
	out, err := s.in.DecryptRTCP(s.opened, packet, &s.rtcp)
	return out, err == nil
}

// Seal returns the protected form of an RTP packet, valid until the next call; nil when it cannot be made.
func (s *Shield) Seal(packet []byte) []byte {
	out, err := s.out.EncryptRTP(s.sealed, packet, &s.rtp)
	if err != nil {
		return nil
	}
	return out
}

// SealControl does so for RTCP.
func (s *Shield) SealControl(packet []byte) []byte {
	out, err := s.out.EncryptRTCP(s.sealed, packet, &s.rtcp)
	if err != nil {
		return nil
	}
	return out
}
