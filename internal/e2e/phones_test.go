package e2e

import (
	"testing"
	"time"
)

// TestPhonesCallPhones: two registered phones of a server that is not in --dev. Alice dials Bob's name, and they hear each other; busy is busy; a stranger
// gets nobody by name, and Bob by his direct hash.
func TestPhonesCallPhones(t *testing.T) {
	t.Parallel()
	needs(t, "baresip")
	s := startPublic(t)
	join := func(name string, hertz float64) (p *phone, hash string) {
		made := s.must("POST", "/extensions", object{"extension": name, "password": "correct-" + name})
		p = newPhone(t, "PCMU", tone(8000, hertz, time.Minute), account{name, s.sip, ";auth_pass=correct-" + name + ";regint=60"})
		p.says("200 OK (parley)")
		return p, made["direct_hash"].(string)
	}
	alice, _ := join("alice", 440)
	bob, hash := join("bob", 700)

	alice.dial("sip:bob@" + s.sip)
	bob.accept()
	alice.waitFor("CALL_ESTABLISHED")
	alice.hearsTone(700)
	bob.hearsTone(440)
	bob.hangup()
	alice.waitFor("CALL_CLOSED")

	alice.dial("sip:extension%3abob@" + s.sip)
	bob.waitFor("CALL_INCOMING")
	bob.hangup()
	if cause := alice.waitFor("CALL_CLOSED"); cause[:3] != "486" && cause[:3] != "480" {
		t.Errorf("a declined call ends with %q", cause)
	}
	alice.dial("sip:carol@" + s.sip)
	if cause := alice.waitFor("CALL_CLOSED"); cause[:3] != "480" && cause[:3] != "404" {
		t.Errorf("an unknown extension: %q", cause)
	}

	stranger := newPhone(t, "PCMU", tone(8000, 1100, time.Minute), account{extra: ";auth_pass=none"})
	stranger.dial("sip:bob@" + s.sip)
	if cause := stranger.waitFor("CALL_CLOSED"); cause[:3] != "401" && cause[:3] != "403" {
		t.Errorf("a stranger: %q", cause)
	}
	stranger.dial("sip:" + hash + "@" + s.sip)
	bob.accept()
	bob.hearsTone(1100)
	stranger.hangup()
	bob.waitFor("CALL_CLOSED")

	if n := len(s.list("/calls")); n != 6 { // three conversations, answered or not, have two sides each
		t.Errorf("%d calls in the list, want 6", n)
	}
}
