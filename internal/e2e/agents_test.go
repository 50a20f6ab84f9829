package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"
)

// as does a request below /v1.0 with a token.
func (s *server) as(token, method, path string, body any) (int, object) {
	s.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(s.t.Context(), method, "http://"+s.http+path, bytes.NewReader(text))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	var out object
	_ = json.Unmarshal(raw, &out)
	return res.StatusCode, out
}

// TestAgents: an agent logs in, reads the password of its extension, registers a phone with it, and is called by name: from the API, and by another
// phone. Its status follows; a restart leaves it logged in; another password does not.
func TestAgents(t *testing.T) {
	t.Parallel()
	needs(t, "baresip")
	s := startPublic(t)
	s.must("POST", "/extensions", object{"extension": "desk", "password": "correct-desk"})
	s.must("POST", "/extensions", object{"extension": "alice", "password": "correct-alice"})
	ann := s.must("POST", "/agents", object{
		"username": "ann@example.com", "password": "correct horse", "permission": 16, "status": "available",
		"addresses": []object{{"type": "extension", "target": "desk"}},
	})["id"].(string)
	login := func(password string) (int, string) {
		status, out := s.as("", "POST", "/auth/login", object{"username": "ann@example.com", "password": password})
		token, _ := out["token"].(string)
		return status, token
	}
	if status, _ := login("battery staple"); status != 400 {
		t.Errorf("a wrong password: %d", status)
	}
	_, token := login("correct horse")
	if status, out := s.as(token, "POST", "/v1.0/conferences", object{}); status != 403 {
		t.Errorf("an agent makes a conference: %d %v", status, out)
	}
	_, own := s.as(token, "GET", "/v1.0/service_agents/extensions", nil)
	secret := own["result"].([]any)[0].(object)["password"].(string)
	desk := newPhone(t, "PCMU", tone(8000, 700, time.Minute), account{"desk", s.sip, ";auth_pass=" + secret + ";regint=60"})
	desk.says("200 OK (parley)")

	room := s.conference(object{"type": "conference"})
	join := []object{{"type": "conference_join", "option": object{"conference_id": room}}}
	s.must("POST", "/calls", object{"source": object{"type": "tel", "target": "+4930123"}, "destinations": []object{{"type": "agent", "target": ann}}, "actions": join})
	s.waitField("/agents/"+ann, "status", "ringing")
	desk.accept()
	s.waitField("/agents/"+ann, "status", "busy")
	s.wait(room, "conferencecall_joined", 1)
	desk.hangup()
	s.waitField("/agents/"+ann, "status", "available")
	if _, calls := s.as(token, "GET", "/v1.0/service_agents/calls", nil); len(calls["result"].([]any)) != 1 {
		t.Errorf("the agent's calls: %v", calls)
	}

	alice := newPhone(t, "PCMU", tone(8000, 440, time.Minute), account{"alice", s.sip, ";auth_pass=correct-alice;regint=60"})
	alice.says("200 OK (parley)")
	alice.dial("sip:agent%3a" + ann + "@" + s.sip)
	desk.accept()
	alice.hearsTone(700)
	desk.hearsTone(440)
	alice.hangup()
	desk.waitFor("CALL_CLOSED")

	s.stop()
	s.start()
	if status, me := s.as(token, "GET", "/v1.0/me", nil); status != 200 || me["id"] != ann {
		t.Errorf("after a restart: %d %v", status, me)
	}
	s.must("PUT", "/agents/"+ann+"/password", object{"password": "battery staple"})
	if status, _ := s.as(token, "GET", "/v1.0/me", nil); status != 401 {
		t.Errorf("with the token of an old password: %d", status)
	}
	if status, _ := login("battery staple"); status != 200 {
		t.Errorf("with the new password: %d", status)
	}
}

// TestConferenceIsCalled: what is called from here is heard in a conference, two conferences can be linked, and what one hears does not come back.
func TestConferenceIsCalled(t *testing.T) {
	t.Parallel()
	needs(t, "baresip")
	s := start(t)
	one, two := s.conference(object{"type": "conference"}), s.conference(object{"type": "conference"})
	alice := newPhone(t, "PCMU", tone(8000, 440, 2*time.Minute), account{})
	alice.enter("sip:" + one + "@" + s.sip)
	bob := newPhone(t, "PCMU", tone(8000, 700, 2*time.Minute), account{})
	bob.enter("sip:" + two + "@" + s.sip)
	call := func(to string, actions ...object) {
		s.must("POST", "/calls", object{"source": object{"type": "tel", "target": "+4930123"}, "destinations": []object{{"type": "conference", "target": to}}, "actions": actions})
	}
	call(one, object{"type": "conference_join", "option": object{"conference_id": two}})
	alice.hearsTone(700)
	bob.hearsTone(440)
	alice.hearsNone(440) // its own voice has not come back
	// A second link would: it is refused, and nobody stays.
	call(two, object{"type": "conference_join", "option": object{"conference_id": one}})
	s.wait(two, "conferencecall_leaved", 1)
	alice.hearsNone(440)
	s.must("DELETE", "/conferences/"+two, nil)
	bob.waitFor("CALL_CLOSED")
	alice.hearsNone(700)
}
