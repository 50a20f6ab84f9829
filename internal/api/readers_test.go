package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"parley/internal/api/feed"
	"parley/internal/api/hooks"
	"parley/internal/api/rest"
	"parley/internal/webhook"
)

// nearby reaches this machine and asks nobody about names.
type nearby struct{ *http.Transport }

func (n nearby) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Hostname() != "127.0.0.1" {
		return nil, errors.New("there is no such host")
	}
	return n.Transport.RoundTrip(r)
}

// readers are the readers of the world's log, at work.
func readers(w *world) []rest.Route {
	d := webhook.New(webhook.Options{
		Store: w.st, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Schedule: []time.Duration{0, time.Millisecond}, Transport: nearby{&http.Transport{}},
	})
	more, say := guests(w)
	f := feed.New(feed.Options{Store: w.st, PerKey: 2, Say: say})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	for _, run := range []func(context.Context) error{d.Run, f.Run} {
		go func() {
			defer func() { done <- struct{}{} }()
			if err := run(ctx); err != nil {
				w.t.Error(err)
			}
		}()
	}
	w.t.Cleanup(func() {
		cancel()
		<-done
		<-done
	})
	return slices.Concat(hooks.New(w.st, d).Routes(), f.Routes(), more)
}

func TestWebhooks(t *testing.T) {
	w := newWorld(t)
	got := make(chan http.Header, 100)
	receiver := listen(t, func(rw http.ResponseWriter, r *http.Request) { got <- r.Header })
	for _, uri := range []string{"http://10.0.0.1/", "http://169.254.169.254/", "ftp://example.com", "", "http://[::1]/"} {
		w.refused(400, "INVALID_WEBHOOK_URI", "POST", "/webhooks", object{"uri": uri})
	}
	w.refused(400, "INVALID_ARGUMENT", "POST", "/webhooks", object{"uri": receiver, "order": "random"})
	w.refused(400, "INVALID_ARGUMENT", "POST", "/webhooks", object{"uri": receiver, "events": []string{"a*b"}})
	made := w.must("POST", "/webhooks", object{"uri": receiver, "events": []string{"conference_*"}}, "Idempotency-Key", "k1")
	again := w.must("POST", "/webhooks", object{"uri": receiver, "events": []string{"conference_*"}}, "Idempotency-Key", "k1")
	secret, _ := made.body["secret"].(string)
	if !strings.HasPrefix(secret, "whsec_") || again.id() != made.id() || again.body["secret"] != secret {
		t.Fatalf("%s\n%s", made.raw, again.raw)
	}
	path := "/webhooks/" + made.id()
	if a := w.must("GET", path, nil); a.body["secret"] != nil || a.header.Get("ETag") != made.header.Get("ETag") || strings.Contains(string(w.must("GET", "/events", nil).raw), "whsec_") {
		t.Errorf("the secret is shown twice: %s", a.raw)
	}
	w.must("POST", "/conferences", object{})
	first := <-got
	if first.Get("Webhook-Signature") == "" || first.Get("X-VoIPBIN-Signature") == "" {
		t.Errorf("%v", first)
	}
	<-got // progressing
	delivered := w.eventually(func() answer { return w.must("GET", path+"/deliveries?status=delivered", nil) }, func(a answer) bool { return len(a.list()) == 2 })
	d := delivered.list()[1].(object)
	if d["event_id"] != first.Get("Webhook-Id") { // both happened at once
		d = delivered.list()[0].(object)
	}
	if d["event_id"] != first.Get("Webhook-Id") || d["request"].(object)["body"].(object)["id"] != d["event_id"] {
		t.Errorf("%s", delivered.raw)
	}
	w.must("POST", path+"/redeliver", object{"event_id": d["event_id"]})
	if h := <-got; h.Get("Webhook-Id") != first.Get("Webhook-Id") {
		t.Error("another id")
	}
	w.must("POST", path+"/redeliver", object{"after": 0})
	<-got
	w.refused(400, "INVALID_ARGUMENT", "POST", path+"/redeliver", object{})
	w.refused(404, "DELIVERY_NOT_FOUND", "POST", path+"/redeliver", object{"event_id": made.id()})
	if a := w.must("POST", path+"/test", object{}); a.body["answer"].(object)["status"] != 200.0 {
		t.Errorf("%s", a.raw)
	}
	if a := w.must("POST", path+"/rotate", object{}); a.body["secret"] == secret || a.body["secret"] == nil {
		t.Errorf("%s", a.raw)
	}
	w.must("PUT", path, object{"status": "disabled"})
	w.eventually(func() answer { return w.send("POST", path+"/redeliver", object{"after": 0}) }, func(a answer) bool { return a.reason() == "WEBHOOK_DISABLED" })
	w.must("DELETE", path, nil)
	w.must("DELETE", path, nil)
	w.refused(409, "STATE_INVALID", "PUT", path, object{"name": "a"})
	w.must("PUT", "/customer", object{"webhook_uri": receiver, "webhook_method": "PUT"})
	list := w.eventually(func() answer { return w.must("GET", "/webhooks", nil) }, func(a answer) bool { return len(a.list()) == 1 })
	own := list.list()[0].(object)
	if own["type"] != "customer" || own["method"] != "PUT" || own["uri"] != receiver {
		t.Errorf("%s", list.raw)
	}
	w.refused(409, "STATE_INVALID", "DELETE", "/webhooks/"+own["id"].(string), nil)
}

// listen runs a receiver and returns its URL.
func listen(t *testing.T, do http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(do)
	t.Cleanup(s.Close)
	return s.URL + "/"
}

// eventually asks until the answer is good, for ten seconds at most.
func (w *world) eventually(ask func() answer, good func(answer) bool) answer {
	w.t.Helper()
	for end := time.Now().Add(10 * time.Second); ; {
		a := ask()
		if good(a) {
			return a
		}
		if time.Now().After(end) {
			w.t.Fatalf("not in ten seconds: %s", a.raw)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func TestEventStream(t *testing.T) {
	w := newWorld(t)
	w.must("POST", "/conferences", object{})
	w.refused(400, "INVALID_ARGUMENT", "GET", "/events/stream?after=1000000", nil)
	w.refused(400, "INVALID_ARGUMENT", "GET", "/events/stream?type=a*b", nil)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, "GET", w.server.URL+"/v1.0/events/stream?after=0&type=conference_*&accesskey="+key, nil)
	res, err := w.server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	next := func() (id int64, kind string) {
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "id":
				id, _ = strconv.ParseInt(value, 10, 64)
			case "event":
				kind = value
			case "data":
				var e object
				if json.Unmarshal([]byte(value), &e) != nil || e["type"] != kind || e["seq"] != float64(id) {
					t.Errorf("%s", value)
				}
				return id, kind
			}
		}
		t.Fatal("the stream ended")
		return 0, ""
	}
	if _, kind := next(); kind != "conference_created" {
		t.Error(kind)
	}
	last, _ := next()
	w.must("POST", "/conferences", object{})
	if id, kind := next(); kind != "conference_created" || id <= last {
		t.Error(id, kind)
	}
}

func TestSocket(t *testing.T) {
	w := newWorld(t)
	w.refused(400, "UPGRADE_REQUIRED", "GET", "/ws", nil)
	id := w.must("POST", "/conferences", object{}).id()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	dial := func(header http.Header) (*websocket.Conn, error) {
		c, res, err := websocket.Dial(ctx, w.server.URL+"/v1.0/ws?accesskey="+key, &websocket.DialOptions{HTTPClient: w.server.Client(), HTTPHeader: header})
		if res != nil && res.Body != nil {
			res.Body.Close()
		}
		return c, err
	}
	say := func(c *websocket.Conn, v any) {
		t.Helper()
		text, _ := json.Marshal(v)
		if err := c.Write(ctx, websocket.MessageText, text); err != nil {
			t.Fatal(err)
		}
	}
	hear := func(c *websocket.Conn) (e object) {
		t.Helper()
		_, text, err := c.Read(ctx)
		if err != nil || json.Unmarshal(text, &e) != nil {
			t.Fatalf("%s %v", text, err)
		}
		return e
	}
	c, err := dial(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if err := c.Write(ctx, websocket.MessageText, []byte("not json")); err != nil {
		t.Fatal(err)
	}
	say(c, object{"type": "subscribe", "topics": []string{"customer_id:" + w.me + ":conference:" + id, "customer_id:" + w.me + ":conference"}, "after": 0})
	for _, want := range []string{"conference_created", "conference_updated"} { // once each, although both topics match
		if e := hear(c); e["type"] != want || e["data"].(object)["id"] != id {
			t.Errorf("%v", e)
		}
	}
	w.must("DELETE", "/conferences/"+id, nil)
	if e := hear(c); e["type"] != "conference_updated" {
		t.Errorf("%v", e)
	}
	for _, bad := range []struct {
		send any
		code websocket.StatusCode
	}{
		{object{"type": "subscribe", "topics": []string{"customer_id:" + w.others}}, websocket.StatusPolicyViolation},
		{object{"type": "subscribe", "topics": []string{"x"}}, websocket.StatusPolicyViolation},
		{object{"type": "subscribe", "after": 100000}, websocket.StatusPolicyViolation},
		{strings.Repeat("x", 70000), websocket.StatusMessageTooBig},
		{nil, websocket.StatusUnsupportedData},
	} {
		b := mustDial(t, dial)
		if bad.send == nil {
			_ = b.Write(ctx, websocket.MessageBinary, []byte{1})
		} else {
			say(b, bad.send)
		}
		if _, _, err := b.Read(ctx); websocket.CloseStatus(err) != bad.code {
			t.Errorf("%.60v: %v", bad.send, err)
		}
		_ = b.CloseNow()
	}
	second := mustDial(t, dial)
	defer second.CloseNow()
	if _, err := dial(nil); err == nil || !strings.Contains(err.Error(), "429") {
		t.Errorf("a third stream of a key with two: %v", err)
	}
	if _, err := dial(http.Header{"Origin": {"https://evil.example"}, "Cookie": {"accesskey=" + key}}); err == nil {
		t.Error("a page of another site with a cookie was let in")
	}
}

// mustDial dials until the server has noticed that others are gone.
func mustDial(t *testing.T, dial func(http.Header) (*websocket.Conn, error)) *websocket.Conn {
	t.Helper()
	var err error
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		var c *websocket.Conn
		if c, err = dial(nil); err == nil {
			return c
		}
		<-time.After(5 * time.Millisecond)
	}
	t.Fatal(err)
	return nil
}
