package sdp

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// SRTP is how the audio stream is protected (RFC 3711), as agreed on by a=crypto (RFC 4568).
type SRTP struct {
	Suite         string // one of Suites
	Local, Remote []byte // master key and salt, one after the other: what we and what the peer protects with
}

// Equal reports whether both protect the same way with the same keys; nil is no protection.
func (a *SRTP) Equal(b *SRTP) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Suite == b.Suite && bytes.Equal(a.Local, b.Local) && bytes.Equal(a.Remote, b.Remote)
}

// SecretSize is how many random bytes SetSecret takes.
const SecretSize = 46

// suites are the protections that are spoken here, the one that is offered first first (RFC 4568 section 6.2, RFC 7714 section 14.2).
var suites = []struct {
	name string
	size int // bytes of master key and salt
}{{"AES_CM_128_HMAC_SHA1_80", 30}, {"AEAD_AES_128_GCM", 28}, {"AEAD_AES_256_GCM", 44}, {"AES_CM_128_HMAC_SHA1_32", 30}}

func sizeOf(suite string) int {
	for _, s := range suites {
		if s.name == suite {
			return s.size
		}
	}
	return 0
}

// crypto is an a=crypto line.
type crypto struct {
	tag   string
	suite string
	key   []byte
}

// readCrypto reads "tag suite inline:key[|lifetime][|MKI:length] [parameters]" (RFC 4568 section 9.1). What is not spoken here (other suites, several
// keys, MKI, parameters that change the protection) is passed over.
func readCrypto(value string) (c crypto, ok bool) {
	fields := strings.Fields(value)
	if len(fields) != 3 || len(fields[0]) > 9 {
		return c, false
	}
	if _, err := strconv.ParseUint(fields[0], 10, 32); err != nil {
		return c, false
	}
	method, info, _ := strings.Cut(fields[2], ":")
	key, rest, _ := strings.Cut(info, "|")
	if !strings.EqualFold(method, "inline") || strings.ContainsAny(rest, ":;|") {
		return c, false
	}
	c = crypto{tag: fields[0], suite: fields[1]}
	var err error
	if c.key, err = base64.StdEncoding.DecodeString(key); err != nil {
		c.key, err = base64.RawStdEncoding.DecodeString(key)
	}
	return c, err == nil && sizeOf(c.suite) == len(c.key)
}

// SetSecret lets the session speak SRTP: secret is SecretSize random bytes, of which our keys are made. With offer our own offers are of SRTP and nothing else;
// an offer of SRTP is answered in any case.
func (s *Session) SetSecret(secret []byte, offer bool) {
	s.secret = secret
	if offer {
		s.shape.proto = "RTP/SAVP"
	}
}

// secured reports whether a profile is one of SRTP (RFC 3711 section 12, RFC 5124).
func secured(proto string) bool { return proto == "RTP/SAVP" || proto == "RTP/SAVPF" }

// protect takes the first of the peer's suites: all of them are spoken here.
func (s *Session) protect(theirs []crypto) (crypto, *SRTP, error) {
	if len(theirs) > 0 {
		c := theirs[0]
		return c, &SRTP{Suite: c.suite, Local: s.secret[:sizeOf(c.suite)], Remote: c.key}, nil
	}
	return crypto{}, nil, unacceptable("no SRTP in common: offer a=crypto with one of %s and no MKI", suiteNames())
}

func suiteNames() string {
	var names []string
	for _, s := range suites {
		names = append(names, s.name)
	}
	return strings.Join(names, ", ")
}

// writeCrypto prints what protects our stream: the suite that was agreed on, or all that may be.
func (s *Session) writeCrypto(b *bytes.Buffer) {
	line := func(tag, suite string) {
		fmt.Fprintf(b, "a=crypto:%s %s inline:%s\r\n", tag, suite, base64.StdEncoding.EncodeToString(s.secret[:sizeOf(suite)]))
	}
	switch {
	case !secured(s.shape.proto):
	case s.shape.crypto.tag != "":
		line(s.shape.crypto.tag, s.shape.crypto.suite)
	default:
		for i, suite := range suites {
			line(strconv.Itoa(i+1), suite.name)
		}
	}
}
