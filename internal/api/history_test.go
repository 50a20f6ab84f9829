package api_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/uuid"

	"parley/internal/conference"
)

func TestTimeline(t *testing.T) {
	w := newWorld(t)
	id := w.must("POST", "/conferences", object{"name": "first"}).id()
	w.join(id, "ada", conference.Moderator)
	w.must("PUT", "/conferences/"+id, object{"name": "second"})
	other := w.must("POST", "/conferences", object{}).id()
	all := w.must("GET", "/conferences/"+id+"/events?limit=1000", nil).list()
	var told []any
	for after := "0"; ; {
		a := w.must("GET", "/conferences/"+id+"/timeline?limit=2&after="+after, nil)
		if len(a.list()) == 0 {
			break
		}
		told = append(told, a.list()...)
		after = fmt.Sprint(int64(a.body["next_after"].(float64)))
	}
	have, _ := json.Marshal(told)
	want, _ := json.Marshal(all)
	if string(have) != string(want) {
		t.Errorf("timeline\n%s\nlog\n%s", have, want)
	}
	w.refused(404, "CONFERENCE_NOT_FOUND", "GET", "/conferences/"+id+"/timeline", nil, "Authorization", "Bearer "+otherKey)

	path := "/timelines/conferences/" + id + "/events"
	a := w.must("GET", path+"?page_size=2", nil)
	if first := a.list()[0].(object); first["event_type"] != "conference_updated" || first["data"].(object)["name"] != "second" || a.body["next_page_token"] == nil {
		t.Errorf("%s", a.raw)
	}
	count := len(a.list())
	for token, more := a.body["next_page_token"].(string), true; more; {
		a = w.must("GET", path+"?page_size=2&page_token="+token, nil)
		count += len(a.list())
		token, more = a.body["next_page_token"].(string)
	}
	if whole := w.must("GET", path, nil); len(whole.list()) != count || whole.body["next_page_token"] != nil {
		t.Errorf("%d by pages, %d at once", count, len(whole.list()))
	}
	w.refused(400, "INVALID_RESOURCE_TYPE", "GET", "/timelines/people/"+id+"/events", nil)
	w.refused(404, "CALL_NOT_FOUND", "GET", "/timelines/calls/"+other+"/events", nil)
	w.refused(404, "CONFERENCE_NOT_FOUND", "GET", path, nil, "Authorization", "Bearer "+otherKey)
	w.refused(400, "INVALID_ARGUMENT", "GET", "/aggregated-events", nil)
	w.refused(404, "CALL_NOT_FOUND", "GET", "/aggregated-events?call_id="+uuid.NewString(), nil)
	w.must("GET", "/aggregated-events?call_id="+w.call(w.me), nil)
}

// TestAt says that the state rebuilt for a place in the log is the one that was observed there.
func TestAt(t *testing.T) {
	w := newWorld(t)
	made := w.must("POST", "/conferences", object{"name": "n0"})
	path := "/conferences/" + made.id()
	seen := []answer{made}
	for n := 1; n < 6; n++ {
		seen = append(seen, w.must("PUT", path, object{"name": fmt.Sprint("n", n)}))
	}
	w.must("POST", "/conferences", object{})
	for _, was := range seen {
		a := w.must("GET", path+fmt.Sprintf("?at=%d", int64(was.body["last_seq"].(float64))), nil)
		if have, want := canonical(a.body), canonical(was.body); have != want {
			t.Errorf("at %v\n%s\nwas\n%s", was.body["last_seq"], have, want)
		}
	}
	if a := w.must("GET", path+"?at="+seen[2].body["tm_update"].(string), nil); a.body["name"] != "n2" {
		t.Errorf("%s", a.raw)
	}
	w.refused(404, "CONFERENCE_NOT_FOUND", "GET", path+"?at=2001-01-01T00:00:00Z", nil)
	w.refused(404, "CONFERENCE_NOT_FOUND", "GET", path+"?at=1", nil)
	w.refused(400, "INVALID_REQUEST_PARAMETER", "GET", path+"?at=yesterday", nil)
}

func canonical(v any) string {
	text, _ := json.Marshal(v)
	return string(text)
}
