package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"parley/internal/call"
	"parley/internal/conference"
)

// why returns what an explanation says last about a subject: its text and those of its causes.
func (a answer) why(about string) string {
	list, _ := a.body["why"].([]any)
	said := ""
	for _, x := range list {
		if c := x.(object); c["about"] == about {
			said = c["text"].(string)
			for _, cause := range c["causes"].([]any) {
				f := cause.(object)
				said += " <- " + f["text"].(string)
				if f["seq"].(float64) < 1 || f["event_id"] == "" {
					said += " (nowhere in the log)"
				}
			}
		}
	}
	return said
}

func TestExplain(t *testing.T) {
	w := newWorld(t)
	id := w.must("POST", "/conferences", object{"end_on_moderator_leave": true}).id()
	boss := w.join(id, "ada", conference.Moderator)
	deaf := w.join(id, "ben", conference.Listener)
	one := w.join(id, "cyd", conference.Member)
	two := w.join(id, "dan", conference.Member)
	explain := func(who string) answer { return w.must("GET", "/conferencecalls/"+who+"/explain", nil) }

	w.must("POST", "/conferencecalls/"+one+"/mute", nil)
	w.must("POST", "/conferencecalls/"+one+"/hold", nil)
	w.must("DELETE", "/conferencecalls/"+one+"/hold", nil)
	w.must("PUT", "/conferencecalls/"+two, object{"role": "listener", "volume": 6})
	a := explain(one)
	if a.why("muted") != "it was muted" || a.why("held") != "it was taken off hold" || a.body["summary"] != "it is in the room; it was muted" {
		t.Errorf("%s", a.raw)
	}
	muted := a.body["why"].([]any)[2].(object)
	events := w.must("GET", "/events?after="+fmt.Sprint(int64(muted["seq"].(float64))-1)+"&limit=1", nil).list()
	if e := events[0].(object); e["id"] != muted["event_id"] || e["type"] != "conferencecall_updated" || e["data"].(object)["muted"] != true {
		t.Errorf("%v is said to be %v", muted, e)
	}
	if a := explain(two); a.why("muted") != "it was muted because it became a listener" || a.why("volume") != "its volume became 6 dB" {
		t.Errorf("%s", a.raw)
	}
	if a := explain(deaf); a.why("muted") != "it came in muted: listeners are not heard" {
		t.Errorf("%s", a.raw)
	}
	w.must("DELETE", "/conferencecalls/"+one, nil)
	if a := explain(one); a.why("left") != "it was asked out of the room" {
		t.Errorf("%s", a.raw)
	}
	w.tell(id, conference.Leave{At: time.Now(), ID: conference.ParticipantID(boss), Reason: conference.LeftMediaTimeout})
	if a := explain(two); a.why("left") != "the last moderator left and the conference ends with them <- the conference began to end: moderator_left <- ada ("+
		boss+") left: no media came from it for too long" || a.body["summary"] == "" {
		t.Errorf("%s", a.raw)
	}
	w.refused(404, "CONFERENCECALL_NOT_FOUND", "GET", "/conferencecalls/"+one+"/explain", nil, "Authorization", "Bearer "+otherKey)
	w.refused(404, "CONFERENCECALL_NOT_FOUND", "GET", "/conferencecalls/"+uuid.NewString()+"/explain", nil)
}

func TestExplainCall(t *testing.T) {
	w := newWorld(t)
	id := w.call(w.me)
	rec, err := w.st.Get(t.Context(), "call", id)
	if err != nil {
		t.Fatal(err)
	}
	var c call.Call
	if err := json.Unmarshal(rec.Doc, &c); err != nil {
		t.Fatal(err)
	}
	if _, err := writeCall(t.Context(), w.st, c, call.Hangup{At: time.Now(), By: call.Local, Reason: call.Failed, Detail: "CONFERENCE_LOCKED: the conference is locked"}); err != nil {
		t.Fatal(err)
	}
	a := w.must("GET", "/calls/"+id+"/explain", nil)
	if !strings.Contains(a.why("refused"), "ended by this server (failed): CONFERENCE_LOCKED") || !strings.Contains(a.why("came"), "an incoming call") {
		t.Errorf("%s", a.raw)
	}
	w.refused(404, "CALL_NOT_FOUND", "GET", "/calls/"+id+"/explain", nil, "Authorization", "Bearer "+otherKey)
}

func TestEventTypes(t *testing.T) {
	w := newWorld(t)
	all := w.must("GET", "/event_types", nil).list()
	if len(all) < 30 {
		t.Errorf("%d types", len(all))
	}
	one := w.must("GET", "/event_types/conferencecall_joined", nil)
	if one.body["sample"].(object)["data"].(object)["status"] != "joined" || one.body["schema"].(object)["$defs"] == nil {
		t.Errorf("%s", one.raw)
	}
	w.refused(404, "EVENT_TYPE_NOT_FOUND", "GET", "/event_types/conference_eaten", nil)
}

// TestExplainRoom says that what was done to all is told as such, and whoever waits, why.
func TestExplainRoom(t *testing.T) {
	w := newWorld(t)
	id := w.must("POST", "/conferences", object{}).id()
	boss, one, two := w.join(id, "ada", conference.Moderator), w.join(id, "ben", conference.Member), w.join(id, "cyd", conference.Member)
	explain := func(who string) answer { return w.must("GET", "/conferencecalls/"+who+"/explain", nil) }
	w.tell(id, conference.MuteAll{At: time.Now(), Muted: true})
	if a := explain(one); a.why("muted") != "it was muted <- in the same step somebody else was changed: muted was meant for all" {
		t.Errorf("%s", a.raw)
	}
	w.must("PUT", "/conferences/"+id, object{"admission": "lobby"})
	guest := conference.ParticipantID(uuid.NewString())
	w.tell(id, conference.Join{At: time.Now(), ID: guest, CustomerID: w.me, CallID: uuid.NewString(), Name: "dan"})
	if a := explain(string(guest)); a.why("waiting") != "it waits to be let in" || a.body["summary"] == "" {
		t.Errorf("%s", a.raw)
	}
	w.tell(id, conference.Deny{At: time.Now(), ID: guest})
	if a := explain(string(guest)); a.why("left") != "a moderator did not let it in" {
		t.Errorf("%s", a.raw)
	}
	held := true
	w.tell(id, conference.Set{At: time.Now(), ID: conference.ParticipantID(two), Patch: conference.ParticipantPatch{Held: &held}})
	if a := explain(two); a.why("held") != "it was put on hold" {
		t.Errorf("%s", a.raw)
	}
	w.must("POST", "/conferences/"+id+"/terminate", nil)
	if a := explain(boss); a.why("left") != "the conference was deleted or terminated <- the conference began to end: terminated" {
		t.Errorf("%s", a.raw)
	}
}
