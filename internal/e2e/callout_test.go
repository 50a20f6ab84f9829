package e2e

import (
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// callee starts a phone that says a tone and can be called at uri.
func callee(t *testing.T, codec string, hertz float64) (p *phone, uri string) {
	t.Helper()
	p = newPhone(t, codec, tone(codecs[codec].rate, hertz, time.Minute), account{})
	return p, p.address()
}

// accept answers the call that comes in.
func (p *phone) accept() {
	p.t.Helper()
	p.waitFor("CALL_INCOMING")
	p.command("accept", "")
	p.waitFor("CALL_ESTABLISHED")
}

// TestScenarioCallsOut: a customer's program makes a conference and has two phones called into it by a flow; they hear each other; a third is dialled out and
// added; one hangs up, and the end of the conference hangs up the others.
func TestScenarioCallsOut(t *testing.T) {
	t.Parallel()
	needs(t, "baresip")
	s := start(t)
	room := s.conference(object{"type": "conference"})
	one, first := callee(t, "PCMU", 440)
	two, second := callee(t, "opus", 700)
	placed := s.must("POST", "/calls", object{
		"source":       object{"type": "tel", "target": "+4930123456"},
		"destinations": []object{{"type": "sip", "target": first}, {"type": "sip", "target": second}},
		"actions":      []object{{"type": "conference_join", "option": object{"conference_id": room}}},
	})
	if n := len(placed["calls"].([]any)); n != 2 {
		t.Fatalf("%d calls: %v", n, placed)
	}
	one.accept()
	two.accept()
	s.wait(room, "conferencecall_joined", 2)
	one.hearsTone(700)
	two.hearsTone(440)
	one.hearsNone(440)

	three, third := callee(t, "G722", 1100)
	s.must("POST", "/conferences/"+room+"/conferencecalls", object{"destination": object{"type": "sip", "target": third}, "name": "Third"})
	three.accept()
	s.wait(room, "conferencecall_joined", 3)
	one.hearsTone(1100)
	three.hearsTone(440)

	one.hangup()
	s.wait(room, "conferencecall_leaved", 1)
	s.must("DELETE", "/conferences/"+room, nil)
	two.waitFor("CALL_CLOSED")
	three.waitFor("CALL_CLOSED")
	s.wait(room, "conference_deleted", 1)
	for i, c := range placed["calls"].([]any) {
		id := c.(object)["id"].(string)
		got := s.waitField("/calls/"+id, "status", "hangup")
		if by := []string{"remote", "local"}[i]; got["hangup_by"] != by || got["hangup_reason"] != "normal" {
			t.Errorf("call %d was hung up by %v (%v)", i, got["hangup_by"], got["hangup_reason"])
		}
	}
}

// TestScenarioConnect: a customer calls in; the flow connects it with an agent's phone; they hear each other; when the agent hangs up the
// customer is told so and its flow goes on to its end.
func TestScenarioConnect(t *testing.T) {
	t.Parallel()
	needs(t, "baresip")
	s := start(t)
	agent, address := callee(t, "PCMU", 700)
	flow := s.must("POST", "/flows", object{"name": "support", "actions": []object{
		{"type": "answer"},
		{"type": "connect", "option": object{"destinations": []object{{"type": "sip", "target": address}}}},
		{"type": "beep"},
	}})
	flow = s.must("POST", fmt.Sprintf("/flows/%s/direct-hash-regenerate", flow["id"]), nil)
	customer := newPhone(t, "PCMU", tone(8000, 440, time.Minute), account{})
	customer.enter("sip:" + flow["direct_hash"].(string) + "@" + s.sip)
	agent.accept()
	customer.hearsTone(700)
	agent.hearsTone(440)
	agent.hangup()
	customer.waitFor("CALL_CLOSED")
	var incoming, outgoing object
	for _, c := range s.list("/calls") {
		if c["direction"] == "incoming" {
			incoming = c
		} else {
			outgoing = c
		}
	}
	incoming = s.waitField("/calls/"+incoming["id"].(string), "status", "hangup")
	if outgoing["master_call_id"] != incoming["id"] || outgoing["hangup_by"] != "remote" {
		t.Errorf("the agent's call: %v", outgoing)
	}
	if incoming["hangup_by"] != "local" || incoming["hangup_reason"] != "normal" {
		t.Errorf("the customer's call: %v", incoming)
	}
}

// TestNobodyAnswers: a phone that does not answer, and an address with no phone.
func TestNobodyAnswers(t *testing.T) {
	t.Parallel()
	needs(t, "baresip")
	s := start(t)
	silent := newPhone(t, "PCMU", silence(8000), account{})
	for _, tt := range []struct {
		target, status, by, reason string
	}{
		{silent.address(), "ringing", "local", "cancel"},
		{fmt.Sprintf("nobody@127.0.0.1:%d;transport=tcp", portBlock(t)), "", "", "failed"},
	} {
		placed := s.must("POST", "/calls", object{
			"source": object{"type": "tel", "target": "+4930123456"}, "destinations": []object{{"type": "sip", "target": tt.target}},
			"actions": []object{{"type": "answer"}},
		})
		id := placed["calls"].([]any)[0].(object)["id"].(string)
		if tt.status != "" {
			silent.waitFor("CALL_INCOMING")
			s.waitField("/calls/"+id, "status", tt.status)
			s.must("POST", "/calls/"+id+"/hangup", nil)
			silent.waitFor("CALL_CLOSED")
		}
		got := s.waitField("/calls/"+id, "status", "hangup")
		if got["hangup_reason"] != tt.reason || tt.by != "" && got["hangup_by"] != tt.by {
			t.Errorf("%s: hung up by %v (%v, %v)", tt.target, got["hangup_by"], got["hangup_reason"], got["hangup_detail"])
		}
	}
}

// TestSRTP: a phone that insists on SRTP and one that knows nothing of it hear each other; one is called over a trunk that offers SRTP.
func TestSRTP(t *testing.T) {
	t.Parallel()
	needs(t, "baresip")
	file := filepath.Join(t.TempDir(), "parley.yaml")
	write(t, file, "calls_out:\n  allow_numbers: [+49]\n")
	s := start(t, "--config", file)
	room := s.conference(object{"type": "conference"})
	safe := newPhone(t, "PCMU", tone(8000, 440, time.Minute), account{extra: ";mediaenc=srtp-mand"})
	plain := newPhone(t, "PCMU", tone(8000, 700, time.Minute), account{})
	safe.enter("sip:" + room + "@" + s.sip)
	plain.enter("sip:" + room + "@" + s.sip)
	safe.hearsTone(700)
	plain.hearsTone(440)
	called := newPhone(t, "PCMU", tone(8000, 1100, time.Minute), account{user: "+4930123", extra: ";mediaenc=srtp-mand"})
	host, port, err := net.SplitHostPort(called.account.host)
	if err != nil {
		t.Fatal(err)
	}
	number, _ := strconv.Atoi(port)
	s.must("POST", "/trunks", object{
		"name": "safe", "host": host, "port": number, "auth": "digest", "username": "u", "password": "not needed", "srtp": true,
		"prefixes": []object{{"prefix": "+49"}},
	})
	s.must("POST", "/conferences/"+room+"/conferencecalls", object{"destination": object{"type": "tel", "target": "+4930123"}})
	called.accept()
	plain.hearsTone(1100)
	called.hearsTone(440)
}
