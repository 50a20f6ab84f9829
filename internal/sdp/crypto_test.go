package sdp

import (
	"bytes"
	"encoding/base64"
	"net/netip"
	"strings"
	"testing"
)

// party makes a session that speaks SRTP, or does not.
func party(port uint16, secret byte, offer bool) *Session {
	addr := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port)
	s := New(addr, netip.AddrPortFrom(addr.Addr(), port+1), 1, []Codec{{Name: "PCMU", PayloadType: 0, ClockRate: 8000, Channels: 1}})
	if secret != 0 {
		s.SetSecret(bytes.Repeat([]byte{secret}, SecretSize), offer)
	}
	return s
}

func TestSRTPIsAgreedOn(t *testing.T) {
	a, b := party(20000, 'a', true), party(30000, 'b', false)
	for range 2 { // again, as in a re-INVITE
		offer := a.Offer()
		answer, ours, err := b.Answer(offer)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := a.Accept(answer)
		if err != nil {
			t.Fatalf("%v\n%s", err, answer)
		}
		want := SRTP{Suite: "AES_CM_128_HMAC_SHA1_80", Local: bytes.Repeat([]byte{'b'}, 30), Remote: bytes.Repeat([]byte{'a'}, 30)}
		if !ours.SRTP.Equal(&want) {
			t.Errorf("answerer: %+v", ours.SRTP)
		}
		if want.Local, want.Remote = want.Remote, want.Local; !theirs.SRTP.Equal(&want) {
			t.Errorf("offerer: %+v", theirs.SRTP)
		}
		if !bytes.Contains(answer, []byte("m=audio 30000 RTP/SAVP 0")) {
			t.Errorf("answer %s", answer)
		}
	}
	if _, _, err := party(1, 0, false).Answer(a.Offer()); err == nil {
		t.Error("an offer of SRTP was answered without any")
	}
	plain, _, err := party(1, 0, false).Answer(party(2, 0, false).Offer())
	if err != nil {
		t.Fatal(err)
	}
	fresh := party(20000, 'a', true)
	fresh.Offer()
	if _, err := fresh.Accept(plain); err == nil {
		t.Error("a plain answer to an offer of SRTP was taken")
	}
}

func TestReadCrypto(t *testing.T) {
	key := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 30))
	for value, want := range map[string]bool{
		"1 AES_CM_128_HMAC_SHA1_80 inline:" + key:               true,
		"1 AES_CM_128_HMAC_SHA1_80 inline:" + key + "|2^31":     true,
		"1 AES_CM_128_HMAC_SHA1_32 INLINE:" + key:               true,
		"1 AES_CM_128_HMAC_SHA1_80 inline:" + key + "|2^31|1:4": false, // MKI
		"1 AES_CM_128_HMAC_SHA1_80 inline:" + key + "|1:4":      false,
		"1 AES_CM_128_HMAC_SHA1_80 inline:" + key + " KDR=1":    false,
		"1 AES_CM_128_HMAC_SHA1_80 inline:" + key[:20]:          false,
		"1 AEAD_AES_128_GCM inline:" + key:                      false, // too long
		"1 F8_128_HMAC_SHA1_80 inline:" + key:                   false,
		"x AES_CM_128_HMAC_SHA1_80 inline:" + key:               false,
		"1 AES_CM_128_HMAC_SHA1_80 " + key:                      false,
		"":                                                      false,
	} {
		if _, ok := readCrypto(value); ok != want {
			t.Errorf("%q: %v", value, ok)
		}
	}
	offer := "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 6000 RTP/SAVP 0\r\na=crypto:7 F8_128_HMAC_SHA1_80 inline:" + key + "\r\n"
	if _, _, err := party(1, 's', false).Answer([]byte(offer)); err == nil {
		t.Error("SRTP without a suite in common was answered")
	}
	answer, _, err := party(1, 's', false).Answer([]byte(offer + "a=crypto:9 AES_CM_128_HMAC_SHA1_32 inline:" + key + "\r\n"))
	if err != nil || !strings.Contains(string(answer), "a=crypto:9 AES_CM_128_HMAC_SHA1_32 inline:") {
		t.Errorf("%v\n%s", err, answer)
	}
}
