package script_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/internal/line/script"
	"parley/internal/webhook/target"
)

// outside is a web server that the performer may call.
type outside struct {
	*httptest.Server
	client *http.Client
	mu     sync.Mutex
	got    []string
}

func newOutside(t *testing.T, answer http.HandlerFunc) *outside {
	o := &outside{}
	o.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		o.mu.Lock()
		o.got = append(o.got, fmt.Sprintf("%s %s %s %s", r.Method, r.URL, r.Header.Get("Content-Type"), body))
		o.mu.Unlock()
		answer(w, r)
	}))
	transport := target.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}).Transport(time.Second)
	o.client = &http.Client{Transport: transport}
	t.Cleanup(func() { transport.CloseIdleConnections(); o.Close() })
	return o
}

func (o *outside) asked() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.got...)
}

func TestFetch(t *testing.T) {
	out := newOutside(t, func(w http.ResponseWriter, r *http.Request) {
		say := func(status int, media, text string) {
			w.Header().Set("Content-Type", media)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
		}
		switch r.URL.Path {
		case "/good":
			say(200, "application/json; charset=utf-8", `[{"type":"sleep"},{"type":"variable_set","option":{"key":"k","value":"v"}}]`)
		case "/none":
			say(200, "application/json", `[]`)
		case "/status":
			say(500, "application/json", `[]`)
		case "/text":
			say(200, "text/html", `[]`)
		case "/empty":
			say(200, "application/json", ``)
		case "/object":
			say(200, "application/json", `{}`)
		case "/dance":
			say(200, "application/json", `[{"type":"dance"}]`)
		case "/endless":
			w.Header().Set("Content-Type", "application/json")
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, strings.Repeat(" ", 64<<10)); err != nil {
					return
				}
			}
		case "/slow":
			select {
			case <-r.Context().Done():
			case <-time.After(10 * time.Second):
			}
		case "/circle":
			http.Redirect(w, r, "/circle", http.StatusTemporaryRedirect)
		case "/moved":
			http.Redirect(w, r, "/good", http.StatusTemporaryRedirect)
		case "/inside":
			http.Redirect(w, r, "http://10.0.0.1/", http.StatusTemporaryRedirect)
		case "/file":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusTemporaryRedirect)
		}
	})
	w := newWorld(t, func(o *script.Options) { o.HTTP, o.Timeout = out.client, 500*time.Millisecond })
	for _, tt := range []struct{ url, path, end string }{
		{out.URL + "/good", "fetch:done sleep:done variable_set:done sleep:done", "finished"},
		{out.URL + "/moved", "fetch:done sleep:done variable_set:done sleep:done", "finished"},
		{out.URL + "/none", "fetch:done sleep:done", "finished"},
		{out.URL + "/status", "fetch:failed:FETCH_ANSWER_INVALID", "FETCH_ANSWER_INVALID"},
		{out.URL + "/text", "fetch:failed:FETCH_ANSWER_INVALID", "FETCH_ANSWER_INVALID"},
		{out.URL + "/empty", "fetch:failed:FETCH_ANSWER_INVALID", "FETCH_ANSWER_INVALID"},
		{out.URL + "/endless", "fetch:failed:FETCH_ANSWER_INVALID", "FETCH_ANSWER_INVALID"},
		{out.URL + "/object", "fetch:failed:INVALID_ARGUMENT", "INVALID_ARGUMENT"},
		{out.URL + "/dance", "fetch:failed:INVALID_ACTION_TYPE", "INVALID_ACTION_TYPE"},
		{out.URL + "/slow", "fetch:failed:FETCH_UNREACHABLE", "FETCH_UNREACHABLE"},
		{out.URL + "/circle", "fetch:failed:FETCH_UNREACHABLE", "FETCH_UNREACHABLE"},
		{out.URL + "/file", "fetch:failed:FETCH_UNREACHABLE", "FETCH_UNREACHABLE"},
		{out.URL + "/inside", "fetch:failed:FETCH_REFUSED", "FETCH_REFUSED"},
		{"http://169.254.169.254/latest/meta-data/", "fetch:failed:FETCH_REFUSED", "FETCH_REFUSED"},
		{"http://[::1]:1/", "fetch:failed:FETCH_REFUSED", "FETCH_REFUSED"},
		{"http://${nowhere}.invalid/", "fetch:failed:FETCH_UNREACHABLE", "FETCH_UNREACHABLE"},
	} {
		end, rec := w.perform(t.Context(), `[{"type":"fetch","option":{"event_url":"`+tt.url+`"}},{"type":"sleep"}]`)
		if path(rec) != tt.path || end.Reason != tt.end {
			t.Errorf("%s: %s, %s", tt.url, path(rec), end.Reason)
		}
		if tt.url == out.URL+"/good" {
			want := `POST /good application/json {"activeflow_id":"` + rec.ID + `","reference_id":"` + callID + `"}`
			if got := out.asked(); len(got) != 1 || got[0] != want {
				t.Errorf("%q, want %s", got, want)
			}
		}
	}
	_, rec := w.perform(t.Context(), `[{"type":"fetch","option":{"event_url":"`+out.URL+`/good?a=b","event_method":"get"}}]`)
	if got := out.asked(); got[len(got)-1] != "GET /good?a=b&activeflow_id="+rec.ID+"&reference_id="+callID+"  " {
		t.Errorf("%q", got[len(got)-1])
	}
}

// TestInside says that a performer without a client of its own calls public addresses only.
func TestInside(t *testing.T) {
	out := newOutside(t, func(http.ResponseWriter, *http.Request) {})
	w := newWorld(t)
	end, _ := w.perform(t.Context(), `[{"type":"webhook_send","option":{"sync":true,"uri":"`+out.URL+`"}},{"type":"fetch","option":{"event_url":"`+out.URL+`"}}]`)
	if end.Reason != "FETCH_REFUSED" || len(out.asked()) != 0 {
		t.Errorf("%s %q", end.Reason, out.asked())
	}
}

func TestWebhookSend(t *testing.T) {
	release := make(chan struct{})
	out := newOutside(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/bad":
			w.WriteHeader(404)
		case "/wait":
			<-release
		}
	})
	w := newWorld(t, func(o *script.Options) { o.HTTP, o.Pending, o.Senders = out.client, 1, 1 })
	w.run()
	_, rec := w.perform(t.Context(), `[
		{"type":"webhook_send","option":{"sync":true,"uri":"`+out.URL+`/bad","method":"put","data_type":"text/plain","data":"${voipbin.call.id}"}},
		{"type":"webhook_send","option":{"uri":"`+out.URL+`/wait","data":"{}"}}]`)
	if got := path(rec); got != "webhook_send:failed:WEBHOOK_FAILED webhook_send:done" {
		t.Error(got)
	}
	for len(out.asked()) < 2 { // until the sender is busy
		time.Sleep(time.Millisecond)
	}
	_, rec = w.perform(t.Context(), `[{"type":"webhook_send","option":{"uri":"`+out.URL+`/a"}},{"type":"webhook_send","option":{"uri":"`+out.URL+`/b"}},{"type":"sleep"}]`)
	if got := path(rec); got != "webhook_send:done webhook_send:failed:WEBHOOKS_BUSY sleep:done" {
		t.Error(got)
	}
	close(release)
	for len(out.asked()) < 3 {
		time.Sleep(time.Millisecond)
	}
	w.stop()
	want := []string{"PUT /bad text/plain " + callID, "POST /wait application/json {}", "POST /a application/json "}
	if got := out.asked(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestWebhooksAtTheEnd says what becomes of requests that still wait when the server stops: they are made, as long as that does not take too long, and
// those that are not are counted.
func TestWebhooksAtTheEnd(t *testing.T) {
	for _, tt := range []struct {
		name       string
		hang       bool // whether the web server lets the first one wait
		linger     time.Duration
		want, lost int
	}{
		{"quick", false, time.Minute, 5, 0},
		{"hanging", true, 300 * time.Millisecond, 1, 5}, // the first one was under way
	} {
		t.Run(tt.name, func(t *testing.T) {
			begun, release := make(chan struct{}), make(chan struct{})
			var first sync.Once
			out := newOutside(t, func(_ http.ResponseWriter, r *http.Request) {
				first.Do(func() { close(begun) })
				select {
				case <-release:
				case <-r.Context().Done():
				}
			})
			var log lines
			w := newWorld(t, func(o *script.Options) {
				o.HTTP, o.Senders, o.Linger, o.Log = out.client, 1, tt.linger, slog.New(slog.NewJSONHandler(&log, nil))
			})
			w.run()
			_, rec := w.perform(t.Context(), `[`+strings.TrimSuffix(strings.Repeat(`{"type":"webhook_send","option":{"uri":"`+out.URL+`"}},`, 5), ",")+`]`)
			if got := path(rec); got != strings.TrimSpace(strings.Repeat("webhook_send:done ", 5)) {
				t.Fatal(got)
			}
			<-begun
			if !tt.hang {
				close(release)
			}
			began := time.Now()
			w.stop()
			if took := time.Since(began); took > 10*time.Second { // as long as one request may take
				t.Errorf("the end took %s", took)
			}
			if got := len(out.asked()); got != tt.want {
				t.Errorf("%d requests were made, want %d", got, tt.want)
			}
			want := ""
			if tt.lost > 0 {
				want = fmt.Sprintf(`"requests":%d,"activeflows":["%s"`, tt.lost, rec.ID)
			}
			if got := log.with("webhooks of flows are lost"); !strings.Contains(got, want) || (got == "") != (want == "") {
				t.Errorf("log %q, want %s", got, want)
			}
			_, rec = w.perform(t.Context(), `[{"type":"webhook_send","option":{"uri":"`+out.URL+`"}}]`)
			if got := path(rec); got != "webhook_send:failed:WEBHOOKS_BUSY" {
				t.Errorf("after the end: %s", got)
			}
		})
	}
}

// lines is a log that tests read.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// with returns the first line with a text, "" for none.
func (l *lines) with(text string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		if strings.Contains(line, text) {
			return line
		}
	}
	return ""
}
