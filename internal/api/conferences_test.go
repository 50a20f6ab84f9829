package api_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"parley/internal/conference"
	"parley/internal/wire"
)

func TestConferenceLife(t *testing.T) {
	w := newWorld(t)
	made := w.must("POST", "/conferences", object{"type": "conference", "name": "standup", "timeout": 3600, "data": object{"a": 1}, "dial_in": "4711"})
	for field, want := range map[string]any{
		"status": "progressing", "type": "conference", "name": "standup", "timeout": 3600.0, "recording_id": wire.NilUUID, "customer_id": w.me,
		"dial_in": "4711", "admission": "open", "tm_update": nil, "tm_end": nil,
	} {
		if got := made.body[field]; got != want {
			t.Errorf("%s is %v, want %v", field, got, want)
		}
	}
	path := "/conferences/" + made.id()
	read := w.must("GET", path, nil)
	if read.header.Get("ETag") != made.header.Get("ETag") || read.header.Get("ETag") == "" {
		t.Errorf("etag of GET %s, of POST %s", read.header.Get("ETag"), made.header.Get("ETag"))
	}
	if _, ok := read.body["last_seq"].(float64); !ok {
		t.Errorf("no last_seq in %s", read.raw)
	}
	if got := w.must("GET", "//v1"+path, nil); got.id() != made.id() {
		t.Errorf("/v1 answers %s", got.raw)
	}

	changed := w.must("PUT", path, object{"name": "weekly", "data": nil})
	if changed.body["name"] != "weekly" || changed.body["timeout"] != 3600.0 || changed.body["data"].(object)["a"] != 1.0 {
		t.Errorf("absent fields lost: %s", changed.raw)
	}
	if got := w.must("PUT", path, object{"timeout": 0, "detail": "", "max_participants": 5, "end_on_moderator_leave": true}); got.body["timeout"] != 0.0 ||
		got.body["name"] != "weekly" || got.body["max_participants"] != 5.0 {
		t.Errorf("explicit zero not set: %s", got.raw)
	}
	if a := w.must("POST", path+"/lock", nil); a.body["admission"] != "locked" {
		t.Errorf("lock: %s", a.raw)
	}
	if a := w.must("POST", path+"/unlock", nil); a.body["admission"] != "open" {
		t.Errorf("unlock: %s", a.raw)
	}
	old := made.body["direct_hash"].(string)
	if a := w.must("POST", path+"/direct-hash-regenerate", nil); a.body["direct_hash"] == old || !strings.HasPrefix(a.body["direct_hash"].(string), "direct.") {
		t.Errorf("hash %v after %s", a.body["direct_hash"], old)
	}

	gone := w.must("DELETE", path, nil)
	if gone.body["status"] != "terminated" || gone.body["tm_delete"] == nil || gone.body["tm_end"] == nil || gone.body["end_reason"] != "deleted" {
		t.Errorf("deleted: %s", gone.raw)
	}
	again := w.must("DELETE", path, nil)
	if again.body["tm_delete"] != gone.body["tm_delete"] {
		t.Errorf("deleted twice: %s", again.raw)
	}
	if a := w.must("GET", path, nil); a.body["status"] != "terminated" {
		t.Errorf("a deleted conference reads as %s", a.raw)
	}
	w.refused(409, "CONFERENCE_NOT_PROGRESSING", "PUT", path, object{"name": "late"})
	if n := len(w.must("GET", "/conferences", nil).list()); n != 0 {
		t.Errorf("%d conferences listed after the deletion", n)
	}
	want := []string{
		"conference_created", "conference_updated", "conference_updated", "conference_updated", "conference_updated", "conference_updated",
		"conference_updated", "conference_updated", "conference_deleted",
	}
	if got := w.types(made.id()); !slices.Equal(got, want) {
		t.Errorf("log %v, want %v", got, want)
	}
}

func TestTerminateKeepsTheConference(t *testing.T) {
	w := newWorld(t)
	id := w.must("POST", "/conferences", object{}).id()
	a := w.must("POST", "/conferences/"+id+"/terminate", nil)
	if a.body["status"] != "terminated" || a.body["tm_delete"] != nil || a.body["end_reason"] != "terminated" {
		t.Errorf("terminated: %s", a.raw)
	}
	if n := len(w.must("GET", "/conferences", nil).list()); n != 1 {
		t.Errorf("%d conferences listed", n)
	}
}

func TestClientsChooseIDs(t *testing.T) {
	w := newWorld(t)
	id := strings.ToUpper(uuid.NewString())
	if a := w.must("POST", "/conferences", object{"id": id, "type": ""}); a.id() != strings.ToLower(id) || a.body["type"] != "conference" {
		t.Errorf("made %s", a.raw)
	}
	w.refused(409, "ALREADY_EXISTS", "POST", "/conferences", object{"id": id})
	w.refused(409, "ALREADY_EXISTS", "POST", "/conferences", object{"id": id}, "Authorization", "Bearer "+otherKey)
	w.refused(400, "INVALID_ID", "POST", "/conferences", object{"id": "mine"})
	if a := w.must("POST", "/conferences", object{"id": ""}); a.id() == wire.NilUUID {
		t.Errorf("made %s", a.raw)
	}
}

func TestConferenceRefusals(t *testing.T) {
	w := newWorld(t)
	id := w.must("POST", "/conferences", object{}).id()
	for _, c := range []struct {
		body   any
		reason string
	}{
		{"", "INVALID_JSON_BODY"},
		{"null", "INVALID_JSON_BODY"},
		{"[]", "INVALID_JSON_BODY"},
		{"{", "INVALID_JSON_BODY"},
		{"{}{}", "INVALID_JSON_BODY"},
		{"{\"name\":\"\xff\"}", "INVALID_JSON_BODY"},
		{object{"timeout": "60"}, "INVALID_JSON_BODY"},
		{object{"timeout": 60.5}, "INVALID_JSON_BODY"},
		{object{"name": 5}, "INVALID_JSON_BODY"},
		{object{"timeout": 59}, "INVALID_ARGUMENT"},
		{object{"timeout": -1}, "INVALID_ARGUMENT"},
		{object{"timeout": 1 << 40}, "INVALID_ARGUMENT"},
		{object{"data": []int{1}}, "INVALID_ARGUMENT"},
		{object{"data": object{"x": strings.Repeat("x", 70_000)}}, "INVALID_ARGUMENT"},
		{object{"name": strings.Repeat("ä", 256)}, "INVALID_ARGUMENT"},
		{object{"pre_flow_id": "flow"}, "INVALID_ARGUMENT"},
		{object{"dial_in": "a b"}, "INVALID_ARGUMENT"},
		{object{"max_participants": -1}, "INVALID_ARGUMENT"},
		{object{"admission": "sesame"}, "INVALID_ARGUMENT"},
		{object{"pin": "12a4"}, "INVALID_ARGUMENT"},
		{object{"recording_notice": "whisper"}, "INVALID_ARGUMENT"},
	} {
		w.refused(400, c.reason, "PUT", "/conferences/"+id, c.body)
		w.refused(400, c.reason, "POST", "/conferences", c.body)
	}
	w.refused(400, "INVALID_ARGUMENT", "POST", "/conferences", object{"type": "queue"})
	w.refused(400, "INVALID_ID", "GET", "/conferences/123", nil)
	w.refused(404, "CONFERENCE_NOT_FOUND", "GET", "/conferences/"+uuid.NewString(), nil)
	w.must("POST", "/conferences", object{"name": nil, "data": nil, "timeout": nil, "pre_flow_id": "", "surprise": 1, "pin": ""})
	w.must("POST", "/conferences", object{"dial_in": "4711"})
	w.refused(409, "ALREADY_EXISTS", "POST", "/conferences", object{"dial_in": "4711"})
}

func TestConferenceListsByType(t *testing.T) {
	w := newWorld(t)
	w.must("POST", "/conferences", object{"type": "conference"})
	w.must("POST", "/conferences", object{"type": "connect"})
	for query, want := range map[string]int{"": 1, "?type=connect": 1, "?type=all": 2, "?type=conference,connect": 2, "?type=": 1} {
		if n := len(w.must("GET", "/conferences"+query, nil).list()); n != want {
			t.Errorf("%q lists %d, want %d", query, n, want)
		}
	}
	w.refused(400, "INVALID_REQUEST_PARAMETER", "GET", "/conferences?type=queue", nil)
}

func TestPaging(t *testing.T) {
	w := newWorld(t)
	var made []string
	for range 23 {
		made = append(made, w.must("POST", "/conferences", object{}).id())
	}
	var seen []string
	query := "?page_size=5"
	for range 10 {
		page := w.must("GET", "/conferences"+query, nil)
		for _, c := range page.list() {
			seen = append(seen, c.(object)["id"].(string))
		}
		w.must("POST", "/conferences", object{"name": "meanwhile"})
		token := page.body["next_page_token"].(string)
		if token == "" {
			break
		}
		query = "?page_size=5&page_token=" + token
	}
	slices.Reverse(made)
	slices.Sort(made)
	slices.Sort(seen)
	if !slices.Equal(made, seen) {
		t.Errorf("paged %d, made %d", len(seen), len(made))
	}
	for query, want := range map[string]int{
		"?page_size=0": 28, "?page_size=-3": 28, "?page_size=1000": 28, "?page_token=2000-01-01T00:00:00.000000Z": 0,
		"?page_token=2999-01-01T00:00:00Z": 28, "?page_token=2999-01-01%2000:00:00.5": 28,
	} {
		a := w.must("GET", "/conferences"+query, nil)
		if n := len(a.list()); n != want || a.body["next_page_token"] != "" {
			t.Errorf("%s: %d items, token %v", query, n, a.body["next_page_token"])
		}
	}
	for _, query := range []string{"page_size=ten", "page_token=x", "page_token=2000-01-01T00:00:00.000000Z_x", "page_token=_", "page_token=2000-01-01"} {
		w.refused(400, "INVALID_REQUEST_PARAMETER", "GET", "/conferences?"+query, nil)
	}
}

func TestIfMatch(t *testing.T) {
	w := newWorld(t)
	made := w.must("POST", "/conferences", object{"name": "a"})
	path := "/conferences/" + made.id()
	// Speech moves the log on, not the conference as the client knows it.
	cc := w.join(made.id(), "ada", "")
	tag := w.must("GET", path, nil).header.Get("ETag")
	w.tell(made.id(), conference.Speech{At: time.Now(), ID: conference.ParticipantID(cc), Speaking: true})
	w.rooms.before = func() {
		w.tell(made.id(), conference.Speech{At: time.Now(), ID: conference.ParticipantID(cc)})
	}
	changed := w.must("PUT", path, object{"name": "b"}, "If-Match", tag)
	stale := w.refused(412, "VERSION_MISMATCH", "PUT", path, object{"name": "c"}, "If-Match", tag)
	if stale.header.Get("ETag") != changed.header.Get("ETag") {
		t.Errorf("412 carries %q, want %q", stale.header.Get("ETag"), changed.header.Get("ETag"))
	}
	w.refused(412, "VERSION_MISMATCH", "DELETE", path, nil, "If-Match", `W/`+changed.header.Get("ETag"))
	w.must("PUT", path, object{"name": "d"}, "If-Match", "*")
	w.must("PUT", path, object{"name": "e"}, "If-Match", `"x", `+w.must("GET", path, nil).header.Get("ETag"))
	w.rooms.before = func() {
		w.tell(made.id(), conference.Update{At: time.Now(), Patch: conference.Patch{Name: ptr("between")}})
	}
	w.refused(412, "VERSION_MISMATCH", "PUT", path, object{"name": "f"}, "If-Match", w.must("GET", path, nil).header.Get("ETag"))
}

func ptr[T any](v T) *T { return &v }

func TestParticipants(t *testing.T) {
	w := newWorld(t)
	id := w.must("POST", "/conferences", object{}).id()
	other := w.must("POST", "/conferences", object{}).id()
	ada, bob := w.join(id, "ada", conference.Moderator), w.join(id, "bob", "")
	w.join(other, "eve", "")
	for query, want := range map[string]int{
		"/conferencecalls": 3, "/conferencecalls?conference_id=" + id: 2, "/conferencecalls?status=leaved": 0, "/conferences/" + id + "/conferencecalls": 2,
		"/conferencecalls?status=joining,joined": 3, "/conferences/" + id + "/conferencecalls?status=joined&page_size=1": 1,
	} {
		if n := len(w.must("GET", query, nil).list()); n != want {
			t.Errorf("%s lists %d, want %d", query, n, want)
		}
	}
	w.refused(400, "INVALID_REQUEST_PARAMETER", "GET", "/conferencecalls?status=away", nil)
	w.refused(400, "INVALID_REQUEST_PARAMETER", "GET", "/conferencecalls?conference_id=x", nil)
	path := "/conferencecalls/" + bob
	bobs := w.must("GET", path, nil)
	if n := len(w.must("GET", "/conferencecalls?reference_id="+bobs.body["reference_id"].(string), nil).list()); n != 1 {
		t.Errorf("%d by reference", n)
	}

	for _, c := range []struct{ method, what, field string }{
		{"POST", "mute", "muted"}, {"DELETE", "mute", "muted"}, {"POST", "deaf", "deaf"}, {"DELETE", "deaf", "deaf"}, {"POST", "hold", "held"}, {"DELETE", "hold", "held"},
	} {
		if a := w.must(c.method, path+"/"+c.what, nil); a.body[c.field] != (c.method == "POST") {
			t.Errorf("%s %s: %s", c.method, c.what, a.raw)
		}
	}
	a := w.must("PUT", path, object{"name": "Bob", "role": "listener", "volume": -6}, "If-Match", w.must("GET", path, nil).header.Get("ETag"))
	if a.body["name"] != "Bob" || a.body["role"] != "listener" || a.body["muted"] != true || a.body["volume"] != -6.0 {
		t.Errorf("put: %s", a.raw)
	}
	w.refused(412, "VERSION_MISMATCH", "PUT", path, object{"name": "x"}, "If-Match", bobs.header.Get("ETag"))
	w.refused(409, "LISTENER_IS_MUTED", "DELETE", path+"/mute", nil)
	w.refused(400, "INVALID_ARGUMENT", "PUT", path, object{"role": "king"})

	w.tell(id, conference.Speech{At: time.Now(), ID: conference.ParticipantID(ada), Speaking: true})
	if talkers := w.must("GET", "/conferences/"+id+"/talkers", nil).list(); len(talkers) != 1 || talkers[0].(object)["id"] != ada {
		t.Errorf("talkers %v", talkers)
	}

	kicked := w.must("DELETE", path, nil)
	if kicked.body["status"] != "leaving" || kicked.body["leave_reason"] != "kicked" {
		t.Errorf("kicked: %s", kicked.raw)
	}
	if a := w.must("DELETE", path, nil); a.body["tm_update"] != kicked.body["tm_update"] {
		t.Errorf("kicked twice: %s", a.raw)
	}
	w.tell(id, conference.Left{At: time.Now(), ID: conference.ParticipantID(bob)})
	if a := w.must("DELETE", path, nil); a.body["status"] != "leaved" {
		t.Errorf("kicked after it left: %s", a.raw)
	}
	w.refused(409, "CONFERENCECALL_LEAVED", "PUT", path, object{"name": "ghost"})
	if n := len(w.must("GET", "/conferences/"+id+"/conferencecalls?status=leaved", nil).list()); n != 1 {
		t.Errorf("%d leaved", n)
	}
}

func TestMuteAll(t *testing.T) {
	w := newWorld(t)
	id := w.must("POST", "/conferences", object{}).id()
	boss, ada := w.join(id, "boss", conference.Moderator), w.join(id, "ada", "")
	w.must("POST", "/conferences/"+id+"/mute", nil)
	late := w.join(id, "late", "")
	for who, want := range map[string]bool{boss: false, ada: true, late: true} {
		if a := w.must("GET", "/conferencecalls/"+who, nil); a.body["muted"] != want {
			t.Errorf("%v muted %v", a.body["name"], a.body["muted"])
		}
	}
	w.must("POST", "/conferences/"+id+"/unmute", nil)
	for _, who := range []string{ada, late, w.join(id, "later", "")} {
		if a := w.must("GET", "/conferencecalls/"+who, nil); a.body["muted"] != false {
			t.Errorf("%v muted %v", a.body["name"], a.body["muted"])
		}
	}
}

func TestEvents(t *testing.T) {
	w := newWorld(t)
	id := w.must("POST", "/conferences", object{}).id()
	w.must("POST", "/conferences", object{}, "Authorization", "Bearer "+otherKey)
	w.join(id, "ada", "")
	all := w.must("GET", "/conferences/"+id+"/events", nil)
	if n := len(all.list()); n != 5 {
		t.Errorf("%d events: %s", n, all.raw)
	}
	for query, want := range map[string]int{
		"?type=conference_*": 3, "?type=conference_created,conferencecall_joined": 2, "?limit=2": 2, "?after=1000000": 0, "?type=call_*": 0,
	} {
		a := w.must("GET", "/conferences/"+id+"/events"+query, nil)
		if n := len(a.list()); n != want {
			t.Errorf("%s: %d events", query, n)
		}
	}
	for _, e := range w.must("GET", "/events?limit=1000", nil).list() {
		if e.(object)["customer_id"] != w.me {
			t.Errorf("foreign event %v", e)
		}
	}
	for _, query := range []string{"?after=-1", "?limit=0", "?limit=1001", "?type=*x"} {
		w.refused(400, "INVALID_ARGUMENT", "GET", "/events"+query, nil)
	}
	for _, query := range []string{"?after=x", "?limit=x", "?conference_id=x"} {
		w.refused(400, "INVALID_REQUEST_PARAMETER", "GET", "/events"+query, nil)
	}
}

func TestIdempotency(t *testing.T) {
	w := newWorld(t)
	body := object{"name": "once"}
	first := w.must("POST", "/conferences", body, "Idempotency-Key", "k1")
	second := w.must("POST", "//v1/conferences", body, "Idempotency-Key", "k1")
	if string(first.raw) != string(second.raw) || second.header.Get("Idempotent-Replayed") != "true" || first.header.Get("Idempotent-Replayed") != "" {
		t.Errorf("first %s\nsecond %s %v", first.raw, second.raw, second.header)
	}
	w.refused(422, "IDEMPOTENCY_KEY_REUSED", "POST", "/conferences", object{"name": "twice"}, "Idempotency-Key", "k1")
	if a := w.must("POST", "/conferences", body, "Idempotency-Key", "k1", "Authorization", "Bearer "+otherKey); a.id() == first.id() {
		t.Error("keys of two customers met")
	}
	w.refused(400, "INVALID_ARGUMENT", "POST", "/conferences", body, "Idempotency-Key", strings.Repeat("k", 256))
	// A refusal has changed nothing: its key is free.
	w.refused(400, "INVALID_ARGUMENT", "POST", "/conferences", object{"timeout": 3}, "Idempotency-Key", "k2")
	w.must("POST", "/conferences", object{"timeout": 300}, "Idempotency-Key", "k2")
	// Another process knows the answer too.
	w.open()
	if a := w.must("POST", "/conferences", body, "Idempotency-Key", "k1"); a.id() != first.id() {
		t.Errorf("after a restart %s", a.raw)
	}
	hash := w.must("POST", "/conferences/"+first.id()+"/direct-hash-regenerate", nil, "Idempotency-Key", "k3").body["direct_hash"]
	if a := w.must("POST", "/conferences/"+first.id()+"/direct-hash-regenerate", nil, "Idempotency-Key", "k3"); a.body["direct_hash"] != hash {
		t.Errorf("two hashes: %v, %v", hash, a.body["direct_hash"])
	}
}

// TestIdempotencyAfterCrash plays a process that dies between the commit and the keeping of the answer.
func TestIdempotencyAfterCrash(t *testing.T) {
	w := newWorld(t)
	w.rooms.after = func() error { return fmt.Errorf("the process dies here") }
	w.refused(500, "INTERNAL", "POST", "/conferences", object{"name": "once"}, "Idempotency-Key", "k")
	w.rooms.after = nil
	a := w.must("POST", "/conferences", object{"name": "once"}, "Idempotency-Key", "k")
	if n := len(w.must("GET", "/conferences", nil).list()); n != 1 {
		t.Errorf("%d conferences", n)
	}
	if a.body["name"] != "once" || a.header.Get("ETag") == "" {
		t.Errorf("answered %s", a.raw)
	}
}

func TestIdempotencyUnderWay(t *testing.T) {
	w := newWorld(t)
	held, release := make(chan struct{}), make(chan struct{})
	w.rooms.after = func() error { close(held); <-release; return nil }
	var wg sync.WaitGroup
	wg.Go(func() { w.send("POST", "/conferences", object{}, "Idempotency-Key", "k") })
	<-held
	w.refused(409, "IDEMPOTENCY_KEY_IN_USE", "POST", "/conferences", object{}, "Idempotency-Key", "k")
	close(release)
	wg.Wait()
	w.rooms.after = nil
	if a := w.must("POST", "/conferences", object{}, "Idempotency-Key", "k"); a.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("not replayed: %v", a.header)
	}
}

func TestCalls(t *testing.T) {
	w := newWorld(t)
	id := w.call(w.me)
	w.call(w.others)
	if list := w.must("GET", "/calls", nil).list(); len(list) != 1 || list[0].(object)["id"] != id {
		t.Errorf("calls %v", list)
	}
	if n := len(w.must("GET", "/calls?status=hangup", nil).list()); n != 0 {
		t.Errorf("%d ended calls", n)
	}
	if a := w.must("GET", "/calls/"+id, nil); a.body["status"] != "ringing" {
		t.Errorf("call %s", a.raw)
	}
	if a := w.must("POST", "/calls/"+id+"/hangup", nil); a.body["status"] != "hangup" || a.body["hangup_by"] != "local" {
		t.Errorf("hung up %s", a.raw)
	}
	w.refused(409, "CALL_ALREADY_HANGUP", "POST", "/calls/"+id+"/hangup", nil)
	if a := w.must("DELETE", "/calls/"+id, nil); a.body["tm_delete"] == nil {
		t.Errorf("deleted %s", a.raw)
	}
	live := w.call(w.me)
	deleted := w.must("DELETE", "/calls/"+live, nil)
	if deleted.body["status"] != "hangup" || deleted.body["tm_delete"] == nil {
		t.Errorf("deleted while live: %s", deleted.raw)
	}
	if a := w.must("DELETE", "/calls/"+live, nil); a.body["tm_delete"] != deleted.body["tm_delete"] {
		t.Errorf("deleted twice: %s", a.raw)
	}
	if n := len(w.must("GET", "/calls", nil).list()); n != 0 {
		t.Errorf("%d calls after deletion", n)
	}
	if a := w.must("GET", "/calls/"+live, nil); a.status != http.StatusOK {
		t.Errorf("a deleted call: %s", a.raw)
	}
}
