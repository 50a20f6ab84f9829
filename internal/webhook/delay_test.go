package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"parley/internal/store"
	"parley/internal/store/sqlite"
	"parley/internal/webhook/endpoint"
)

// TestDelay measures how long it takes from the commit of an event to its request at a healthy endpoint, with a real database and real connections.
// PARLEY_TEST_RATE says how many events a second there are, PARLEY_TEST_SECONDS for how long; the figure that is wanted is checked when they are set.
func TestDelay(t *testing.T) {
	rate, seconds, measured := 100, 2, false
	if n, err := strconv.Atoi(os.Getenv("PARLEY_TEST_RATE")); err == nil {
		rate, seconds, measured = n, 10, true
	}
	st, err := sqlite.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	var mu sync.Mutex
	came, commit := map[string]time.Time{}, map[string]time.Time{}
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		at := time.Now()
		mu.Lock()
		defer mu.Unlock()
		came[r.Header.Get("Webhook-Id")] = at
	}))
	defer receiver.Close()
	d := New(Options{Store: st, Log: slog.New(slog.DiscardHandler), Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	stopped := make(chan error, 1)
	ctx, stop := context.WithCancel(t.Context())
	go func() { stopped <- d.Run(ctx) }()
	defer func() { stop(); <-stopped }()
	uri, events := receiver.URL, []string{"conference_*"}
	if _, err := d.Book().Add(t.Context(), me, uuid.NewString(), endpoint.Patch{URI: &uri, Events: &events}, func(endpoint.Endpoint) (*store.Answer, error) { return nil, nil }); err != nil {
		t.Fatal(err)
	}
	const rooms = 50
	began := time.Now()
	var group sync.WaitGroup
	for room := range rooms { // each room has its own part of the rate
		group.Go(func() {
			every := time.Second * rooms / time.Duration(rate)
			<-time.After(time.Duration(room) * every / rooms)
			tick := time.NewTicker(every)
			defer tick.Stop()
			for n := range rate * seconds / rooms {
				<-tick.C
				c := &store.Change{Key: "conference/" + conf(room), Version: int64(n), Events: []store.Event{{
					ID: uuid.NewString(), Type: "conference_updated", At: time.Now(), CustomerID: me, Conference: conf(room), Resource: conf(room),
					Data: json.RawMessage(fmt.Sprintf(`{"id":%q,"name":"%0700d"}`, conf(room), n)),
				}}}
				if err := st.Append(t.Context(), c); err != nil {
					t.Error(err)
					return
				}
				at := time.Now()
				mu.Lock()
				commit[c.Events[0].ID] = at
				mu.Unlock()
			}
		})
	}
	group.Wait()
	took := time.Since(began)
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); <-time.After(10 * time.Millisecond) {
		mu.Lock()
		n := len(came)
		mu.Unlock()
		if n == len(commit) {
			break
		}
	}
	mu.Lock()
	defer mu.Unlock()
	var delays []time.Duration
	for id, at := range commit {
		if came[id].IsZero() {
			t.Fatalf("%d of %d came", len(came), len(commit))
		}
		delays = append(delays, max(0, came[id].Sub(at)))
	}
	slices.Sort(delays)
	p99 := delays[len(delays)*99/100]
	if measured && p99 > 200*time.Millisecond {
		t.Errorf("p99 is %v", p99)
	}
	t.Logf("%.0f events/s: p50 %v, p99 %v, longest %v", float64(len(commit))/took.Seconds(), delays[len(delays)/2], p99, delays[len(delays)-1])
}
