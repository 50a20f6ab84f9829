package e2e

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// far is a server that others call over trunks, with a room that has a number.
func far(t *testing.T) (s *server, room string) {
	t.Helper()
	s = startPublic(t)
	room = s.conference(object{"type": "conference", "dial_in": "+4930123456"})
	s.must("POST", "/extensions", object{"extension": "trunk", "password": "correct-horse"})
	return s, room
}

// near is a server that may call numbers that begin with +4930.
func near(t *testing.T) *server {
	t.Helper()
	file := filepath.Join(t.TempDir(), "parley.yaml")
	write(t, file, "calls_out:\n  allow_numbers: [+4930]\n  minutes_per_day: 100\n")
	return start(t, "--config", file)
}

// trunkTo is the body of a trunk to an address, and what else is in more.
func trunkTo(t *testing.T, addr string, more object) object {
	t.Helper()
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	body := object{"name": "to " + addr, "host": host, "port": port}
	for k, v := range more {
		body[k] = v
	}
	return body
}

// TestTrunk: two servers, joined by a trunk with digest authentication behind one that does not work; people in a room here and a room there hear each
// other. What the guard does not allow does not leave.
func TestTrunk(t *testing.T) {
	t.Parallel()
	needs(t, "baresip")
	there, thereRoom := far(t)
	here := near(t)
	room := here.conference(object{"type": "conference"})
	dead := fmt.Sprintf("127.0.0.1:%d", portBlock(t))
	here.must("POST", "/trunks", trunkTo(t, dead, object{"transport": "tcp", "priority": 1}))
	good := here.must("POST", "/trunks", trunkTo(t, there.sip, object{
		"auth": "digest", "username": "trunk", "password": "correct-horse", "priority": 2, "codecs": []string{"PCMA"}, "limits": object{"concurrent": 1},
	}))
	ada := newPhone(t, "PCMU", tone(8000, 440, time.Minute), account{})
	ada.enter("sip:" + room + "@" + here.sip)
	brought := here.must("POST", "/conferences/"+room+"/conferencecalls", object{"destination": object{"type": "tel", "target": "+4930123456"}, "name": "far"})
	if brought["status"] != "joining" || brought["name"] != "far" {
		t.Fatal(brought)
	}
	here.wait(room, "conferencecall_joined", 2)
	there.wait(thereRoom, "conferencecall_joined", 1)
	bob := newPhone(t, "PCMA", tone(8000, 900, time.Minute), account{"bob", there.sip, ";auth_pass=correct-horse;auth_user=trunk;regint=0"})
	bob.enter("sip:" + thereRoom + "@" + there.sip)
	ada.hearsTone(900)
	bob.hearsTone(440)
	if got := here.must("GET", "/conferencecalls/"+brought["id"].(string), nil); got["media"].(object)["codec"] != "PCMA" {
		t.Errorf("the trunk's codec: %v", got["media"])
	}

	// One more is one too many: this trunk is full, and the call goes on to the dead one.
	second := here.must("POST", "/calls", object{"destinations": []object{{"target": "+4930123456"}}, "actions": []object{{"type": "answer"}}})
	id := second["calls"].([]any)[0].(object)["id"].(string)
	if got := here.waitField("/calls/"+id, "status", "hangup"); got["hangup_reason"] != "failed" || !strings.Contains(got["hangup_detail"].(string), "503") {
		t.Errorf("the call that was too many: %v", got)
	}
	for target, rule := range map[string]string{"+88216123456": "allow_numbers", "sip:someone@192.0.2.1": "allow_sip"} {
		status, refusal := here.do("POST", "/calls", object{"destinations": []object{{"target": target}}, "actions": []object{{"type": "answer"}}})
		details, _ := refusal["error"].(object)["details"].([]any)
		if status != 403 || len(details) == 0 || details[0].(object)["rule"] != rule {
			t.Errorf("%s: %d %v", target, status, refusal)
		}
	}
	eventually(t, 5*time.Second, "call_refused of three rules", func() error {
		seen := map[any]bool{}
		for _, e := range here.must("GET", "/events?type=call_refused", nil)["result"].([]any) {
			seen[e.(object)["data"].(object)["rule"]] = true
		}
		if len(seen) != 3 || !seen["trunk_concurrent"] {
			return fmt.Errorf("%v", seen)
		}
		return nil
	})

	here.must("DELETE", "/trunks/"+good["id"].(string), nil) // a running call is none of its business
	ada.hearsTone(900)
	here.must("DELETE", "/conferences/"+room, nil)
	there.wait(thereRoom, "conferencecall_leaved", 1)
	ada.waitFor("CALL_CLOSED")
}

// TestTrunkRegisters: a trunk registers with the other server, which then calls us there; and a network that is a trunk's needs no credentials.
func TestTrunkRegisters(t *testing.T) {
	t.Parallel()
	there, thereRoom := far(t)
	here := near(t)
	room := here.conference(object{"type": "conference", "dial_in": "trunk"})
	made := here.must("POST", "/trunks", trunkTo(t, there.sip, object{"auth": "register", "username": "trunk", "password": "correct-horse"}))
	eventually(t, 20*time.Second, "registration", func() error {
		state, _ := here.must("GET", "/trunks/"+made["id"].(string), nil)["state"].(object)
		if state["registered"] != true || state["reachable"] != true {
			return fmt.Errorf("state %v", state)
		}
		return nil
	})
	there.must("POST", "/conferences/"+thereRoom+"/conferencecalls", object{"destination": object{"type": "extension", "target": "trunk"}})
	here.wait(room, "conferencecall_joined", 1)
	there.wait(thereRoom, "conferencecall_joined", 1)
	here.must("DELETE", "/conferences/"+room, nil)
	there.wait(thereRoom, "conferencecall_leaved", 1)

	wrong := here.must("POST", "/trunks", trunkTo(t, there.sip, object{"auth": "register", "username": "trunk", "password": "wrong-horse"}))
	eventually(t, 20*time.Second, "refused registration", func() error {
		state, _ := here.must("GET", "/trunks/"+wrong["id"].(string), nil)["state"].(object)
		if state["registered"] != false || state["reason"] == "" || state["reason"] == nil {
			return errors.New(fmt.Sprint(state))
		}
		return nil
	})
	here.must("DELETE", "/trunks/"+wrong["id"].(string), nil)
	here.must("DELETE", "/trunks/"+made["id"].(string), nil)

	// Without credentials nobody enters there, until its customer says whose the network is.
	here.must("POST", "/trunks", trunkTo(t, there.sip, object{"auth": "address"}))
	call := func() object {
		placed := here.must("POST", "/calls", object{"destinations": []object{{"target": "+4930123456"}}, "actions": []object{{"type": "answer"}, {"type": "sleep", "option": object{"duration": 60000}}}})
		return placed["calls"].([]any)[0].(object)
	}
	refused := here.waitField("/calls/"+call()["id"].(string), "status", "hangup")
	if !strings.Contains(refused["hangup_detail"].(string), "401") {
		t.Errorf("a stranger's call: %v", refused)
	}
	there.must("POST", "/trunks", object{"host": "near.example", "sources": []string{"127.0.0.1"}})
	here.waitField("/calls/"+call()["id"].(string), "status", "progressing")
	there.wait(thereRoom, "conferencecall_joined", 2)
}
