package feed

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/uuid"
	"go.uber.org/goleak"

	"parley/internal/api/rest"
	"parley/internal/store"
	"parley/internal/store/memory"
)

const (
	me   = "11111111-0000-4000-8000-000000000001"
	mine = "aaaaaaaa-0000-4000-8000-000000000001" // an access key
	room = "cccccccc-0000-4000-8000-000000000001"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stage is a log with a feed that serves it.
type stage struct {
	t       testing.TB
	st      store.Store
	feed    *Feed
	server  *httptest.Server
	stop    func()
	version int64
	pad     string
}

func newStage(t testing.TB, o Options) *stage {
	t.Helper()
	s := &stage{t: t, st: memory.New()}
	o.Store, o.Log = s.st, slog.New(slog.DiscardHandler)
	s.feed = New(o)
	s.key(mine, "accesskey_created", time.Time{})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.feed.Run(ctx) }()
	<-s.feed.ready
	s.stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		done <- nil
	}
	s.server = httptest.NewServer(s)
	t.Cleanup(func() {
		s.stop()
		s.server.Close()
	})
	return s
}

// ServeHTTP does what the guard of routes does: it knows whose key it is.
func (s *stage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for _, route := range s.feed.Routes() {
		if route.Path != r.URL.Path {
			continue
		}
		out, err := route.Do(&rest.Request{Request: r, Caller: rest.Caller{CustomerID: me, KeyID: mine}})
		if err != nil {
			http.Error(w, err.Error(), http.StatusTeapot)
			return
		}
		if err := out.Stream(w); err != nil {
			panic(http.ErrAbortHandler)
		}
	}
}

// key writes the access key with an event.
func (s *stage) key(id, event string, expire time.Time) {
	s.t.Helper()
	doc := `{"tm_expire":null}`
	if !expire.IsZero() {
		doc = `{"tm_expire":"` + expire.UTC().Format("2006-01-02T15:04:05.000000Z") + `"}`
	}
	_, version, err := s.st.Last(context.Background(), "accesskey/"+id)
	if err == nil {
		err = s.st.Append(context.Background(), &store.Change{
			Key: "accesskey/" + id, Version: version,
			Records: []store.Record{{Kind: store.Accesskey, ID: id, CustomerID: me, Created: time.Now(), Deleted: event == "accesskey_deleted", Doc: []byte(doc)}},
			Events:  []store.Event{{ID: uuid.NewString(), Type: event, At: time.Now(), CustomerID: me, Resource: id, Data: []byte("{}")}},
		})
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// log appends n events of the room and returns the number of the last.
func (s *stage) log(n int) (seq int64) {
	s.t.Helper()
	for range n {
		c := &store.Change{Key: "conference/" + room, Version: s.version, Events: []store.Event{{
			ID: uuid.NewString(), Type: "conference_updated", At: time.Now(), CustomerID: me, Conference: room, Resource: room,
			Data: json.RawMessage(`{"id":"` + room + `","name":"` + s.pad + `"}`),
		}}}
		if err := s.st.Append(context.Background(), c); err != nil {
			s.t.Fatal(err)
		}
		s.version++
		seq = c.Events[0].Seq
	}
	return seq
}

// open begins a WebSocket that has subscribed to everything after a place, and does not read by itself.
func (s *stage) open(after int64) *websocket.Conn {
	s.t.Helper()
	c, res, err := websocket.Dial(context.Background(), s.server.URL+"/ws", nil)
	if res != nil && res.Body != nil {
		res.Body.Close()
	}
	if err == nil {
		err = c.Write(context.Background(), websocket.MessageText, fmt.Appendf(nil, `{"type":"subscribe","topics":["customer_id:%s"],"after":%d}`, me, after))
	}
	if err != nil {
		s.t.Fatal(err)
	}
	c.SetReadLimit(1 << 20)
	s.t.Cleanup(func() { _ = c.CloseNow() })
	return c
}

// hear reads until the socket ends or a number has come; it returns the numbers and what ended it.
func hear(t testing.TB, c *websocket.Conn, last int64) (seqs []int64, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for len(seqs) == 0 || seqs[len(seqs)-1] < last {
		var e store.Entry
		_, text, err := c.Read(ctx)
		if err != nil {
			return seqs, err
		}
		if err := json.Unmarshal(text, &e); err != nil {
			t.Fatal(err)
		}
		seqs = append(seqs, e.Seq)
	}
	return seqs, nil
}

// stream begins Server-Sent Events after a place, on a connection of its own; what is said is to be read by scan.
func (s *stage) stream(after int64) (net.Conn, *bufio.Scanner) {
	s.t.Helper()
	c, err := net.Dial("tcp", s.server.Listener.Addr().String())
	if err == nil {
		_, err = fmt.Fprintf(c, "GET /events/stream?after=%d HTTP/1.1\r\nHost: a\r\n\r\n", after)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	lines := bufio.NewScanner(c)
	lines.Buffer(nil, 1<<20)
	return c, lines
}

// scan reads until the stream ends or a number has come; it returns the numbers and the reason of the end.
func scan(lines *bufio.Scanner, last int64) (seqs []int64, reason string) {
	closed := false
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch {
		case name == "event":
			closed = value == "closed"
		case name == "data" && closed:
			reason = value
		case name == "data":
			var e store.Entry
			if json.Unmarshal([]byte(value), &e) == nil {
				seqs = append(seqs, e.Seq)
			}
			if e.Seq == last {
				return seqs, ""
			}
		}
	}
	return seqs, reason
}

// whole fails unless the numbers are all from the first to the last.
func whole(t *testing.T, what string, seqs []int64, from, to int64) {
	t.Helper()
	want := make([]int64, 0, max(0, to-from))
	for n := from + 1; n <= to; n++ {
		want = append(want, n)
	}
	if !slices.Equal(seqs, want) {
		t.Errorf("%s got %d entries %v, want all of %d..%d", what, len(seqs), seqs[:min(len(seqs), 5)], from+1, to)
	}
}

// TestSlowReaders says that who takes nothing is disconnected with a reason that it can read later, and resumes by number; and that nobody waits
// for it.
func TestSlowReaders(t *testing.T) {
	s := newStage(t, Options{Patience: 3 * time.Second, Beat: 2 * time.Second})
	s.pad = strings.Repeat("x", 16000)
	slow, fast := s.open(0), s.open(0)
	_, lines := s.stream(0)
	eager := make(chan error, 1)
	var got []int64
	const count = 1200 // 19 MB: more than sockets hold
	last := int64(count + 1)
	go func() {
		var err error
		got, err = hear(t, fast, last)
		eager <- err
	}()
	began := time.Now()
	if seq := s.log(count); seq != last {
		t.Fatal(seq)
	}
	if err := <-eager; err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("the fast reader took %v", took)
	}
	whole(t, "the fast one", got, 0, last)
	for end := time.Now().Add(20 * time.Second); s.feed.Open() > 1; {
		if time.Now().After(end) {
			t.Fatalf("%d streams are open", s.feed.Open())
		}
		<-time.After(20 * time.Millisecond)
	}
	had, err := hear(t, slow, last)
	if e := websocket.CloseStatus(err); e != websocket.StatusPolicyViolation || !strings.Contains(err.Error(), "too slow") || len(had) == 0 {
		t.Fatalf("after %d entries: %v", len(had), err)
	}
	whole(t, "the slow socket", had, 0, had[len(had)-1])
	rest, err := hear(t, s.open(had[len(had)-1]), last)
	if err != nil {
		t.Fatal(err)
	}
	whole(t, "resumed, it", rest, had[len(had)-1], last)

	had, reason := scan(lines, last)
	if !strings.Contains(reason, "too slow") || len(had) == 0 {
		t.Fatalf("the stream ended after %d entries with %q", len(had), reason)
	}
	whole(t, "the slow stream", had, 0, had[len(had)-1])
	_, lines = s.stream(had[len(had)-1])
	rest, _ = scan(lines, last)
	whole(t, "resumed, it", rest, had[len(had)-1], last)
}

// TestTardyReaders says that who takes little, but something, stays connected.
func TestTardyReaders(t *testing.T) {
	s := newStage(t, Options{Patience: 500 * time.Millisecond, Beat: 50 * time.Millisecond})
	s.pad = strings.Repeat("x", 8000)
	c, _ := s.stream(0)
	_ = c.(*net.TCPConn).SetReadBuffer(32 << 10)
	last := s.log(200)
	var all bytes.Buffer
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for b := make([]byte, 32<<10); !bytes.Contains(all.Bytes(), fmt.Appendf(nil, "id: %d\n", last)); <-tick.C {
		n, err := c.Read(b)
		if all.Write(b[:n]); err != nil {
			t.Fatalf("after %d bytes: %v", all.Len(), err)
		}
	}
}

// TestKeys says that streams end with their access key, and with the server.
func TestKeys(t *testing.T) {
	for _, end := range []struct {
		name, reason string
		code         websocket.StatusCode
		do           func(s *stage)
	}{
		{"deleted", "the access key was deleted", websocket.StatusPolicyViolation, func(s *stage) { s.key(mine, "accesskey_deleted", time.Time{}) }},
		{"expired", "the access key has expired", websocket.StatusPolicyViolation, func(*stage) {}},
		{"stopped", "the server is stopping", websocket.StatusGoingAway, func(s *stage) { s.stop() }},
	} {
		t.Run(end.name, func(t *testing.T) {
			s := newStage(t, Options{})
			if end.name == "expired" {
				s.key(mine, "accesskey_updated", time.Now().Add(400*time.Millisecond))
			}
			c := s.open(0)
			_, lines := s.stream(0)
			first := s.log(1)
			if _, err := hear(t, c, first); err != nil {
				t.Fatal(err)
			}
			if _, reason := scan(lines, first); reason != "" {
				t.Fatal(reason)
			}
			go end.do(s)
			began := time.Now()
			if _, err := hear(t, c, 1<<60); websocket.CloseStatus(err) != end.code || !strings.Contains(err.Error(), end.reason) {
				t.Errorf("%v", err)
			}
			if _, reason := scan(lines, 1<<60); !strings.Contains(reason, end.reason) {
				t.Errorf("%q", reason)
			}
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("it took %v", took)
			}
			if end.name == "deleted" {
				res, err := http.Get(s.server.URL + "/events/stream")
				if err != nil {
					t.Fatal(err)
				}
				if text, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusTeapot || !strings.Contains(string(text), "deleted") {
					t.Errorf("%d %s", res.StatusCode, text)
				}
				res.Body.Close()
			}
		})
	}
}

// TestHead says that a request for the head of a stream does not open one.
func TestHead(t *testing.T) {
	s := newStage(t, Options{})
	res, err := http.Head(s.server.URL + "/events/stream")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" || s.feed.Open() != 0 {
		t.Errorf("%v, %d streams", res.Header, s.feed.Open())
	}
}

// TestSilent says that a WebSocket whose client answers no ping, or never ends a frame that it has begun, is closed.
func TestSilent(t *testing.T) {
	s := newStage(t, Options{Patience: 300 * time.Millisecond, Beat: 50 * time.Millisecond})
	for name, says := range map[string]string{"mute": "", "loris": "\x81\xff\x00\x00"} {
		c, err := net.Dial("tcp", s.server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(c, "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"+says)
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
		text, err := io.ReadAll(c)
		if err != nil || !bytes.Contains(text, []byte("no sign of life")) {
			t.Errorf("%s: %q, %v", name, text, err)
		}
		c.Close()
	}
	alive := s.open(0) // the library answers pings
	first := s.log(1)
	if _, err := hear(t, alive, first); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { _, err := hear(t, alive, first+1); done <- err }()
	<-time.After(time.Second)
	s.log(1)
	if err := <-done; err != nil {
		t.Errorf("one that answers pings: %v", err)
	}
}
