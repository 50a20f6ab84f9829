package e2e

import (
	"strings"
	"testing"
	"time"
)

func silence(rate int) []int16 { return make([]int16, 60*rate) }

// TestConnect is a conference for two: a third is refused, and when one leaves the other is sent away and the conference ends.
func TestConnect(t *testing.T) {
	t.Parallel()
	s := start(t)
	room := s.conference(object{"type": "connect"})
	var phones []*phone
	for i := range 3 {
		p := newPhone(t, "PCMU", tone(8000, 500, time.Minute), account{})
		p.dial("sip:" + room + "@" + s.sip)
		if i < 2 {
			p.waitFor("CALL_ESTABLISHED")
			s.wait(room, "conferencecall_joined", i+1)
		}
		phones = append(phones, p)
	}
	if cause := phones[2].waitFor("CALL_CLOSED"); !strings.HasPrefix(cause, "480") && !strings.HasPrefix(cause, "486") {
		t.Errorf("the third phone was refused with %q", cause)
	}
	if got := s.must("GET", "/conferences/"+room, nil); got["status"] != "progressing" || len(got["conferencecall_ids"].([]any)) != 2 {
		t.Errorf("after the third: %v", got)
	}
	phones[0].hangup()
	phones[1].waitFor("CALL_CLOSED")
	got := s.waitField("/conferences/"+room, "status", "terminated")
	if got["end_reason"] != "peer_left" {
		t.Errorf("conference: %v", got)
	}
	s.wait(room, "conference_deleted", 1)
	s.wait(room, "call_hangup", 2)
	reasons := map[any]int{}
	for _, p := range s.list("/conferences/" + room + "/conferencecalls?page_size=100") {
		reasons[p["leave_reason"]]++
	}
	if reasons["hangup"] != 1 || reasons["peer_left"] != 1 {
		t.Errorf("leave reasons: %v", reasons)
	}
}

// TestTargets calls all that leads into a conference, and some that does not.
func TestTargets(t *testing.T) {
	t.Parallel()
	s := start(t)
	made := s.must("POST", "/conferences", object{"type": "conference", "dial_in": "4711"})
	room := made["id"].(string)
	ended := s.must("POST", "/conferences", object{"type": "conference", "dial_in": "4712"})
	s.must("DELETE", "/conferences/"+ended["id"].(string), nil)
	p := newPhone(t, "PCMU", tone(8000, 500, time.Minute), account{})
	in := 0
	for _, c := range []struct{ name, target, refused string }{
		{"id", room, ""},
		{"id in capitals", strings.ToUpper(room), ""},
		{"prefix", "conference:" + room, ""},
		{"alias", "4711", ""},
		{"direct hash", made["direct_hash"].(string), ""},
		{"unknown id", "00000000-0000-4000-8000-000000000000", "404"},
		{"unknown alias", "4713", "404"},
		{"unknown hash", "direct.0123456789ab", "404"},
		{"ended, by id", ended["id"].(string), "480"},
		{"ended, by alias", "4712", "404"},
		{"ended, by hash", ended["direct_hash"].(string), "404"},
	} {
		p.dial("sip:" + c.target + "@" + s.sip)
		if c.refused != "" {
			if cause := p.waitFor("CALL_CLOSED"); !strings.HasPrefix(cause, c.refused) {
				t.Errorf("%s: refused with %q, want %s", c.name, cause, c.refused)
			}
			continue
		}
		in++
		p.waitFor("CALL_ESTABLISHED")
		s.wait(room, "conferencecall_joined", in)
		p.hangup()
		p.waitFor("CALL_CLOSED")
		s.wait(room, "call_hangup", in)
	}
	if n := count(s.events(room), "conferencecall_joined"); n != in {
		t.Errorf("%d joined, want %d", n, in)
	}
}

// TestRegister registers phones of an extension over UDP and TCP and lets them call into a server that is not in --dev. Strangers, and who
// has a wrong password, stay outside, but for direct hashes.
func TestRegister(t *testing.T) {
	t.Parallel()
	s := startPublic(t)
	made := s.must("POST", "/conferences", object{"type": "conference"})
	room := made["id"].(string)
	s.must("POST", "/extensions", object{"extension": "alice", "password": "correct-horse", "name": "Alice"})
	joined := 0
	for _, transport := range []string{"", ";transport=tcp"} {
		p := newPhone(t, "PCMA", tone(8000, 500, time.Minute), account{"alice", s.sip + transport, ";auth_pass=correct-horse;regint=60"})
		p.says("200 OK (parley)")
		p.enter("sip:" + room + "@" + s.sip + transport)
		joined++
		s.wait(room, "conferencecall_joined", joined)
		p.hangup()
		p.waitFor("CALL_CLOSED")
	}

	wrong := newPhone(t, "PCMA", silence(8000), account{"alice", s.sip, ";auth_pass=wrong-horse;regint=60"})
	wrong.says("401 Unauthorized (parley)")
	wrong.dial("sip:" + room + "@" + s.sip)
	if cause := wrong.waitFor("CALL_CLOSED"); !strings.HasPrefix(cause, "401") && !strings.HasPrefix(cause, "403") {
		t.Errorf("call with a wrong password: %q", cause)
	}

	stranger := newPhone(t, "PCMA", tone(8000, 500, time.Minute), account{extra: ";auth_pass=none"})
	for _, target := range []string{room, "00000000-0000-4000-8000-000000000000", "4711"} {
		stranger.dial("sip:" + target + "@" + s.sip)
		if cause := stranger.waitFor("CALL_CLOSED"); !strings.HasPrefix(cause, "401") && !strings.HasPrefix(cause, "403") {
			t.Errorf("anonymous call to %s: %q", target, cause)
		}
	}
	if n := count(s.events(room), "call_created"); n != joined {
		t.Errorf("%d calls in the log, want %d", n, joined)
	}
	stranger.enter("sip:" + made["direct_hash"].(string) + "@" + s.sip)
	s.wait(room, "conferencecall_joined", joined+1)
}
