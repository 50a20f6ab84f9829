package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// trio is three registered phones of a server that is not in --dev; Alice talks to Bob.
type trio struct {
	*server
	alice, bob, carol *phone
}

func newTrio(t *testing.T) *trio {
	t.Helper()
	needs(t, "baresip")
	s := startPublic(t)
	join := func(name string, hertz float64) *phone {
		s.must("POST", "/extensions", object{"extension": name, "password": "correct-" + name})
		p := newPhone(t, "PCMU", tone(8000, hertz, time.Minute), account{name, s.sip, ";auth_pass=correct-" + name + ";regint=60"})
		p.says("200 OK (parley)")
		return p
	}
	x := &trio{s, join("alice", 440), join("bob", 700), join("carol", 1100)}
	x.alice.dial("sip:bob@" + s.sip)
	x.bob.accept()
	x.alice.waitFor("CALL_ESTABLISHED")
	x.alice.hearsTone(700)
	return x
}

// settled checks that Bob and Carol talk, and that nothing is left when Bob hangs up.
func (x *trio) settled() {
	x.t.Helper()
	x.bob.hearsTone(1100)
	x.carol.hearsTone(700)
	x.bob.hearsNone(440)
	x.bob.hangup()
	x.carol.waitFor("CALL_CLOSED")
	x.ended()
}

// ended waits until no call is live.
func (x *trio) ended() {
	x.t.Helper()
	eventually(x.t, 40*time.Second, "end of all calls", func() error {
		for _, c := range x.list("/calls") {
			if c["status"] != "hangup" {
				return fmt.Errorf("call %s is %s", c["id"], c["status"])
			}
		}
		return nil
	})
}

// called is the call that an extension made.
func (x *trio) called(name string) string {
	x.t.Helper()
	for _, c := range x.list("/calls") {
		source, _ := c["source"].(object)
		user, _, _ := strings.Cut(fmt.Sprint(source["target"]), "@")
		if c["direction"] == "incoming" && c["status"] == "progressing" && user == name {
			return c["id"].(string)
		}
	}
	x.t.Fatalf("%s has made no call", name)
	return ""
}

// TestPhoneTransfers: Alice's phone sends Bob on to Carol without talking to her.
func TestPhoneTransfers(t *testing.T) {
	t.Parallel()
	x := newTrio(t)
	x.alice.command("transfer", "sip:carol@"+x.sip)
	x.carol.accept()
	x.alice.waitFor("CALL_CLOSED")
	x.settled()
}

// TestTransferred: a program has Alice's call transferred, attended and blind, in a call of two and out of a room.
func TestTransferred(t *testing.T) {
	t.Parallel()
	x := newTrio(t)
	wish := object{
		"transfer_type": "attended", "transferer_call_id": x.called("alice"),
		"transferee_addresses": []object{{"type": "extension", "target": "carol"}},
	}
	made := x.must("POST", "/transfers", wish)
	path := "/transfers/" + made["id"].(string)
	x.carol.accept()
	x.waitField(path, "status", "consulting")
	x.alice.hearsTone(1100)
	x.carol.hearsTone(440)
	x.bob.hearsNone(440)
	if status, problem := x.do("POST", "/transfers", wish); status != 409 || problem["type"] != "/errors/REFER_PENDING" {
		t.Errorf("a second transfer: %d %v", status, problem)
	}
	x.must("POST", path+"/cancel", nil)
	x.carol.waitFor("CALL_CLOSED")
	x.alice.hearsTone(700)
	x.bob.hearsTone(440)

	made = x.must("POST", "/transfers", wish)
	path = "/transfers/" + made["id"].(string)
	x.carol.accept()
	x.waitField(path, "status", "consulting")
	x.alice.hangup()
	x.waitField(path, "status", "completed")
	x.settled()
	if n := len(x.list("/transfers")); n != 2 {
		t.Errorf("%d transfers are listed", n)
	}

	room := x.conference(object{"type": "conference"})
	for _, p := range []*phone{x.bob, x.alice} {
		p.enter("sip:" + room + "@" + x.sip)
	}
	x.wait(room, "conferencecall_joined", 2)
	wish["transfer_type"], wish["transferer_call_id"] = "blind", x.called("alice")
	made = x.must("POST", "/transfers", wish)
	x.alice.waitFor("CALL_CLOSED")
	x.carol.accept()
	x.waitField("/transfers/"+made["id"].(string), "status", "completed")
	x.wait(room, "conferencecall_joined", 3)
	x.bob.hearsTone(1100)
	x.carol.hearsTone(700)
	x.must("DELETE", "/conferences/"+room, nil)
	x.ended()
}
