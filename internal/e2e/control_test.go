package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"
)

// TestGroupcalls: three phones ring for one answer; the second takes it, the others fall silent. One after the other, the first is hung up when
// nobody answers in time, and the next one rings.
func TestGroupcalls(t *testing.T) {
	t.Parallel()
	needs(t, "baresip")
	s := start(t)
	room := s.conference(object{"type": "conference"})
	join := []object{{"type": "conference_join", "option": object{"conference_id": room}}}
	var phones []*phone
	var addresses []object
	for i := range 3 {
		p, uri := callee(t, "PCMU", 440+200*float64(i))
		phones, addresses = append(phones, p), append(addresses, object{"type": "sip", "target": uri})
	}
	made := s.must("POST", "/groupcalls", object{"destinations": addresses, "actions": join})
	path := "/groupcalls/" + made["id"].(string)
	for _, p := range phones {
		p.waitFor("CALL_INCOMING")
	}
	phones[1].command("accept", "")
	phones[1].waitFor("CALL_ESTABLISHED")
	phones[0].waitFor("CALL_CLOSED")
	phones[2].waitFor("CALL_CLOSED")
	s.wait(room, "conferencecall_joined", 1)
	got := s.waitField(path, "call_count", 1.0)
	if ids := got["call_ids"].([]any); len(ids) != 3 || got["status"] != "progressing" || got["answer_call_id"] != ids[1] {
		t.Errorf("answered: %v", got)
	}
	for i, id := range got["call_ids"].([]any) {
		c := s.must("GET", "/calls/"+id.(string), nil)
		if want := []string{"hangup", "progressing", "hangup"}[i]; c["status"] != want || c["groupcall_id"] != got["id"] || i != 1 && c["hangup_reason"] != "cancel" {
			t.Errorf("call %d: %v", i, c)
		}
	}
	s.must("POST", path+"/hangup", nil)
	phones[1].waitFor("CALL_CLOSED")
	s.waitField(path, "status", "hangup")
	if status, refusal := s.do("POST", path+"/hangup", nil); status != 409 {
		t.Errorf("hung up twice: %d %v", status, refusal)
	}

	made = s.must("POST", "/groupcalls", object{"destinations": addresses[:2], "ring_method": "linear", "timeout": 2, "actions": join})
	path = "/groupcalls/" + made["id"].(string)
	phones[0].waitFor("CALL_INCOMING")
	phones[0].waitFor("CALL_CLOSED")
	phones[1].accept()
	if got = s.waitField(path, "dial_index", 1.0); got["status"] != "progressing" {
		t.Errorf("the second's turn: %v", got)
	}
	s.wait(room, "conferencecall_joined", 2)
	phones[1].hangup()
	got = s.waitField(path, "status", "hangup")
	if ids := got["call_ids"].([]any); len(ids) != 2 || got["answer_call_id"] != ids[1] || got["call_count"] != 0.0 {
		t.Errorf("over: %v", got)
	}
	s.must("DELETE", path, nil)
	if list := s.list("/groupcalls"); len(list) != 1 {
		t.Errorf("%d groupcalls are listed", len(list))
	}
}

// TestControl does to a call what the API can do while two phones talk: what the one says is heard by the other or not.
func TestControl(t *testing.T) {
	t.Parallel()
	needs(t, "baresip")
	sounds := t.TempDir()
	writeWAV(t, filepath.Join(sounds, "long.wav"), 8000, 1, tone(8000, 1500, 20*time.Second))
	files := httptest.NewServer(http.FileServer(http.Dir(sounds)))
	t.Cleanup(files.Close)
	s := start(t)
	room := s.conference(object{"type": "conference"})
	ada, hers := callee(t, "PCMU", 440)
	bob, his := callee(t, "PCMA", 700)
	var calls []string
	for _, x := range []struct {
		p   *phone
		uri string
	}{{ada, hers}, {bob, his}} {
		brought := s.must("POST", "/conferences/"+room+"/conferencecalls", object{"destination": object{"target": "sip:" + x.uri}})
		x.p.accept()
		calls = append(calls, brought["calls"].([]any)[0].(object)["id"].(string))
	}
	s.wait(room, "conferencecall_joined", 2)
	ada.hearsTone(700)
	bob.hearsTone(440)
	do := func(method, what string, body any) object {
		t.Helper()
		return s.must(method, "/calls/"+calls[0]+"/"+what, body)
	}
	if c := do("POST", "mute", object{"direction": "in"}); c["mute_direction"] != "in" {
		t.Errorf("muted: %v", c["mute_direction"])
	}
	bob.hearsNone(440)
	ada.hearsTone(700)
	if c := do("POST", "mute", object{"direction": "out"}); c["mute_direction"] != "both" {
		t.Errorf("muted: %v", c["mute_direction"])
	}
	ada.hearsNone(700)
	if c := do("DELETE", "mute", nil); c["mute_direction"] != "" {
		t.Errorf("unmuted: %v", c["mute_direction"])
	}
	bob.hearsTone(440)
	ada.hearsTone(700)

	do("POST", "silence", nil)
	ada.hearsNone(700)
	bob.hearsTone(440)
	do("DELETE", "silence", nil)
	ada.hearsTone(700)

	do("POST", "hold", nil)
	ada.hearsNone(700)
	bob.hearsNone(440)
	do("DELETE", "hold", nil)
	ada.hearsTone(700)
	bob.hearsTone(440)

	do("POST", "play", object{"stream_urls": []string{files.URL + "/long.wav"}})
	ada.untilTone(1500, "of it what is left at a comfortable loudness", func(level float64) bool { return level > -30 })
	bob.hearsNone(1500)
	do("POST", "stop_playing", nil)
	ada.hearsNone(1500)
	do("POST", "digits", object{"digits": "42#"})

	s.must("POST", "/calls/"+calls[0]+"/hangup", nil)
	ada.waitFor("CALL_CLOSED")
	for _, what := range []string{"hold", "mute", "moh", "stop_playing"} {
		if status, refusal := s.do("POST", "/calls/"+calls[0]+"/"+what, nil); status != 409 || refusal["error"].(object)["reason"] != "CALL_ALREADY_HANGUP" {
			t.Errorf("%s of an ended call: %d %v", what, status, refusal)
		}
	}
	if n := fmt.Sprint(len(s.list("/calls?status=progressing"))); n != "1" {
		t.Errorf("%s calls live", n)
	}
}
