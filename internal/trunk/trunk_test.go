package trunk_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"parley/internal/call"
	"parley/internal/fault"
	"parley/internal/store"
	"parley/internal/store/memory"
	"parley/internal/trunk"
	"parley/internal/trunk/book"
	"parley/internal/trunk/route"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	ann = "a0000000-0000-4000-8000-000000000000"
	bob = "b0000000-0000-4000-8000-000000000000"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func policy(t *testing.T, numbers ...string) *route.Policy {
	t.Helper()
	p, err := route.NewPolicy(numbers, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// running opens Trunks and runs them until stop.
func running(t *testing.T, o trunk.Options) (x *trunk.Trunks, stop func()) {
	t.Helper()
	if o.Log == nil {
		o.Log = quiet
	}
	x, err := trunk.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var run sync.WaitGroup
	run.Go(func() {
		if err := x.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	return x, func() { cancel(); run.Wait() }
}

func noAnswer(route.Trunk) (*store.Answer, error) { return nil, nil }

func add(t *testing.T, x *trunk.Trunks, customer, id, patch string) route.Trunk {
	t.Helper()
	var p book.Patch
	if err := json.Unmarshal([]byte(patch), &p); err != nil {
		t.Fatal(err)
	}
	made, err := x.Book().Add(t.Context(), customer, id, p, noAnswer)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func tel(number string) call.Address { return call.Address{Type: "tel", Target: number} }

func refusals(t *testing.T, st store.Store) (list []map[string]any) {
	t.Helper()
	events, _, err := st.Events(t.Context(), store.LogQuery{Types: []string{trunk.EventRefused}, Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		var v map[string]any
		if err := json.Unmarshal(e.Data, &v); err != nil || e.CustomerID != v["customer_id"] {
			t.Fatal(err, e.CustomerID)
		}
		list = append(list, v)
	}
	return list
}

// TestRefusalsAreTold: by the error, in the log of events, in the program's log and in the counts, a flood of them in one event a second.
func TestRefusalsAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := memory.New()
		var logged bytes.Buffer
		x, stop := running(t, trunk.Options{
			Store: st, Policy: policy(t, "+49"), PerCustomer: route.Limits{CallsPerMinute: 2}, Log: slog.New(slog.NewTextHandler(&logged, nil)),
		})
		add(t, x, ann, "10000000-0000-4000-8000-000000000000", `{"host":"sip.example","limits":{"concurrent":1}}`)
		forbidden := func(n int) {
			for range n {
				if _, err := x.Plan(t.Context(), ann, tel("+88216123"), tel("+4930")); fault.ReasonOf(err) != "DESTINATION_NOT_ALLOWED" {
					t.Fatal(err)
				}
			}
		}
		forbidden(1)
		synctest.Wait()
		if got := refusals(t, st); len(got) != 1 || got[0]["count"].(float64) != 1 {
			t.Fatal("the first is not told at once", got)
		}
		forbidden(500)
		hops, err := x.Plan(t.Context(), ann, tel("+49401234"), tel("+4930"))
		if err != nil {
			t.Fatal(err)
		}
		r := trunk.Request{CustomerID: ann, Source: tel("+4930"), Destination: tel("+49401234"), Hop: hops[0]}
		pass, err := x.Admit(r)
		if err != nil {
			t.Fatal(err)
		}
		_, err = x.Admit(r)
		if fault.ReasonOf(err) != "CALLS_OUT_LIMIT_REACHED" || !strings.Contains(err.Error(), "trunk_concurrent") || !trunk.NextHop(err) {
			t.Error(err)
		}
		time.Sleep(500 * time.Millisecond)
		if len(refusals(t, st)) != 1 {
			t.Error("told too soon")
		}
		time.Sleep(time.Second)
		got := refusals(t, st)
		if len(got) != 3 {
			t.Fatal(got)
		}
		for _, v := range got[1:] {
			switch v["rule"] {
			case "allow_numbers":
				if v["count"].(float64) != 500 || v["reason"] != "DESTINATION_NOT_ALLOWED" || v["destination"].(map[string]any)["target"] != "+88216123" {
					t.Error(v)
				}
			case "trunk_concurrent":
				if v["limit"].(float64) != 1 || !strings.HasPrefix(v["trunk_id"].(string), "1000") {
					t.Error(v)
				}
			}
		}
		pass.Release()
		if pass, err = x.Admit(r); err != nil {
			t.Fatal(err)
		}
		pass.Release()
		if _, err = x.Admit(r); !strings.Contains(err.Error(), "customer_calls_per_minute") || trunk.NextHop(err) {
			t.Error(err)
		}
		time.Sleep(2 * time.Second)
		if got = refusals(t, st); len(got) != 4 || got[3]["rule"] != "customer_calls_per_minute" {
			t.Error(got)
		}
		stop()
		if !strings.Contains(logged.String(), "rule=allow_numbers") || !strings.Contains(logged.String(), "count=500") {
			t.Error(logged.String())
		}
		if fmt.Sprint(x.Refused()) != "map[allow_numbers:501 customer_calls_per_minute:1 trunk_concurrent:1]" {
			t.Error(x.Refused())
		}
	})
}

// TestMinutesSurvive: a process that dies while a call talks has counted it in the next life, one that stops has counted it exactly.
func TestMinutesSurvive(t *testing.T) {
	for name, graceful := range map[string]bool{"killed": false, "stopped": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st := memory.New()
				o := trunk.Options{Store: st, Policy: policy(t), PerCustomer: route.Limits{MinutesPerDay: 10}}
				r := trunk.Request{CustomerID: ann, Hop: route.Hop{Kind: route.SIP}}
				x, stop := running(t, o)
				pass, err := x.Admit(r)
				if err != nil {
					t.Fatal(err)
				}
				pass.Answered()
				time.Sleep(8*time.Minute + 10*time.Second)
				dead, err := trunk.Open(t.Context(), o) // what a process finds after kill -9 now
				if graceful {
					pass.Release()
					stop()
					dead, err = trunk.Open(t.Context(), o)
				}
				if err != nil {
					t.Fatal(err)
				}
				next, err := dead.Admit(r)
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				next.Answered()
				<-next.Over()
				next.Release()
				left := time.Since(began).Round(time.Second)
				if graceful && left != 110*time.Second || left > 110*time.Second || left < time.Minute {
					t.Errorf("%v are left", left)
				}
				if _, err := dead.Admit(r); err == nil || !strings.Contains(err.Error(), "customer_minutes_per_day") {
					t.Error(err)
				}
				if !graceful {
					pass.Release()
					stop()
				}
				time.Sleep(24 * time.Hour)
				tomorrow, err := trunk.Open(t.Context(), o)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := tomorrow.Admit(r); err != nil {
					t.Error(err)
				}
				if left, err := st.List(t.Context(), store.Query{Kind: store.CallUsage, Limit: 10}); err != nil || len(left) != 0 {
					t.Error("yesterday's minutes are kept", left, err)
				}
			})
		})
	}
}

// failing is a store that does not write for a while.
type failing struct {
	*memory.Store
	mu  sync.Mutex
	bad bool
}

func (f *failing) is() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.bad {
		return fault.New(fault.Unavailable, "STORE_FULL", "the disk is full")
	}
	return nil
}

func (f *failing) set(bad bool) { f.mu.Lock(); f.bad = bad; f.mu.Unlock() }

func (f *failing) Append(ctx context.Context, c *store.Change) error {
	if err := f.is(); err != nil {
		return err
	}
	return f.Store.Append(ctx, c)
}

func (f *failing) Note(ctx context.Context, reader string, seq int64, r []store.Record) error {
	if err := f.is(); err != nil {
		return err
	}
	return f.Store.Note(ctx, reader, seq, r)
}

// TestStoreComesBack: what could not be written is written later.
func TestStoreComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &failing{Store: memory.New(), bad: true}
		x, stop := running(t, trunk.Options{Store: st, Policy: policy(t)})
		for range 3 {
			_, err := x.Plan(t.Context(), ann, tel("+1234"), call.Address{})
			if err == nil {
				t.Fatal("allowed")
			}
			time.Sleep(3 * time.Second)
		}
		p, _ := x.Admit(trunk.Request{CustomerID: ann, Hop: route.Hop{Kind: route.SIP}})
		p.Answered()
		time.Sleep(time.Minute)
		p.Release()
		time.Sleep(time.Minute)
		st.set(false)
		time.Sleep(2 * time.Minute)
		if got := refusals(t, st); len(got) != 1 || got[0]["count"].(float64) != 3 {
			t.Error(got)
		}
		if kept, err := st.List(t.Context(), store.Query{Kind: store.CallUsage, Limit: 10}); err != nil || len(kept) != 1 || !strings.Contains(string(kept[0].Doc), "60000000000") {
			t.Error(kept, err)
		}
		stop()
	})
}

func put(t *testing.T, st store.Store, kind store.Kind, id, customer, doc string, names ...store.Name) {
	t.Helper()
	err := st.Append(t.Context(), &store.Change{
		Key: string(kind) + "/" + id, Names: names,
		Records: []store.Record{{Kind: kind, ID: id, CustomerID: customer, Created: time.Now(), Doc: []byte(doc)}},
		Events:  []store.Event{{ID: id, Type: "made", At: time.Now(), CustomerID: customer, Data: []byte(`{}`)}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestPlan(t *testing.T) {
	st := memory.New()
	const ext, room = "e0000000-0000-4000-8000-000000000000", "c0000000-0000-4000-8000-000000000000"
	down := ""
	put(t, st, store.Extension, ext, ann, `{"username":"alice"}`, store.Name{Space: "extension", Value: "alice", Kind: store.Extension, ID: ext})
	put(t, st, store.Conference, room, ann, `{}`)
	x, err := trunk.Open(t.Context(), trunk.Options{Store: st, Log: quiet, Policy: policy(t, "+49"), Down: func(id string) bool { return id == down }})
	if err != nil {
		t.Fatal(err)
	}
	add(t, x, ann, "10000000-0000-4000-8000-000000000000", `{"host":"one.example","sources":["192.0.2.0/24"]}`)
	add(t, x, ann, "20000000-0000-4000-8000-000000000000", `{"host":"two.example","prefixes":[{"prefix":"+4930","strip":2,"add":"0"}]}`)
	for _, tt := range []struct{ customer, kind, to, want string }{
		{ann, "tel", "+4930123", "sip:030123@two.example;user=phone sip:+4930123@one.example;user=phone"},
		{bob, "tel", "+4930123", "NO_TRUNK_FOR_DESTINATION"},
		{ann, "tel", "+1234", "DESTINATION_NOT_ALLOWED"},
		{ann, "sip", "a@127.0.0.1:5070", "sip:a@127.0.0.1:5070"},
		{ann, "sip", "a@192.0.2.1", "DESTINATION_NOT_ALLOWED"},
		{ann, "extension", "alice", "extension alice"},
		{ann, "extension", ext, "extension alice"},
		{bob, "extension", "alice", "EXTENSION_NOT_FOUND"},
		{bob, "extension", ext, "EXTENSION_NOT_FOUND"},
		{ann, "extension", "nobody", "EXTENSION_NOT_FOUND"},
		{ann, "conference", room, "conference " + room},
		{bob, "conference", room, "CONFERENCE_NOT_FOUND"},
		{ann, "agent", ext, "AGENT_NOT_FOUND"},
		{ann, "whatsapp", ext, "DESTINATION_UNSUPPORTED"},
		{ann, "tel", "030", "INVALID_DESTINATION"},
	} {
		hops, err := x.Plan(t.Context(), tt.customer, call.Address{Type: tt.kind, Target: tt.to}, call.Address{})
		var said []string
		for _, h := range hops {
			if h.To != "" {
				said = append(said, h.To)
			} else {
				said = append(said, h.Kind, h.Name)
			}
		}
		if err != nil {
			said = []string{fault.ReasonOf(err)}
		}
		if got := strings.Join(said, " "); got != tt.want {
			t.Errorf("%s %s: %s, want %s", tt.kind, tt.to, got, tt.want)
		}
	}
	down = "20000000-0000-4000-8000-000000000000"
	if hops, err := x.Plan(t.Context(), ann, tel("+4930123"), call.Address{}); err != nil || len(hops) != 2 || hops[1].TrunkID != down {
		t.Error("a trunk that does not answer is not the last", hops, err)
	}
	if o, ok := x.From(netip.MustParseAddr("192.0.2.9")); !ok || o.CustomerID != ann {
		t.Error(o, ok)
	}
	for range 100 { // what stays here is free
		if _, err := x.Admit(trunk.Request{CustomerID: ann, Hop: route.Hop{Kind: route.Extension}}); err != nil {
			t.Fatal(err)
		}
	}
}
