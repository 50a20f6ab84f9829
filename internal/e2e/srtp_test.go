package e2e

import (
	"testing"
	"time"
)

// TestSRTPOffered: registered phones are called as their extensions say: with SRTP, with plain RTP after they have refused that, or not at all; and one that has
// to use SRTP is refused when it does not.
func TestSRTPOffered(t *testing.T) {
	t.Parallel()
	needs(t, "baresip")
	s := startPublic(t)
	join := func(name, mode, media string, hertz float64) *phone {
		body := object{"extension": name, "password": "correct-" + name}
		if mode != "" {
			body["srtp"] = mode
		}
		if made := s.must("POST", "/extensions", body); made["srtp"] != mode && mode != "" {
			t.Errorf("extension %v", made)
		}
		p := newPhone(t, "PCMU", tone(8000, hertz, time.Minute), account{name, s.sip, ";auth_pass=correct-" + name + ";regint=60" + media})
		p.says("200 OK (parley)")
		return p
	}
	ada := join("ada", "required", ";mediaenc=srtp-mand", 440)
	safe := join("safe", "optional", ";mediaenc=srtp-mand", 700)
	plain := join("plain", "optional", "", 900)
	meets := func(from, to *phone, a, b float64) {
		t.Helper()
		from.dial("sip:" + to.account.user + "@" + s.sip)
		to.accept()
		from.waitFor("CALL_ESTABLISHED")
		from.hearsTone(b)
		to.hearsTone(a)
		from.hangup()
		from.waitFor("CALL_CLOSED")
		to.waitFor("CALL_CLOSED")
	}
	meets(ada, safe, 440, 700)
	meets(safe, ada, 700, 440)
	meets(ada, plain, 440, 900) // its first INVITE is refused by the phone

	for _, e := range s.list("/extensions") {
		if e["extension"] == "plain" {
			s.must("PUT", "/extensions/"+e["id"].(string), object{"srtp": "required"})
		}
	}
	plain.dial("sip:ada@" + s.sip)
	if cause := plain.waitFor("CALL_CLOSED"); cause[:3] != "488" {
		t.Errorf("a call without SRTP, which is required: %q", cause)
	}
	ada.dial("sip:plain@" + s.sip)
	if cause := ada.waitFor("CALL_CLOSED"); cause[0] < '4' || cause[0] > '6' {
		t.Errorf("a phone without SRTP, which is required: %q", cause)
	}
}
