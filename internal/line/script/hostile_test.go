package script_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"parley/internal/flow"
	"parley/internal/flow/action"
	"parley/internal/flow/active"
	"parley/internal/flow/run"
	"parley/internal/line/script"
	"parley/internal/store"
)

// inside are ways to name what a flow must not reach, %s being the port of a receiver on loopback.
var inside = []string{
	"http://127.0.0.1:%s/", "http://127.1:%s/", "http://2130706433:%s/", "http://0x7f000001:%s/", "http://0177.0.0.1:%s/", "http://0:%s/", "http://localhost:%s/",
	"http://[::1]:%s/", "http://[::]:%s/", "http://[::ffff:127.0.0.1]:%s/", "http://[::ffff:7f00:1]:%s/", "http://[64:ff9b::7f00:1]:%s/", "http://[2002:7f00:1::]:%s/",
	"http://example.com@127.0.0.1:%s/", "http://127.0.0.1:%s#@example.com/", "http://169.254.169.254/latest/meta-data/?%s", "http://[fd00:ec2::254]/?%s",
}

// TestInsideByVariables says that an address that variables make is judged like a written one: no request of a flow gets inside, in whatever clothes.
func TestInsideByVariables(t *testing.T) {
	out := newOutside(t, func(http.ResponseWriter, *http.Request) {})
	_, port, _ := strings.Cut(strings.TrimPrefix(out.URL, "http://"), ":")
	w := newWorld(t, func(o *script.Options) { o.Timeout = 2 * time.Second })
	for _, form := range inside {
		u := fmt.Sprintf(form, port)
		plan := w.plan(`[{"type":"webhook_send","option":{"sync":true,"uri":"${u}","data":"x"}},
			{"type":"webhook_send","option":{"sync":true,"uri":"http://${host}","data":"x"}},{"type":"fetch","option":{"event_url":"${u}"}}]`)
		plan.Env.Variables = map[string]string{"u": u, "host": strings.TrimPrefix(u, "http://")}
		plan, err := w.p.Prepare(t.Context(), plan)
		if err != nil {
			t.Fatal(err)
		}
		end := w.p.Perform(t.Context(), plan, w.call.stage())
		for _, v := range w.record(plan.Env.ActiveflowID).Executed {
			if v.Outcome != "failed" || v.Reason == "" {
				t.Errorf("%s: %s %s", u, v.Action.Type, v.Outcome)
			}
		}
		if end.Reason == "finished" {
			t.Errorf("%s was fetched", u)
		}
	}
	if got := out.asked(); len(got) != 0 {
		t.Errorf("a flow got inside: %q", got)
	}
}

// TestHostileServers says how requests to servers end that send to other places, send without end or slowly, or send what is too much once it is unpacked.
func TestHostileServers(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	for range 64 { // 4 MB
		_, _ = z.Write(make([]byte, 64<<10))
	}
	_ = z.Close()
	drip := func(w http.ResponseWriter, r *http.Request, status int) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		for tick := time.NewTicker(20 * time.Millisecond); ; {
			select {
			case <-tick.C:
				_, _ = io.WriteString(w, "[")
				w.(http.Flusher).Flush()
			case <-r.Context().Done():
				return
			}
		}
	}
	out := newOutside(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/bomb":
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(bomb.Bytes())
		case "/drip":
			drip(w, r, 200)
		case "/drip500":
			drip(w, r, 500)
		case "/headers":
			for i := range 100 {
				w.Header().Set(fmt.Sprintf("X-%d", i), strings.Repeat("x", 4<<10))
			}
		case "/away":
			http.Redirect(w, r, "/there", http.StatusTemporaryRedirect)
		case "/metadata":
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data/", http.StatusFound)
		case "/deep":
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, strings.Repeat("[", 200<<10))
		case "/utf":
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, "[{\"type\":\"talk\",\"option\":{\"text\":\"\xff\xfe\"}}]")
		}
	})
	const timeout = 300 * time.Millisecond
	w := newWorld(t, func(o *script.Options) { o.HTTP, o.Timeout = out.client, timeout })
	for _, tt := range []struct{ action, path, want string }{
		{"fetch", "/bomb", "INVALID_ARGUMENT"}, // nothing is unpacked
		{"fetch", "/drip", "FETCH_UNREACHABLE"},
		{"fetch", "/headers", "FETCH_UNREACHABLE"},
		{"fetch", "/metadata", "FETCH_REFUSED"},
		{"fetch", "/deep", "INVALID_ARGUMENT"},
		{"fetch", "/utf", "INVALID_ARGUMENT"},
		{"webhook_send", "/drip", ""},
		{"webhook_send", "/drip500", "WEBHOOK_FAILED"},
		{"webhook_send", "/headers", "WEBHOOK_FAILED"},
		{"webhook_send", "/away", "WEBHOOK_FAILED"},
		{"webhook_send", "/metadata", "WEBHOOK_FAILED"},
	} {
		list := `[{"type":"fetch","option":{"event_url":"` + out.URL + tt.path + `"}}]`
		if tt.action == "webhook_send" {
			list = `[{"type":"webhook_send","option":{"sync":true,"uri":"` + out.URL + tt.path + `"}}]`
		}
		began := time.Now()
		_, rec := w.perform(t.Context(), list)
		if got := rec.Executed[0]; got.Reason != tt.want {
			t.Errorf("%s of %s: %s %s, want %s", tt.action, tt.path, got.Outcome, got.Reason, tt.want)
		}
		if took := time.Since(began); took > timeout+20*time.Second {
			t.Errorf("%s of %s took %s", tt.action, tt.path, took)
		}
	}
	for _, asked := range out.asked() {
		if strings.Contains(asked, "/there") {
			t.Error("a webhook_send has followed a redirect")
		}
	}
}

// TestTextsFromVariables says that variables cannot make an option what could not have been written: other schemes, accounts, headers, types.
func TestTextsFromVariables(t *testing.T) {
	out := newOutside(t, func(http.ResponseWriter, *http.Request) {})
	w := newWorld(t, func(o *script.Options) { o.HTTP = out.client })
	for _, tt := range []struct{ action, value, want string }{
		{`{"type":"fetch","option":{"event_url":"${v}"}}`, "file:///etc/passwd", "ACTION_OPTION_INVALID"},
		{`{"type":"fetch","option":{"event_url":"${v}"}}`, "http://user:pw@example.com/", "ACTION_OPTION_INVALID"},
		{`{"type":"fetch","option":{"event_url":"${v}"}}`, "gopher://127.0.0.1/", "ACTION_OPTION_INVALID"},
		{`{"type":"fetch","option":{"event_url":"${v}"}}`, "", "ACTION_OPTION_INVALID"},
		{`{"type":"play","option":{"stream_urls":["${v}"]}}`, "file:///etc/passwd", "ACTION_OPTION_INVALID"},
		{`{"type":"play","option":{"stream_urls":["${v}"]}}`, "/etc/passwd", "ACTION_OPTION_INVALID"},
		{`{"type":"play","option":{"stream_urls":["${v}"]}}`, "data:audio/wav;base64,UklGRg==", "ACTION_OPTION_INVALID"},
		{`{"type":"webhook_send","option":{"sync":true,"uri":"${v}"}}`, "ftp://example.com/", "ACTION_OPTION_INVALID"},
		{`{"type":"webhook_send","option":{"sync":true,"uri":"` + out.URL + `/${v}"}}`, "a b\r\nX-Evil: 1", "ACTION_OPTION_INVALID"},
		{`{"type":"webhook_send","option":{"sync":true,"uri":"` + out.URL + `","data_type":"${v}"}}`, "text/plain\r\nX-Evil: 1", "ACTION_OPTION_INVALID"},
		{`{"type":"webhook_send","option":{"sync":true,"method":"${v}","uri":"` + out.URL + `"}}`, "BREW", "ACTION_OPTION_INVALID"},
		{`{"type":"conference_join","option":{"conference_id":"${v}"}}`, "../../etc", "ACTION_OPTION_INVALID"},
		{`{"type":"fetch_flow","option":{"flow_id":"${v}"}}`, "1 OR 1=1", "ACTION_OPTION_INVALID"},
		{`{"type":"digits_send","option":{"digits":"${v}"}}`, "12x", "ACTION_OPTION_INVALID"},
		{`{"type":"recording_start","option":{"format":"${v}"}}`, "../wav", "ACTION_OPTION_INVALID"},
		{`{"type":"talk","option":{"text":"${v}"}}`, strings.Repeat("x", 5001), "ACTION_OPTION_INVALID"},
		{`{"type":"talk","option":{"text":"${v}"}}`, `","provider":"evil`, ""}, // a text is a text
	} {
		plan := w.plan(`[` + tt.action + `]`)
		plan.Env.Variables = map[string]string{"v": tt.value}
		plan, err := w.p.Prepare(t.Context(), plan)
		if err != nil {
			t.Fatal(err)
		}
		w.p.Perform(t.Context(), plan, w.call.stage())
		if got := w.record(plan.Env.ActiveflowID).Executed[0]; got.Reason != tt.want {
			t.Errorf("%s with %q: %s %s, want %s", tt.action, tt.value, got.Outcome, got.Reason, tt.want)
		}
	}
	for _, asked := range out.asked() {
		if strings.Contains(asked, "Evil") || strings.HasPrefix(asked, "BREW") {
			t.Errorf("asked %q", asked)
		}
	}
}

// TestForeign says that what belongs to others is as unknown to a flow as what does not exist.
func TestForeign(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		mine := w.flow(`[{"type":"beep"}]`)
		rec, err := w.st.Get(t.Context(), store.Flow, mine)
		if err != nil {
			t.Fatal(err)
		}
		var f flow.Flow
		if err := json.Unmarshal(rec.Doc, &f); err != nil {
			t.Fatal(err)
		}
		f.ID, f.CustomerID = uuid.NewString(), others
		doc, _ := json.Marshal(f)
		data, _ := f.Data()
		if err := w.st.Append(t.Context(), &store.Change{
			Key:     "flow/" + f.ID,
			Records: []store.Record{{Kind: store.Flow, ID: f.ID, CustomerID: others, Created: f.Created, Doc: doc}},
			Events:  []store.Event{{ID: uuid.NewString(), Type: "flow_created", At: f.Created, CustomerID: others, Resource: f.ID, Data: data}},
		}); err != nil {
			t.Fatal(err)
		}
		for id, want := range map[string]string{mine: "fetch_flow:done beep:done", f.ID: "fetch_flow:failed:FLOW_NOT_FOUND", uuid.NewString(): "fetch_flow:failed:FLOW_NOT_FOUND"} {
			if _, rec := w.perform(t.Context(), `[{"type":"fetch_flow","option":{"flow_id":"`+id+`"}}]`); path(rec) != want {
				t.Errorf("%s: %s, want %s", id, path(rec), want)
			}
		}
		w.call.room(roomID, f.ID, f.ID) // a pre-flow of somebody else's: nobody gets in
		if _, rec := w.perform(t.Context(), `[`+join+`]`); path(rec) != "conference_join:failed:FLOW_NOT_FOUND" {
			t.Errorf("a foreign pre-flow: %s", path(rec))
		}
	})
}

// TestCircles says that flows which go in circles end by rule, at once, and that their records stay small whatever their options hold.
func TestCircles(t *testing.T) {
	big := strings.Repeat("x", 200<<10)
	for _, tt := range []struct{ name, list, end string }{
		{"goto itself", `[{"id":"a","type":"goto","option":{"target_id":"a","loop_count":1000000000}}]`, "FLOW_TOO_MANY_ACTIONS"},
		{"two gotos, spent", `[{"id":"a","type":"goto","option":{"target_id":"b"},"next_id":"b"},{"id":"b","type":"goto","option":{"target_id":"a"},"next_id":"a"}]`, "FLOW_LOOP"},
		{"next_id in a circle", `[{"id":"a","type":"empty","next_id":"b"},{"id":"b","type":"empty","next_id":"a"}]`, "FLOW_TOO_MANY_ACTIONS"},
		{"a branch to itself", `[{"id":"a","type":"branch","option":{"default_target_id":"a"}}]`, "FLOW_TOO_MANY_ACTIONS"},
		{"a condition to itself", `[{"id":"a","type":"condition_call_digits","option":{"length":4,"false_target_id":"a"}}]`, "FLOW_TOO_MANY_ACTIONS"},
		{"big options in a circle", `[{"id":"a","type":"sleep","option":{"duration":0,"note":"` + big + `"},"next_id":"a"}]`, "FLOW_TOO_MANY_ACTIONS"},
		{"big options from variables", `[{"id":"v","type":"variable_set","option":{"key":"k","value":"` + big[:30<<10] + `"}},
			{"id":"a","type":"external_media_start","option":{"external_host":"h:1","data":"${k}${k}"},"next_id":"a"}]`, "FLOW_TOO_MANY_ACTIONS"},
		{"a variable that doubles", `[{"type":"variable_set","option":{"key":"k","value":"xxxxxxxxxxxxxxxx"}},{"id":"a","type":"variable_set","option":{"key":"k","value":"${k}${k}"},"next_id":"a"}]`, "FLOW_TOO_MANY_ACTIONS"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				began := time.Now()
				end, rec := w.perform(t.Context(), tt.list)
				if end.Reason != tt.end || rec.EndReason != tt.end || rec.Status != active.Ended {
					t.Errorf("%s, record %s %s", end.Reason, rec.Status, rec.EndReason)
				}
				if took := time.Since(began); took != 0 {
					t.Errorf("it waited for %s", took)
				}
				events, _, err := w.st.Events(t.Context(), store.LogQuery{Resource: rec.ID, Limit: 1000})
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range events {
					if len(e.Data) > 350<<10 {
						t.Fatalf("event %d has %d bytes", e.Seq, len(e.Data))
					}
				}
			})
		})
	}
}

// TestCallsAreCounted says that the count of calls that place each other goes on in what follows a run: another flow, or that of a recording.
func TestCallsAreCounted(t *testing.T) {
	const dial = `[{"type":"call","option":{"destinations":[{"target":"sip:a"}],"actions":[{"type":"beep"}]}}]`
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		w := newWorld(t, func(o *script.Options) {
			o.Call = func(_ context.Context, p script.Plan, _ *action.Calling) error {
				asked.Add(1)
				return nil
			}
		})
		w.run()
		defer w.stop()
		synctest.Wait() // it follows what comes from now on
		next := w.flow(dial)
		for _, count := range []int{run.CallsMax - 1, run.CallsMax} {
			plan := w.plan(`[]`)
			plan.Env.FlowID, plan.Env.CallCount = w.flow(`[]`, next), count
			plan, err := w.p.Prepare(t.Context(), plan)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second) // it is listed below what follows
			w.p.Perform(t.Context(), plan, w.call.stage())
			rec := uuid.NewString()
			data, _ := json.Marshal(map[string]string{"id": rec, "activeflow_id": plan.Env.ActiveflowID, "on_end_flow_id": next})
			if err := w.st.Append(t.Context(), &store.Change{Key: "recording/" + rec, Events: []store.Event{{
				ID: uuid.NewString(), Type: "recording_finished", At: time.Now(), CustomerID: me, Resource: rec, Data: data,
			}}}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			want, reason := 2, "" // both runs that follow have dialled
			if count == run.CallsMax {
				reason = "CALLS_TOO_DEEP"
			}
			if got := int(asked.Load()); got != want {
				t.Errorf("%d calls before: %d were placed, want %d", count, got, want)
			}
			page, err := w.st.List(t.Context(), store.Query{Kind: store.Activeflow, Limit: 2})
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range page {
				if a := w.record(row.ID); len(a.Executed) != 1 || a.Executed[0].Reason != reason {
					t.Errorf("%d calls before: %s", count, path(a))
				}
			}
		}
	})
}

// TestIntoItself says that what leads into itself ends when sixteen lists are on top of each other: a flow that fetches itself, a program that answers
// with its own address, and a pre-flow that joins its own conference.
func TestIntoItself(t *testing.T) {
	out := newOutside(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `[{"type":"fetch","option":{"event_url":"http://%s/"}}]`, r.Host)
	})
	w := newWorld(t, func(o *script.Options) { o.HTTP = out.client })
	itself := w.flow(`[{"type":"fetch_flow","option":{"flow_id":"${self}"}},{"type":"beep"}]`)
	w.call.room(roomID, w.flow(`[`+join+`]`), "")
	for _, tt := range []struct{ name, list string }{
		{"flow", `[{"type":"fetch_flow","option":{"flow_id":"` + itself + `"}}]`},
		{"program", `[{"type":"fetch","option":{"event_url":"` + out.URL + `"}}]`},
		{"pre-flow", `[` + join + `]`},
	} {
		plan := w.plan(tt.list)
		plan.Env.Variables = map[string]string{"self": itself}
		plan, err := w.p.Prepare(t.Context(), plan)
		if err != nil {
			t.Fatal(err)
		}
		end := w.p.Perform(t.Context(), plan, w.call.stage())
		if a := w.record(plan.Env.ActiveflowID); end.Reason != "FLOW_TOO_DEEP" || a.EndReason != end.Reason || len(a.Executed) > 16 {
			t.Errorf("%s: %s after %d actions", tt.name, end.Reason, len(a.Executed))
		}
	}
	if n := len(out.asked()); n == 0 || n > 16 {
		t.Errorf("the program was asked %d times", n)
	}
}
