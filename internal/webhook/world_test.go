package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"parley/internal/store"
	"parley/internal/store/memory"
	"parley/internal/webhook/endpoint"
)

const me = "11111111-0000-4000-8000-000000000001"

// world is a log with dispatchers and receivers, in virtual time.
type world struct {
	t        *testing.T
	st       store.Store
	o        Options
	d        *Dispatcher
	stop     func()
	mu       sync.Mutex
	got      []call
	answer   func(c call) (status int, header http.Header) // of receivers; nil is 200
	versions map[string]int64
	secrets  map[string]string // by host
}

// call is one request that a receiver got.
type call struct {
	host, path string
	entry      store.Entry
	raw        []byte
	header     http.Header
	at         time.Time
	status     int
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, st: memory.New(), versions: map[string]int64{}, secrets: map[string]string{}}
	w.o = Options{Store: w.st, Log: slog.New(slog.DiscardHandler), Transport: w}
	w.start()
	t.Cleanup(func() { w.stop() })
	return w
}

// start runs a dispatcher, as a new process would.
func (w *world) start() {
	ctx, cancel := context.WithCancel(context.Background())
	w.d = New(w.o)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := w.d.Run(ctx); err != nil {
			w.t.Error(err)
		}
	}()
	w.stop = sync.OnceFunc(func() { cancel(); <-done })
	synctest.Wait()
}

// RoundTrip is the receivers' side.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	c := call{host: r.URL.Host, path: r.URL.Path, header: r.Header, at: time.Now(), status: http.StatusOK}
	var err error
	if c.raw, err = io.ReadAll(r.Body); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(c.raw, &c.entry); err != nil {
		w.t.Errorf("body %q: %v", c.raw, err)
	}
	w.mu.Lock()
	answer, secret := w.answer, w.secrets[c.host]
	w.mu.Unlock()
	if secret != "" {
		lib, err := standardwebhooks.NewWebhook(secret)
		if err == nil {
			err = lib.Verify(c.raw, r.Header)
		}
		if err != nil {
			w.t.Errorf("signature: %v", err)
		}
	}
	header := http.Header{}
	if answer != nil {
		if c.status, header = answer(c); c.status == 0 { // no answer at all
			<-r.Context().Done()
			return nil, r.Context().Err()
		}
	}
	w.mu.Lock()
	w.got = append(w.got, c)
	w.mu.Unlock()
	return &http.Response{StatusCode: c.status, Header: header, Body: io.NopCloser(strings.NewReader("said the receiver")), Request: r}, nil
}

func (w *world) behave(answer func(c call) (int, http.Header)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer = answer
}

// calls returns what a host got so far.
func (w *world) calls(host string) (list []call) {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.got {
		if c.host == host {
			list = append(list, c)
		}
	}
	return list
}

// taken returns the numbers of the events that a host accepted, without repetitions.
func (w *world) taken(host, conference string) (list []int64) {
	seen := map[string]bool{}
	for _, c := range w.calls(host) {
		if c.status/100 == 2 && !seen[c.entry.ID] && (conference == "" || c.entry.ConferenceID == conference) && strings.HasPrefix(c.entry.Type, "conference") {
			seen[c.entry.ID] = true
			list = append(list, c.entry.Seq)
		}
	}
	return list
}

// add makes an endpoint.
func (w *world) add(host string, p endpoint.Patch) endpoint.Endpoint {
	w.t.Helper()
	uri := "http://" + host + "/hook"
	p.URI = &uri
	if p.Events == nil {
		p.Events = &[]string{"conference*", "webhook_disabled"}
	}
	e, err := w.d.Book().Add(w.t.Context(), me, uuid.NewString(), p, func(endpoint.Endpoint) (*store.Answer, error) { return nil, nil })
	if err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	w.secrets[host] = e.Secret
	w.mu.Unlock()
	synctest.Wait()
	return e
}

func conf(n int) string { return fmt.Sprintf("c0000000-0000-4000-8000-%012d", n) }

// log appends an event of a conference and returns its number.
func (w *world) log(conference, kind string) int64 {
	w.t.Helper()
	w.mu.Lock()
	version := w.versions[conference]
	w.versions[conference]++
	w.mu.Unlock()
	c := &store.Change{Key: "conference/" + conference, Version: version, Events: []store.Event{{
		ID: uuid.NewString(), Type: kind, At: time.Now(), CustomerID: me, Conference: conference, Resource: conference,
		Data: json.RawMessage(`{"id":"` + conference + `","name":"<ä>"}`),
	}}}
	if err := w.st.Append(w.t.Context(), c); err != nil {
		w.t.Fatal(err)
	}
	return c.Events[0].Seq
}

func (w *world) delivery(e endpoint.Endpoint, seq int64) Delivery {
	w.t.Helper()
	synctest.Wait()
	rows, _, err := w.st.Events(w.t.Context(), store.LogQuery{After: seq - 1, Limit: 1})
	if err != nil || len(rows) != 1 {
		w.t.Fatal(rows, err)
	}
	rec, err := w.st.Get(w.t.Context(), store.Delivery, deliveryID(e.ID, rows[0].ID))
	if err != nil {
		w.t.Fatal(err)
	}
	d, err := ReadDelivery(rec)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

// customer writes a customer as the account routes do.
func (w *world) customer(uri, method string) {
	w.t.Helper()
	doc, _ := json.Marshal(map[string]any{"id": me, "webhook_uri": uri, "webhook_method": method, "webhook_secret": "whsec_00112233445566778899aabbccddeeff0011223344556677"})
	_, version, err := w.st.Last(w.t.Context(), "customer/"+me)
	if err != nil {
		w.t.Fatal(err)
	}
	err = w.st.Append(w.t.Context(), &store.Change{
		Key: "customer/" + me, Version: version,
		Records: []store.Record{{Kind: store.Customer, ID: me, CustomerID: me, Created: time.Now(), Doc: doc}},
		Events:  []store.Event{{ID: uuid.NewString(), Type: "customer_updated", At: time.Now(), CustomerID: me, Resource: me, Data: doc}},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	synctest.Wait()
}

// mortal is a store that can be cut off from one process, as kill -9 does.
type mortal struct {
	store.Store
	dead atomic.Bool
}

func (m *mortal) Note(ctx context.Context, reader string, seq int64, records []store.Record) error {
	if m.dead.Load() {
		return fmt.Errorf("killed")
	}
	return m.Store.Note(ctx, reader, seq, records)
}

func (m *mortal) SetCursor(ctx context.Context, reader string, seq int64) error {
	if m.dead.Load() {
		return fmt.Errorf("killed")
	}
	return m.Store.SetCursor(ctx, reader, seq)
}
