package api_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"parley/internal/api"
	"parley/internal/conference"
)

// things are one of everything that a customer has, by the path under which it stands.
func (w *world) things() map[string]string {
	w.t.Helper()
	room := w.must("POST", "/conferences", object{}).id()
	made := map[string]string{
		"/conferences": room, "/conferencecalls": w.join(room, "ada", conference.Member), "/calls": w.call(w.me), "/groupcalls": w.groupcall(),
		"/trunks": w.must("POST", "/trunks", object{"host": "sip.example"}).id(), "/recordings": w.recording(room), "/activeflows": w.activeflow(w.me),
		"/webhooks":   w.must("POST", "/webhooks", object{"uri": "http://127.0.0.1:1/"}).id(),
		"/accesskeys": w.must("POST", "/accesskeys", object{}).id(),
		"/extensions": w.must("POST", "/extensions", object{"extension": "anna", "password": "long enough"}).id(),
		"/flows":      w.must("POST", "/flows", object{"actions": []any{}}).id(),
		"/agents":     w.agent("mine", 64),
		"{mid}":       w.must("POST", "/conferences/"+room+"/messages", object{"text": "a"}).id(),
	}
	made["/transfers"] = w.must("POST", "/transfers", object{
		"transfer_type": "blind", "transferer_call_id": made["/calls"], "transferee_addresses": sip("b@127.0.0.1"),
	}).id()
	made["/recordingfiles"], made["/timelines"] = made["/recordings"], made["/conferences"]
	return made
}

// sensible are bodies that get past the checks of form, by the end of the path; others are sent {}.
var sensible = map[string]object{
	"/messages": {"text": "a"}, "/messages/{mid}": {"text": "b"}, "/talk": {"text": "a"}, "/play": {"stream_urls": []string{"tone:440"}},
	"/digits": {"digits": "1"}, "/move": {"conference_id": uuid.Nil.String()}, "/supervise": {"mode": "coach", "target": uuid.Nil.String()},
	"/admit": {"all": true}, "/deny": {"all": true}, "/conferencecalls": {"destination": object{"type": "sip", "target": "a@127.0.0.1"}},
	"/refer": {"destination": object{"type": "sip", "target": "a@127.0.0.1"}}, "/mute": {"direction": "both"}, "/recording_pause": {"behavior": "skip"},
	"/addresses": {"addresses": []any{}}, "/tag_ids": {"tag_ids": []any{}}, "/permission": {"permission": 32}, "/status": {"status": "away"},
	"/password": {"password": "long enough too"}, "/flows/{id}": {"actions": []any{}}, "/dry_run": {"digits": "1"}, "/recording_start": {"format": "wav"},
}

// bodyOf returns what is sent to a path.
func bodyOf(path string) any {
	longest := ""
	for end := range sensible {
		if strings.HasSuffix(path, end) && len(end) > len(longest) {
			longest = end
		}
	}
	if longest == "" {
		return object{}
	}
	return sensible[longest]
}

// TestForeignIDs asks each route for what is another customer's: to read, to change, to end it. The answer is that for an id that nobody has, to the
// letter, and nothing changes.
func TestForeignIDs(t *testing.T) {
	a := newArchive(t)
	w := newWorld(t, runsFlows(t), func(o *api.Options) { o.Recordings = a })
	made := w.things()
	served, asked := w.door.Routes(), 0
	for _, method := range []string{"get", "post", "put", "delete"} {
		for path := range operations(t, method) {
			root, _, _ := strings.Cut(path[1:], "/")
			if !strings.Contains(path, "{") || strings.HasPrefix(path, "/event_types/") || strings.HasPrefix(path, "/errors/") || root == "service_agents" {
				continue
			}
			verb := strings.ToUpper(method)
			if !slices.Contains(served, verb+" "+path) {
				t.Logf("%s %s is served by a part that is not in this world", verb, path)
				continue
			}
			id := made["/"+root]
			if id == "" {
				t.Errorf("%s %s: say in things how to make one", verb, path)
				continue
			}
			w.foreign(verb, path, id, made["{mid}"])
			asked++
		}
	}
	if asked < 80 {
		t.Errorf("%d routes were asked", asked)
	}
}

// askOther asks as the other customer, and returns the answer's status and what it says but for the ids that it was asked for.
func (w *world) askOther(method, url string, body any, ids ...string) (int, string) {
	w.t.Helper()
	a := w.send(method, url, body, "Authorization", "Bearer "+otherKey)
	text := string(a.raw)
	for i, id := range ids {
		text = strings.ReplaceAll(text, id, fmt.Sprint("ID", i))
	}
	if refusal, ok := a.body["error"].(object); ok {
		text = strings.ReplaceAll(text, refusal["request_id"].(string), "REQUEST")
	}
	return a.status, text
}

// foreign compares the answers to another customer for an id and for none.
func (w *world) foreign(method, path, id, message string) {
	w.t.Helper()
	nobody, noMessage := uuid.NewString(), uuid.NewString()
	before, _, err := w.st.Last(w.t.Context(), "")
	if err != nil {
		w.t.Fatal(err)
	}
	ask := func(id, message string) (int, string) {
		url := strings.NewReplacer("{id}", id, "{mid}", message, "{resource_type}", "conferences", "{resource_id}", id).Replace(path)
		var body any
		if method == http.MethodPost || method == http.MethodPut {
			body = bodyOf(path)
		}
		return w.askOther(method, url, body, id, message)
	}
	status, theirs := ask(id, message)
	_, none := ask(nobody, noMessage)
	if status != http.StatusNotFound || theirs != none {
		w.t.Errorf("%s %s: of another customer %d %s\nof nobody %s", method, path, status, theirs, none)
	}
	if after, _, err := w.st.Last(w.t.Context(), ""); err != nil || after != before {
		w.t.Errorf("%s %s wrote to the log: %v", method, path, err)
	}
}

// TestForeignIDsWithin names what is another customer's inside of requests for something of one's own. The answer is that for an id that nobody has,
// and the other customer's things stay as they are.
func TestForeignIDsWithin(t *testing.T) {
	a := newArchive(t)
	w := newWorld(t, runsFlows(t), func(o *api.Options) { o.Recordings = a })
	theirs := w.things()
	own := func(path string, body object) string {
		w.t.Helper()
		return w.must("POST", path, body, "Authorization", "Bearer "+otherKey).id()
	}
	room, callID := own("/conferences", object{}), w.call(w.others)
	flow, hook := own("/flows", object{"actions": []any{}}), own("/webhooks", object{"uri": "http://127.0.0.1:1/"})
	partID := uuid.NewString()
	for _, c := range []conference.Command{
		conference.Join{At: time.Now(), ID: conference.ParticipantID(partID), CustomerID: w.others, CallID: callID, Role: conference.Member},
		conference.Connected{At: time.Now(), ID: conference.ParticipantID(partID)},
	} {
		w.tell(room, c)
	}
	destinations := sip("a@127.0.0.1")
	action := func(kind, name string) func(string) any {
		return func(id string) any {
			return object{"actions": []any{object{"type": kind, "option": object{name: id}}}}
		}
	}
	for _, c := range []struct {
		method, path, kind string
		body               func(id string) any
	}{
		{"POST", "/conferences", "/flows", func(id string) any { return object{"pre_flow_id": id} }},
		{"POST", "/conferences", "/flows", func(id string) any { return object{"post_flow_id": id} }},
		{"PUT", "/conferences/" + room, "/flows", func(id string) any { return object{"pre_flow_id": id} }},
		{"POST", "/conferences/" + room + "/admit", "/conferencecalls", func(id string) any { return object{"conferencecall_id": id} }},
		{"POST", "/conferences/" + room + "/deny", "/conferencecalls", func(id string) any { return object{"conferencecall_id": id} }},
		{"POST", "/conferences/" + room + "/messages", "/conferencecalls", func(id string) any { return object{"text": "a", "conferencecall_id": id} }},
		{"GET", "/conferences/" + room + "/messages?conferencecall_id=ID", "/conferencecalls", nil},
		{"GET", "/conferences/" + room + "/messages/ID", "{mid}", nil},
		{"DELETE", "/conferences/" + room + "/messages/ID", "{mid}", nil},
		{"POST", "/conferences/" + room + "/talk", "/conferencecalls", func(id string) any { return object{"text": "a", "conferencecall_id": id} }},
		{"POST", "/conferences/" + room + "/play", "/conferencecalls", func(id string) any { return object{"stream_urls": []string{"tone:440"}, "conferencecall_id": id} }},
		{"POST", "/conferences/" + room + "/conferencecalls", "/flows", func(id string) any { return object{"destination": destinations[0], "pre_flow_id": id} }},
		{"POST", "/conferences/" + room + "/conferencecalls", "/conferences", func(id string) any { return object{"destination": object{"type": "conference", "target": id}} }},
		{"POST", "/conferencecalls/" + partID + "/move", "/conferences", func(id string) any { return object{"conference_id": id} }},
		{"POST", "/conferencecalls/" + partID + "/supervise", "/conferencecalls", func(id string) any { return object{"mode": "coach", "conferencecall_ids": []string{id}} }},
		{"PUT", "/conferencecalls/" + partID, "/conferencecalls", func(id string) any { return object{"can_hear": []string{id}} }},
		{"POST", "/calls", "/flows", func(id string) any { return object{"destinations": destinations, "flow_id": id} }},
		{"POST", "/calls", "/conferences", func(id string) any { return object{"destinations": []object{{"type": "conference", "target": id}}} }},
		{"POST", "/calls", "/agents", func(id string) any { return object{"destinations": []object{{"type": "agent", "target": id}}} }},
		{"POST", "/groupcalls", "/flows", func(id string) any { return object{"destinations": destinations, "flow_id": id} }},
		{"POST", "/transfers", "/calls", func(id string) any {
			return object{"transfer_type": "blind", "transferer_call_id": id, "transferee_addresses": destinations}
		}},
		{"POST", "/calls/" + callID + "/recording_start", "/flows", func(id string) any { return object{"format": "wav", "on_end_flow_id": id} }},
		{"POST", "/activeflows", "/flows", func(id string) any { return object{"flow_id": id} }},
		{"POST", "/flows", "/flows", func(id string) any { return object{"actions": []any{}, "on_complete_flow_id": id} }},
		{"PUT", "/flows/" + flow, "/flows", func(id string) any { return object{"actions": []any{}, "on_complete_flow_id": id} }},
		{"POST", "/flows", "/flows", action("fetch_flow", "flow_id")},
		{"POST", "/flows", "/conferences", action("conference_join", "conference_id")},
		{"POST", "/activeflows", "/conferences", action("conference_join", "conference_id")},
		{"POST", "/webhooks", "/conferences", func(id string) any { return object{"uri": "http://127.0.0.1:1/", "conference_id": id} }},
		{"PUT", "/webhooks/" + hook, "/conferences", func(id string) any { return object{"uri": "http://127.0.0.1:1/", "conference_id": id} }},
		{"GET", "/conferencecalls?conference_id=ID", "/conferences", nil},
		{"GET", "/conferencecalls?reference_id=ID", "/calls", nil},
		{"GET", "/calls?conference_id=ID", "/conferences", nil},
		{"GET", "/recordings?conference_id=ID", "/conferences", nil},
		{"GET", "/recordings?reference_id=ID", "/conferences", nil},
		{"GET", "/events?conference_id=ID", "/conferences", nil},
		{"GET", "/aggregated-events?call_id=ID", "/calls", nil},
		{"GET", "/aggregated-events?activeflow_id=ID", "/activeflows", nil},
		{"GET", "/activeflows?reference_id=ID", "/calls", nil},
	} {
		ask := func(id string) (int, string) {
			var body any
			if c.body != nil {
				body = c.body(id)
			}
			return w.askOther(c.method, strings.ReplaceAll(c.path, "ID", id), body, id)
		}
		id := theirs[c.kind]
		status, got := ask(id)
		refused, none := ask(uuid.NewString())
		if status == http.StatusOK && c.method != "GET" {
			got, none = "", "" // what is named is looked for when it is needed; what is said of that is not the same twice
		}
		if status != refused || got != none {
			t.Errorf("%s %s with another customer's of %s: %d %s\nwith nobody's: %s", c.method, c.path, c.kind, status, got, none)
		}
	}
}
