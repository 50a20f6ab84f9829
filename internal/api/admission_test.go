package api_test

import (
	"testing"

	"parley/internal/conference"
)

func TestLobby(t *testing.T) {
	w := newWorld(t)
	id := w.must("POST", "/conferences", object{"admission": "lobby", "entry_tone": "beep", "wait_music": "silence"}).id()
	boss, ada, bob, eve := w.join(id, "boss", conference.Moderator), w.join(id, "ada", ""), w.join(id, "bob", ""), w.join(id, "eve", "")
	is := func(who, status, waiting, reason string) {
		t.Helper()
		a := w.must("GET", "/conferencecalls/"+who, nil)
		if a.body["status"] != status || a.body["waiting"] != waiting || a.body["leave_reason"] != reason {
			t.Errorf("%v is %v, waiting %v, left by %v", a.body["name"], a.body["status"], a.body["waiting"], a.body["leave_reason"])
		}
	}
	is(boss, "joined", "", "")
	is(ada, "joining", "lobby", "")
	path := "/conferences/" + id
	for _, body := range []object{{}, {"all": false}, {"all": true, "conferencecall_id": ada}, {"conferencecall_id": "ada"}} {
		w.refused(400, "INVALID_ARGUMENT", "POST", path+"/admit", body)
	}
	w.refused(404, "CONFERENCECALL_NOT_FOUND", "POST", path+"/deny", object{"conferencecall_id": id})
	w.must("POST", path+"/admit", object{"conferencecall_id": ada})
	is(ada, "joining", "", "")
	w.must("POST", path+"/deny", object{"conferencecall_id": eve})
	is(eve, "leaving", "", "denied")
	w.refused(409, "CONFERENCECALL_NOT_WAITING", "POST", path+"/deny", object{"conferencecall_id": boss})
	w.must("POST", path+"/admit", object{"all": true})
	is(bob, "joining", "", "")

	w.must("POST", path+"/lock", nil)
	if a := w.must("GET", path, nil); a.body["admission"] != "locked" || a.body["entry_tone"] != "beep" || a.body["wait_music"] != "silence" {
		t.Errorf("%s", a.raw)
	}
	if a := w.must("POST", path+"/unlock", nil); a.body["admission"] != "lobby" {
		t.Errorf("open to %v", a.body["admission"])
	}
}

func TestPINsAreNeverShown(t *testing.T) {
	w := newWorld(t)
	id := w.must("POST", "/conferences", object{"pin": "1234", "moderator_pin": "9876"}).id()
	a := w.must("PUT", "/conferences/"+id, object{"pin": "4321"})
	for _, secret := range []string{"pin", "moderator_pin"} {
		if _, shown := a.body[secret]; shown {
			t.Errorf("%s is shown: %s", secret, a.raw)
		}
	}
	w.refused(400, "INVALID_ARGUMENT", "PUT", "/conferences/"+id, object{"pin": "9876"})
	for _, bad := range []object{{"entry_tone": "gong"}, {"wait_music": "http:"}, {"wait_music": "blob:"}, {"admission": "ajar"}} {
		w.refused(400, "INVALID_ARGUMENT", "POST", "/conferences", bad)
	}
	w.refused(400, "INVALID_ARGUMENT", "POST", "/conferences", object{"keypad": "piano"})
	w.refused(400, "SETTING_UNSUPPORTED", "POST", "/conferences", object{"video": "on"})
	if a := w.must("POST", "/conferences", object{"keypad": "consumer"}); a.body["keypad"] != "consumer" {
		t.Errorf("%s", a.raw)
	}
}
