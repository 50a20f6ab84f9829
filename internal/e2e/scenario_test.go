package e2e

import (
	"testing"
	"time"
)

// TestScenarioSimpleConference: a conference is created and is progressing; three users join it through a flow; all of them hear each other; they hang up one by
// one; the conference is deleted when it is done.
func TestScenarioSimpleConference(t *testing.T) {
	t.Parallel()
	needs(t, "baresip")
	s := start(t)
	room := s.conference(object{"type": "conference"})
	if got := s.must("GET", "/conferences/"+room, nil); got["status"] != "progressing" {
		t.Errorf("created: %v", got)
	}
	flow := s.must("POST", "/flows", object{"name": "join", "actions": []object{
		{"type": "answer"}, {"type": "conference_join", "option": object{"conference_id": room}},
	}})
	hash := s.must("POST", "/flows/"+flow["id"].(string)+"/direct-hash-regenerate", nil)["direct_hash"].(string)
	tones := []float64{440, 700, 1100}
	var users []*phone
	for i, hertz := range tones {
		p := newPhone(t, "PCMU", tone(8000, hertz, time.Minute), account{})
		p.enter("sip:" + hash + "@" + s.sip)
		s.wait(room, "conferencecall_joined", i+1)
		users = append(users, p)
	}
	for i, p := range users {
		for j, hertz := range tones {
			if i != j {
				p.hearsTone(hertz)
			}
		}
		p.hearsNone(tones[i])
	}
	for _, c := range s.list("/calls") {
		if c["flow_id"] != flow["id"] {
			t.Errorf("a call that has not come through the flow: %v", c)
		}
	}
	for i, p := range users {
		p.hangup()
		s.wait(room, "conferencecall_leaved", i+1)
		got := s.must("GET", "/conferences/"+room, nil)
		if n := len(got["conferencecall_ids"].([]any)); n != len(users)-1-i || got["status"] != "progressing" {
			t.Errorf("after %d have hung up: %v", i+1, got)
		}
	}
	s.must("DELETE", "/conferences/"+room, nil)
	s.waitField("/conferences/"+room, "status", "terminated")
	s.wait(room, "conference_deleted", 1)
}

// TestScenarioCustomerAgent: a conference of type connect is created; the customer's call joins, then the agent's; they talk; when either hangs up, the other is
// sent away and the conference terminates.
func TestScenarioCustomerAgent(t *testing.T) {
	t.Parallel()
	needs(t, "baresip")
	s := start(t)
	customer := newPhone(t, "PCMU", tone(8000, 440, time.Minute), account{})
	agent := newPhone(t, "PCMA", tone(8000, 700, time.Minute), account{})
	for _, tt := range []struct{ first, other *phone }{{customer, agent}, {agent, customer}} {
		room := s.conference(object{"type": "connect"})
		customer.enter("sip:" + room + "@" + s.sip)
		s.wait(room, "conferencecall_joined", 1)
		agent.enter("sip:" + room + "@" + s.sip)
		s.wait(room, "conferencecall_joined", 2)
		customer.hearsTone(700)
		agent.hearsTone(440)
		tt.first.hangup()
		tt.first.waitFor("CALL_CLOSED")
		tt.other.waitFor("CALL_CLOSED")
		if got := s.waitField("/conferences/"+room, "status", "terminated"); got["end_reason"] != "peer_left" {
			t.Errorf("conference: %v", got)
		}
		s.wait(room, "conference_deleted", 1)
		s.wait(room, "call_hangup", 2)
	}
}
