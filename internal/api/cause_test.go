package api_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"parley/internal/conference"
)

// TestWhoAsked mutes and kicks by requests with ids of their own and looks for those wherever the log is read.
func TestWhoAsked(t *testing.T) {
	w := newWorld(t)
	id := w.must("POST", "/conferences", object{}, "X-Request-Id", "made-it").id()
	one := w.join(id, "cyd", conference.Member)
	w.must("POST", "/conferencecalls/"+one+"/mute", nil, "X-Request-Id", "muted-it")
	w.must("DELETE", "/conferencecalls/"+one, nil, "X-Request-Id", "kicked-it")

	byRequest := map[string]int{}
	var cause object
	for _, e := range w.must("GET", "/events?limit=1000&conference_id="+id, nil).list() {
		if c, ok := e.(object)["cause"].(object); ok {
			byRequest[fmt.Sprint(c["request_id"])]++
			cause = c
		}
	}
	if byRequest["made-it"] < 1 || byRequest["muted-it"] != 1 || byRequest["kicked-it"] < 1 {
		t.Errorf("entries by request: %v", byRequest)
	}
	if cause["kind"] != "api" || cause["address"] != "127.0.0.0/24" || len(fmt.Sprint(cause["accesskey_id"])) != 36 {
		t.Errorf("the cause is %v", cause)
	}
	timeline := w.must("GET", "/timelines/conferences/"+id+"/events", nil)
	if !bytes.Contains(timeline.raw, []byte("made-it")) {
		t.Errorf("the timeline hides who asked: %s", timeline.raw)
	}
	a := w.must("GET", "/conferencecalls/"+one+"/explain", nil)
	if summary := fmt.Sprint(a.body["summary"]); !strings.Contains(summary, "by request kicked-it with access key "+fmt.Sprint(cause["accesskey_id"])) {
		t.Errorf("summary: %s", summary)
	}
	for _, x := range a.body["why"].([]any) {
		c := x.(object)
		if by := fmt.Sprint(c["by"]); c["about"] == "muted" && !strings.HasPrefix(by, "request muted-it ") {
			t.Errorf("muted by %s", by)
		}
	}
	if bytes.Contains(a.raw, []byte(key)) {
		t.Errorf("the access key itself is shown: %s", a.raw)
	}
}
