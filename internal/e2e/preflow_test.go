package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// pinFlow lets in who types 1234, gives a second try, and hangs up then.
var pinFlow = []object{
	{"id": "ask", "type": "beep"},
	{"type": "digits_receive", "option": object{"length": 4, "duration": 8000}},
	{"type": "branch", "option": object{"target_ids": object{"1234": "in"}, "default_target_id": "again"}},
	{"id": "again", "type": "goto", "option": object{"target_id": "ask", "loop_count": 1}},
	{"type": "hangup", "option": object{"reason": "failed"}},
	{"id": "in", "type": "variable_set", "option": object{"key": "entered", "value": "${voipbin.conference.name}"}},
}

// presses types keys once the phone's run awaits them for the nth time.
func (s *server) presses(p *phone, room, keys string, nth int) {
	s.t.Helper()
	eventually(s.t, 15*time.Second, "a prompt for keys", func() error {
		for _, run := range s.list("/activeflows?page_size=100") {
			asked := 0
			for _, a := range run["executed_actions"].([]any) {
				if a.(object)["type"] == "digits_receive" {
					asked++
				}
			}
			if run["status"] == "running" && run["current_action"].(object)["type"] == "digits_receive" && asked == nth {
				return nil
			}
		}
		return fmt.Errorf("no run awaits keys for the %d. time", nth)
	})
	for _, k := range keys {
		p.command("sndcode", string(k))
		time.Sleep(250 * time.Millisecond) // a finger
	}
}

// run returns the newest run of a flow.
func (s *server) run() object {
	s.t.Helper()
	return s.list("/activeflows?page_size=100")[0]
}

// TestPreFlow takes phones through the pre-flow of a conference: with the right PIN, with a wrong one first, with wrong ones only, and with a kick in the
// middle. Only the first two get in; the others are hung up, and nobody is left behind.
func TestPreFlow(t *testing.T) {
	t.Parallel()
	needs(t, "baresip")
	s := start(t)
	pre := s.must("POST", "/flows", object{"name": "pin", "actions": pinFlow})["id"].(string)
	room := s.conference(object{"name": "safe", "pre_flow_id": pre})
	at := "sip:" + room + "@" + s.sip

	a := newPhone(t, "PCMU", tone(8000, hertzA, 2*time.Minute), account{})
	a.enter(at)
	if got := s.wait(room, "conferencecall_joining", 1).Data["status"]; got != "joining" {
		t.Errorf("participant is %v", got)
	}
	s.presses(a, room, "1234", 1)
	s.wait(room, "conferencecall_joined", 1)
	if run := s.run(); run["variables"].(object)["entered"] != "safe" || run["current_action"].(object)["type"] != "confbridge_join" {
		t.Errorf("run %v", run)
	}

	b := newPhone(t, "G722", tone(16000, hertzB, 2*time.Minute), account{})
	b.enter(at)
	s.presses(b, room, "9999", 1)
	s.presses(b, room, "1234", 2)
	s.wait(room, "conferencecall_joined", 2)
	a.hearsTone(hertzB)
	b.hearsTone(hertzA)

	c := newPhone(t, "PCMU", tone(8000, 1300, 2*time.Minute), account{})
	c.enter(at)
	s.presses(c, room, "1111", 1)
	s.presses(c, room, "2222", 2)
	c.waitFor("CALL_CLOSED")
	if left := s.wait(room, "conferencecall_leaved", 1); left.Data["leave_reason"] != "refused" {
		t.Errorf("left %v", left.Data)
	}

	d := newPhone(t, "PCMU", tone(8000, 1300, 2*time.Minute), account{})
	d.enter(at)
	kicked := s.wait(room, "conferencecall_joining", 4).id()
	s.presses(d, room, "1", 1)
	s.must("DELETE", "/conferencecalls/"+kicked, nil)
	d.waitFor("CALL_CLOSED")
	if left := s.wait(room, "conferencecall_leaved", 2); left.Data["leave_reason"] != "kicked" {
		t.Errorf("left %v", left.Data)
	}
	if n := count(s.events(room), "conferencecall_joined"); n != 2 {
		t.Errorf("%d have joined", n)
	}

	a.hangup()
	s.wait(room, "conferencecall_leaved", 3)
	var ends []string
	eventually(t, 10*time.Second, "the ends of the runs", func() error {
		ends = nil
		for _, run := range s.list("/activeflows?page_size=100") {
			ends = append(ends, run["end_reason"].(string))
		}
		if ends[3] == "" {
			return fmt.Errorf("%q", ends)
		}
		return nil
	})
	if got := strings.Join(ends, " "); got != "finished hangup  call_ended" {
		t.Errorf("runs ended as %q", got)
	}
}
