package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/uuid"

	apichat "parley/internal/api/chat"
	"parley/internal/api/rest"
	"parley/internal/api/stream"
	"parley/internal/chat"
	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/mixer"
	"parley/internal/store"
)

// Write implements chat.Rooms: one change at a time, fenced like any other.
func (h *rooms) Write(ctx context.Context, id conference.ID, decide func(*conference.State, int64) (*store.Change, error), wrote func()) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	rec, err := h.st.Get(ctx, store.Conference, string(id))
	if err != nil {
		return fault.New(fault.NotFound, "CONFERENCE_NOT_FOUND", "there is no such conference")
	}
	var s conference.State
	if err := json.Unmarshal(rec.Doc, &s.Conference); err != nil {
		return err
	}
	inside, err := h.st.List(ctx, store.Query{Kind: store.Conferencecall, Conference: string(id), Live: true, Limit: 1000})
	if err != nil {
		return err
	}
	for _, rec := range inside {
		var p conference.Participant
		if err := json.Unmarshal(rec.Doc, &p); err != nil {
			return err
		}
		s.Participants = append(s.Participants, &p)
	}
	key := "conference/" + string(id)
	_, version, err := h.st.Last(ctx, key)
	if err != nil {
		return err
	}
	c, err := decide(&s, version+1)
	if err != nil || c == nil {
		return err
	}
	c.Key, c.Version = key, version
	if err := h.st.Append(ctx, c); err != nil {
		return err
	}
	wrote()
	return nil
}

// Attach implements stream.Rooms without a sound.
func (h *rooms) Attach(context.Context, conference.ID, mixer.Tap, mixer.Sound) (context.Context, func(), error) {
	return context.Background(), func() {}, nil
}

// soundless calls cannot be listened to.
type soundless struct{}

func (soundless) Attach(_ context.Context, id string, _ func(string) mixer.Tap, _ mixer.Sound) (context.Context, func(), error) {
	return nil, nil, fault.New(fault.Conflict, "CALL_ALREADY_HANGUP", "call %s is not live", id)
}

// guests are the routes of messages and streams of sound, and what a socket says.
func guests(w *world) (routes []rest.Route, say func(context.Context, string, []byte) []byte) {
	c := apichat.New(chat.New(chat.Options{Store: w.st, Rooms: w.rooms, Limits: chat.Limits{PerSender: 200}}))
	return append(c.Routes(), stream.New(stream.Options{Rooms: w.rooms, Calls: soundless{}}).Routes()...), c.Say
}

func TestMessages(t *testing.T) {
	w := newWorld(t)
	room := w.must("POST", "/conferences", object{}).id()
	anna, ben := w.join(room, "Anna", ""), w.join(room, "Ben", "")
	path := "/conferences/" + room + "/messages"

	first := w.must("POST", path, object{"text": "hello", "conferencecall_id": anna})
	if first.body["name"] != "Anna" || first.body["conferencecall_id"] != anna || first.body["edited"] != false || first.header.Get("ETag") == "" {
		t.Errorf("posted %s", first.raw)
	}
	secret := w.must("POST", path, object{"text": "psst", "to": []string{ben}, "reply_to": first.id()})
	texts := func(query string) (list []string) {
		for _, m := range w.must("GET", path+query, nil).list() {
			list = append(list, m.(object)["text"].(string))
		}
		return list
	}
	for query, want := range map[string]string{"": "psst hello", "?conferencecall_id=" + ben: "psst hello", "?conferencecall_id=" + anna: "hello"} {
		if got := strings.Join(texts(query), " "); got != want {
			t.Errorf("%s: %q", query, got)
		}
	}
	one := path + "/" + first.id()
	w.refused(404, "MESSAGE_NOT_FOUND", "GET", path+"/"+secret.id()+"?conferencecall_id="+anna, nil)
	w.must("GET", path+"/"+secret.id()+"?conferencecall_id="+ben, nil)
	w.refused(403, "MESSAGE_NOT_YOURS", "PUT", one, object{"text": "x", "conferencecall_id": ben})
	w.refused(403, "MESSAGE_NOT_YOURS", "DELETE", one+"?conferencecall_id="+ben, nil)

	tag := w.must("GET", one, nil).header.Get("ETag")
	edited := w.must("PUT", one, object{"text": "hello all"}, "If-Match", tag)
	if edited.body["edited"] != true || edited.body["text"] != "hello all" {
		t.Errorf("edited %s", edited.raw)
	}
	w.refused(412, "VERSION_MISMATCH", "PUT", one, object{"text": "again"}, "If-Match", tag)
	w.refused(412, "VERSION_MISMATCH", "DELETE", one, nil, "If-Match", tag)
	for range 2 {
		if gone := w.must("DELETE", one, nil); gone.body["text"] != "" || gone.body["tm_delete"] == nil {
			t.Errorf("deleted %s", gone.raw)
		}
	}
	w.refused(409, "MESSAGE_DELETED", "PUT", one, object{"text": "x"})
	if got := texts(""); !slices.Equal(got, []string{"psst"}) {
		t.Errorf("listed %q", got)
	}

	types := w.types(room)
	for _, kind := range []string{chat.Created, chat.Created, chat.Updated, chat.Deleted} {
		i := slices.Index(types, kind)
		if i < 0 {
			t.Fatalf("log has %v", types)
		}
		types = types[i+1:]
	}
	story := string(w.must("GET", "/conferences/"+room+"/timeline?limit=1000", nil).raw)
	if !strings.Contains(story, chat.Updated) || !strings.Contains(story, "hello all") {
		t.Errorf("the timeline is %s", story)
	}

	w.must("DELETE", "/conferences/"+room, nil)
	w.refused(409, "CONFERENCE_NOT_PROGRESSING", "POST", path, object{"text": "late"})
	if got := texts(""); !slices.Equal(got, []string{"psst"}) {
		t.Errorf("after the end: %q", got)
	}
	w.must("DELETE", path+"/"+secret.id(), nil)
}

func TestMessagesRefused(t *testing.T) {
	w := newWorld(t)
	room, other := w.must("POST", "/conferences", object{}).id(), w.must("POST", "/conferences", object{}).id()
	stranger := w.join(other, "", "")
	path := "/conferences/" + room + "/messages"
	for _, tt := range []struct {
		status       int
		reason       string
		method, path string
		body         any
	}{
		{400, "INVALID_ARGUMENT", "POST", path, object{}},
		{400, "INVALID_ARGUMENT", "POST", path, object{"text": ""}},
		{400, "INVALID_ARGUMENT", "POST", path, object{"text": strings.Repeat("x", 4097)}},
		{400, "INVALID_ARGUMENT", "POST", path, object{"text": "a\u0007"}},
		{400, "INVALID_ARGUMENT", "POST", path, object{"text": "a", "to": []string{"x"}}},
		{400, "INVALID_JSON_BODY", "POST", path, object{"text": 7}},
		{400, "INVALID_JSON_BODY", "POST", path, "[]"},
		{400, "INVALID_JSON_BODY", "POST", path, nil},
		{404, "CONFERENCECALL_NOT_FOUND", "POST", path, object{"text": "a", "conferencecall_id": stranger}},
		{404, "CONFERENCECALL_NOT_FOUND", "POST", path, object{"text": "a", "to": []string{stranger}}},
		{404, "CONFERENCECALL_NOT_FOUND", "GET", path + "?conferencecall_id=" + stranger, nil},
		{404, "CONFERENCECALL_NOT_FOUND", "GET", path + "?conferencecall_id=" + uuid.NewString(), nil},
		{400, "INVALID_REQUEST_PARAMETER", "GET", path + "?conferencecall_id=x", nil},
		{400, "INVALID_REQUEST_PARAMETER", "GET", path + "?page_token=x", nil},
		{400, "INVALID_ID", "GET", path + "/x", nil},
		{404, "MESSAGE_NOT_FOUND", "GET", path + "/" + uuid.NewString(), nil},
		{404, "MESSAGE_NOT_FOUND", "PUT", path + "/" + uuid.NewString(), object{"text": "a"}},
		{404, "MESSAGE_NOT_FOUND", "DELETE", path + "/" + uuid.NewString(), nil},
		{404, "CONFERENCE_NOT_FOUND", "POST", "/conferences/" + uuid.NewString() + "/messages", object{"text": "a"}},
	} {
		w.refused(tt.status, tt.reason, tt.method, tt.path, tt.body)
	}
	w.refused(404, "CONFERENCE_NOT_FOUND", "POST", path, object{"text": "a"}, "Authorization", "Bearer "+otherKey)
	w.refused(404, "CONFERENCE_NOT_FOUND", "GET", path, nil, "Authorization", "Bearer "+otherKey)
	if n := len(w.must("GET", path, nil).list()); n != 0 {
		t.Errorf("%d messages", n)
	}
}

func TestMessageIsPostedOnce(t *testing.T) {
	w := newWorld(t)
	path := "/conferences/" + w.must("POST", "/conferences", object{}).id() + "/messages"
	first := w.must("POST", path, object{"text": "a"}, "Idempotency-Key", "k")
	again := w.must("POST", path, object{"text": "a"}, "Idempotency-Key", "k")
	if again.header.Get("Idempotent-Replayed") != "true" || string(first.raw) != string(again.raw) {
		t.Errorf("%s, then %s", first.raw, again.raw)
	}
	w.refused(422, "IDEMPOTENCY_KEY_REUSED", "POST", path, object{"text": "b"}, "Idempotency-Key", "k")
	if n := len(w.must("GET", path, nil).list()); n != 1 {
		t.Errorf("%d messages", n)
	}
}

func TestMessagePages(t *testing.T) {
	w := newWorld(t)
	path := "/conferences/" + w.must("POST", "/conferences", object{}).id() + "/messages"
	for i := range 25 {
		w.must("POST", path, object{"text": fmt.Sprint(i)})
	}
	var got []string
	for token := ""; ; {
		page := w.must("GET", path+"?page_size=7&page_token="+token, nil)
		for _, m := range page.list() {
			got = append(got, m.(object)["text"].(string))
		}
		if token, _ = page.body["next_page_token"].(string); token == "" {
			break
		}
	}
	if len(got) != 25 || got[0] != "24" || got[24] != "0" {
		t.Errorf("pages of %q", got)
	}
}

// TestMessagesOverASocket: a frame posts one, and is answered; who follows the log gets it like any other entry.
func TestMessagesOverASocket(t *testing.T) {
	w := newWorld(t)
	room := w.must("POST", "/conferences", object{}).id()
	anna := w.join(room, "Anna", "")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c, res, err := websocket.Dial(ctx, w.server.URL+"/v1.0/ws?accesskey="+key, &websocket.DialOptions{HTTPClient: &http.Client{}})
	if err != nil {
		t.Fatal(err)
	}
	if res.Body != nil {
		res.Body.Close()
	}
	defer c.CloseNow()
	hear := func(kind string) (e object) {
		t.Helper()
		for e["type"] != kind {
			e = nil
			_, text, err := c.Read(ctx)
			if err != nil || json.Unmarshal(text, &e) != nil {
				t.Fatalf("%s %v", text, err)
			}
		}
		return e
	}
	say := func(v any) {
		t.Helper()
		text, _ := json.Marshal(v)
		if err := c.Write(ctx, websocket.MessageText, text); err != nil {
			t.Fatal(err)
		}
	}
	say(object{"type": "message", "conference_id": room, "conferencecall_id": anna, "text": "hello", "ref": "one"})
	ack := hear("message_ack")
	if ack["ref"] != "one" || ack["data"].(object)["text"] != "hello" || ack["data"].(object)["name"] != "Anna" {
		t.Errorf("answered with %v", ack)
	}
	say(object{"type": "subscribe", "topics": []string{"customer_id:" + w.me}, "after": 1})
	told := hear(chat.Created)
	if told["conference_id"] != room || told["data"].(object)["id"] != ack["data"].(object)["id"] {
		t.Errorf("told of %v", told)
	}
	for want, frame := range map[string]object{
		"CONFERENCE_NOT_FOUND":     {"conference_id": uuid.NewString(), "text": "a"},
		"CONFERENCECALL_NOT_FOUND": {"conference_id": room, "text": "a", "conferencecall_id": uuid.NewString()},
		"INVALID_ARGUMENT":         {"conference_id": room},
		"INVALID_JSON_BODY":        {"conference_id": room, "text": 7},
	} {
		frame["type"], frame["ref"] = "message", "two"
		say(frame)
		e := hear("error")
		if reason := e["error"].(object)["reason"]; reason != want || e["ref"] != "two" {
			t.Errorf("%v: answered with %v", frame, e)
		}
	}
	say(object{"type": "message", "conference_id": room, "text": "a", "ref": strings.Repeat("x", 257)})
	if e := hear("error"); e["ref"] != "" {
		t.Errorf("answered with %v", e)
	}
	mine := uuid.NewString()
	for range 2 { // as a client does that did not hear the answer
		say(object{"type": "message", "conference_id": room, "text": "once", "id": mine})
		if ack := hear("message_ack"); ack["data"].(object)["id"] != mine {
			t.Errorf("answered with %v", ack)
		}
	}
	if list := w.must("GET", "/conferences/"+room+"/messages", nil).list(); len(list) != 2 {
		t.Errorf("%d messages, want 2", len(list))
	}
	for want, frame := range map[string]object{
		"IDEMPOTENCY_KEY_REUSED": {"conference_id": room, "text": "another", "id": mine},
		"INVALID_ID":             {"conference_id": room, "text": "another", "id": "7"},
	} {
		frame["type"] = "message"
		say(frame)
		if e := hear("error"); e["error"].(object)["reason"] != want {
			t.Errorf("%v: answered with %v", frame, e)
		}
	}
	w.must("PUT", "/conferences/"+room+"/messages/"+mine, object{"text": "edited"})
	say(object{"type": "message", "conference_id": room, "text": "once", "id": mine})
	if ack := hear("message_ack"); ack["data"].(object)["text"] != "edited" {
		t.Errorf("answered with %v", ack)
	}
	foreign := w.must("POST", "/conferences", object{}, "Authorization", "Bearer "+otherKey).id()
	say(object{"type": "message", "conference_id": foreign, "text": "a"})
	if e := hear("error"); e["error"].(object)["reason"] != "CONFERENCE_NOT_FOUND" {
		t.Errorf("answered with %v", e)
	}
}
