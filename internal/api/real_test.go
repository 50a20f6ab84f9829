package api_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/internal/api"
	"parley/internal/api/apitest"
	"parley/internal/room"
	"parley/internal/store/sqlite"
)

var _ api.Rooms = (*room.Host)(nil)

// realWorld is a door with SQLite and live rooms behind it; only the media is missing.
func realWorld(t testing.TB, dir string) *world {
	t.Helper()
	st, err := sqlite.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	host := room.New(room.Options{Store: st, Log: slog.New(slog.DiscardHandler)})
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = host.Run(ctx) })
	t.Cleanup(func() {
		stop()
		wg.Wait()
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := api.Bootstrap(t.Context(), st, key); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, st: st, log: &lockedBuffer{}, lines: &lines{st: st}}
	w.open(func(o *api.Options) { o.Rooms, o.Log = host, slog.New(slog.DiscardHandler) })
	return w
}

func TestRealRooms(t *testing.T) {
	dir := t.TempDir()
	var id, first string
	t.Run("before", func(t *testing.T) {
		w := realWorld(t, dir)
		made := w.must("POST", "/conferences", object{"name": "a", "dial_in": "4711"}, "Idempotency-Key", "k")
		id, first = made.id(), string(made.raw)
		path := "/conferences/" + id
		changed := w.must("PUT", path, object{"name": "b"}, "If-Match", made.header.Get("ETag"))
		w.refused(412, "VERSION_MISMATCH", "PUT", path, object{"name": "c"}, "If-Match", made.header.Get("ETag"))
		if got := w.must("GET", path, nil).header.Get("ETag"); got != changed.header.Get("ETag") {
			t.Errorf("etag of GET %s, of PUT %s", got, changed.header.Get("ETag"))
		}
		w.refused(409, "ALREADY_EXISTS", "POST", "/conferences", object{"id": id})
		w.refused(409, "ALREADY_EXISTS", "POST", "/conferences", object{"dial_in": "4711"})
		w.must("POST", path+"/lock", nil)
		w.must("POST", path+"/mute", nil)
		for i := range 7 {
			w.must("POST", "/conferences", object{"type": "connect", "timeout": 60 + i})
		}
	})
	t.Run("after a restart", func(t *testing.T) {
		w := realWorld(t, dir)
		if a := w.must("POST", "/conferences", object{"name": "a", "dial_in": "4711"}, "Idempotency-Key", "k"); string(a.raw) != first {
			t.Errorf("replayed %s, first %s", a.raw, first)
		}
		page := w.must("GET", "/conferences?type=all&page_size=5", nil)
		rest := w.must("GET", "/conferences?type=all&page_size=5&page_token="+page.body["next_page_token"].(string), nil)
		if len(page.list()) != 5 || len(rest.list()) != 3 || rest.body["next_page_token"] != "" {
			t.Errorf("pages of %d and %d", len(page.list()), len(rest.list()))
		}
		if a := w.must("DELETE", "/conferences/"+id, nil); a.body["status"] != "terminated" {
			t.Errorf("deleted %s", a.raw)
		}
		types := w.types(id)
		if last := types[len(types)-1]; last != "conference_deleted" || slices.Index(types, "conference_deleted") != len(types)-1 {
			t.Errorf("log %v", types)
		}
		w.must("POST", "/conferences", object{"dial_in": "4711"})
	})
}

// BenchmarkCreate makes conferences at 200 per second over SQLite, as clients would that do not wait for each other, and reports
// the slowest of a hundred.
func BenchmarkCreate(b *testing.B) {
	w := realWorld(b, b.TempDir())
	var mu sync.Mutex
	var took []time.Duration
	var wg sync.WaitGroup
	pace := time.NewTicker(5 * time.Millisecond)
	defer pace.Stop()
	for b.Loop() {
		<-pace.C
		due := time.Now()
		wg.Go(func() {
			r := httptest.NewRequest("POST", "/v1.0/conferences", strings.NewReader(`{"type":"conference","name":"bench"}`))
			r.Header.Set("Authorization", "Bearer "+key)
			answer := httptest.NewRecorder()
			w.door.ServeHTTP(answer, r)
			if answer.Code != http.StatusOK {
				b.Error(answer.Code, answer.Body)
			}
			mu.Lock()
			took = append(took, time.Since(due))
			mu.Unlock()
		})
	}
	wg.Wait()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2])/1e6, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100])/1e6, "p99-ms")
}

// TestExampleBodies sends the description's own examples.
func TestExampleBodies(t *testing.T) {
	w := withFlows(t)
	checker, err := apitest.New(nil, t.Errorf)
	if err != nil {
		t.Fatal(err)
	}
	conference := w.must("POST", "/conferences", object{}).id()
	ids := map[string]string{
		"conferences": conference, "calls": w.call(w.me),
		"accesskeys": w.must("POST", "/accesskeys", object{}).id(), "extensions": w.must("POST", "/extensions", object{"extension": "a", "password": "secret"}).id(),
	}
	ids["conferencecalls"] = w.joinBy(conference, "ada", "", ids["calls"])
	ids["flows"] = w.must("POST", "/flows", object{}).id()
	ids["webhooks"] = w.must("POST", "/webhooks", object{"uri": "https://hook.invalid/"}).id()
	ids["trunks"] = w.must("POST", "/trunks", object{"host": "sip.invalid"}).id()
	ids["agents"] = w.agent("ann", 16)
	ben := w.agent("ben", 16)
	examples := checker.Examples()
	if len(examples) < 9 {
		t.Errorf("only %d examples", len(examples))
	}
	for operation, body := range examples {
		method, path, _ := strings.Cut(operation, " ")
		if strings.HasPrefix(path, "/auth/") {
			continue
		}
		var as []string
		if strings.HasPrefix(path, "/service_agents/") {
			w.must("PUT", "/agents/"+ben+"/password", object{"password": passwordOf("ben")}) // an example changes it
			as = []string{"Authorization", "Bearer " + w.login("ben")}
		}
		if asked, ok := body.(object); ok && asked["transferer_call_id"] != nil {
			asked["transferer_call_id"] = ids["calls"]
		}
		w.must(method, strings.ReplaceAll(path, "{id}", ids[strings.Split(path, "/")[1]]), body, as...)
	}
}
