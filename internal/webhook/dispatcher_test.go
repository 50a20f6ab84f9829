package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"parley/internal/fault"
	"parley/internal/store"
	"parley/internal/webhook/endpoint"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func bubble(t *testing.T, do func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) { do(t, newWorld(t)) })
}

func TestMessage(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		before := w.log(conf(1), "conference_created")
		e := w.add("a.example", endpoint.Patch{})
		seq := w.log(conf(1), "conference_updated")
		w.log(conf(1), "call_created") // not wanted
		got := w.calls("a.example")
		if len(got) != 1 || got[0].entry.Seq != seq || got[0].entry.Type != "conference_updated" || got[0].entry.ConferenceID != conf(1) || before >= seq {
			t.Fatalf("%+v", got)
		}
		c := got[0]
		if c.header.Get("Webhook-Id") != c.entry.ID || c.header.Get("Content-Type") != "application/json" {
			t.Errorf("%v", c.header)
		}
		mac := hmac.New(sha256.New, []byte(e.Secret))
		mac.Write(c.raw)
		if c.header.Get("X-VoIPBIN-Signature") != "sha256="+hex.EncodeToString(mac.Sum(nil)) {
			t.Errorf("%v", c.header)
		}
		if !strings.Contains(string(c.raw), "<ä>") {
			t.Errorf("escaped: %s", c.raw)
		}
		d := w.delivery(e, seq)
		if d.Status != Delivered || d.Attempts != 1 || d.Answers[0].Status != 200 || d.Answers[0].Body != "said the receiver" ||
			d.Request.Headers["webhook-id"] != c.entry.ID || !time.Time(d.Next).IsZero() {
			t.Errorf("%+v", d)
		}
	})
}

func TestCloudEvents(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		format := endpoint.CloudEvent
		w.add("a.example", endpoint.Patch{Format: &format})
		w.log(conf(1), "conference_created")
		got := w.calls("a.example")
		var c map[string]any
		if len(got) != 1 || json.Unmarshal(got[0].raw, &c) != nil || c["specversion"] != "1.0" || c["type"] != "conference_created" ||
			c["source"] != "/v1.0/conferences/"+conf(1) || c["id"] != got[0].header.Get("Webhook-Id") {
			t.Errorf("%v", c)
		}
		if !strings.HasPrefix(got[0].header.Get("Content-Type"), "application/cloudevents+json") {
			t.Error(got[0].header)
		}
	})
}

// TestSchedule follows one event through all its attempts, days long.
func TestSchedule(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		e := w.add("a.example", endpoint.Patch{})
		w.behave(func(c call) (int, http.Header) {
			return map[bool]int{true: 500, false: 204}[c.entry.Type == "conference_created"], nil
		})
		seq := w.log(conf(1), "conference_created")
		second := w.log(conf(1), "conference_updated")
		other := w.log(conf(2), "conference_updated")
		if got := w.taken("a.example", ""); !slices.Equal(got, []int64{other}) {
			t.Fatalf("others wait: %v", got)
		}
		time.Sleep(48 * time.Hour)
		got := w.calls("a.example")
		var at []time.Time
		for _, c := range got {
			if c.entry.Seq == seq {
				at = append(at, c.at)
			}
		}
		if len(at) != len(DefaultSchedule) {
			t.Fatalf("%d attempts", len(at))
		}
		for i := 1; i < len(at); i++ {
			d, want := at[i].Sub(at[i-1]), DefaultSchedule[i]
			if d < want*9/10 || d > want*11/10+time.Second {
				t.Errorf("attempt %d after %v, want %v", i+1, d, want)
			}
		}
		if d := w.delivery(e, seq); d.Status != Dead || d.Attempts != 8 {
			t.Errorf("%+v", d)
		}
		if last := got[len(got)-1]; last.entry.Seq != second || last.at.Before(at[7]) {
			t.Errorf("the next one: %+v", last)
		}
	})
}

func TestAnswers(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		rooms := []string{"conference*"}
		w.add("slow.example", endpoint.Patch{Events: &rooms})
		w.add("moved.example", endpoint.Patch{Events: &rooms})
		w.add("mute.example", endpoint.Patch{Events: &rooms})
		gone := w.add("gone.example", endpoint.Patch{})
		w.behave(func(c call) (int, http.Header) {
			switch c.host {
			case "slow.example":
				return 503, http.Header{"Retry-After": {"60"}}
			case "moved.example":
				return 302, http.Header{"Location": {"http://127.0.0.1/"}}
			case "gone.example":
				return 410, nil
			}
			return 0, nil
		})
		began := time.Now()
		w.log(conf(1), "conference_created")
		time.Sleep(70 * time.Second)
		if got := w.calls("slow.example"); len(got) != 2 || got[1].at.Sub(began) < time.Minute {
			t.Errorf("Retry-After: %d calls", len(got))
		}
		if got := w.calls("moved.example"); len(got) != 2 || got[1].path != "/hook" {
			t.Errorf("redirect: %d calls", len(got))
		}
		k, err := w.d.book.Own(t.Context(), me, gone.ID)
		if err != nil || k.Status != endpoint.Disabled || k.Reason != endpoint.ReasonGone || len(w.calls("gone.example")) != 1 {
			t.Errorf("410: %+v, %v", k, err)
		}
		if err := w.d.Redeliver(t.Context(), me, gone.ID, "", 0); fault.ReasonOf(err) != "WEBHOOK_DISABLED" {
			t.Error(err)
		}
		if s := w.d.Stats(); s.Endpoints != 3 || s.Failing != 3 || s.Pending != 3 || s.Backlog < time.Minute {
			t.Errorf("%+v", s)
		}
	})
}

// TestDisabled says that an endpoint which takes nothing for five days is disabled, with an event, and gets everything when it is enabled.
func TestDisabled(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		dead := w.add("dead.example", endpoint.Patch{})
		w.add("alive.example", endpoint.Patch{})
		w.behave(func(c call) (int, http.Header) {
			return map[bool]int{true: 500, false: 200}[c.host == "dead.example"], nil
		})
		var seqs []int64
		for range 10 {
			seqs = append(seqs, w.log(conf(1), "conference_updated"))
		}
		time.Sleep(4*24*time.Hour + 12*time.Hour)
		if k, _ := w.d.book.Own(t.Context(), me, dead.ID); k.Status != endpoint.Enabled {
			t.Fatal("disabled too soon")
		}
		if at, err := w.d.Health(t.Context(), dead.ID); err != nil || time.Since(at) < 4*24*time.Hour {
			t.Errorf("failing since %v, %v", at, err)
		}
		time.Sleep(2 * 24 * time.Hour)
		k, _ := w.d.book.Own(t.Context(), me, dead.ID)
		if k.Status != endpoint.Disabled || k.Reason != endpoint.ReasonFailing {
			t.Fatalf("%+v", k.Endpoint)
		}
		told := w.calls("alive.example")
		if last := told[len(told)-1]; last.entry.Type != "webhook_disabled" || strings.Contains(string(last.raw), "whsec_") {
			t.Errorf("%s", last.raw)
		}
		seqs = append(seqs, w.log(conf(1), "conference_updated"))
		before := len(w.calls("dead.example"))
		time.Sleep(24 * time.Hour)
		if len(w.calls("dead.example")) != before {
			t.Error("a disabled endpoint is called")
		}
		w.behave(nil)
		on := endpoint.Enabled
		if _, err := w.d.Book().Update(t.Context(), me, dead.ID, endpoint.Patch{Status: &on}, nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(11 * time.Hour)
		got := w.taken("dead.example", "")
		dropped := len(seqs) - len(got) // those that became dead letters
		if dropped < 4 || dropped > 6 || !slices.Equal(got, seqs[dropped:]) {
			t.Fatalf("got %v of %v", got, seqs)
		}
		if err := w.d.Redeliver(t.Context(), me, dead.ID, "", seqs[0]-1); err != nil {
			t.Fatal(err)
		}
		if got := w.taken("dead.example", ""); len(got) != len(seqs) {
			t.Errorf("redelivered: %v of %v", got, seqs)
		}
	})
}

// TestNobodyWaits says that an endpoint which never answers costs others nothing, and conferences that fail do not hold up those that do not.
func TestNobodyWaits(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.add("mute.example", endpoint.Patch{})
		w.add("half.example", endpoint.Patch{})
		w.behave(func(c call) (int, http.Header) {
			if c.host == "mute.example" {
				return 0, nil
			}
			return map[bool]int{true: 500, false: 200}[c.entry.ConferenceID < conf(100)], nil
		})
		began := time.Now()
		for n := range 200 {
			w.log(conf(n), "conference_created")
			w.log(conf(n), "conference_updated")
		}
		if got := w.taken("half.example", ""); len(got) != 200 || time.Since(began) > 0 {
			t.Errorf("%d after %v", len(got), time.Since(began))
		}
		time.Sleep(time.Hour)
		for n := range 100 { // what is parked stays in order
			if got := w.taken("half.example", conf(n)); len(got) != 0 {
				t.Errorf("conference %d: %v", n, got)
			}
		}
		w.behave(nil)
		time.Sleep(3 * time.Hour)
		for n := range 200 {
			if got := w.taken("half.example", conf(n)); len(got) != 2 || got[0] > got[1] {
				t.Errorf("conference %d: %v", n, got)
			}
		}
	})
}

// TestFull says that a bound of what is pending loses nothing.
func TestFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.stop()
		w.o.Pending, w.o.Parked, w.o.Workers = 10, 4, 2
		w.start()
		w.add("a.example", endpoint.Patch{})
		w.behave(func(call) (int, http.Header) { return 500, nil })
		var want []int64
		for n := range 100 {
			want = append(want, w.log(conf(n%7), "conference_updated"))
		}
		time.Sleep(time.Hour)
		if s := w.d.Stats(); s.Pending > 10 {
			t.Errorf("%+v", s)
		}
		w.behave(nil)
		time.Sleep(3 * time.Hour)
		if got := w.taken("a.example", ""); len(got) != len(want) {
			t.Errorf("%d of %d", len(got), len(want))
		}
	})
}

func TestBestEffort(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		order := endpoint.BestEffort
		only := conf(1)
		w.add("a.example", endpoint.Patch{Order: &order, ConferenceID: &only})
		w.behave(func(c call) (int, http.Header) {
			return map[bool]int{true: 500, false: 200}[c.entry.Type == "conference_created"], nil
		})
		w.log(conf(1), "conference_created")
		w.log(conf(2), "conference_updated")
		want := w.log(conf(1), "conference_updated")
		if got := w.taken("a.example", ""); !slices.Equal(got, []int64{want}) {
			t.Errorf("%v", got)
		}
	})
}

func TestCustomer(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.customer("", "")
		w.log(conf(1), "conference_created")
		w.customer("http://own.example/hook", "PUT")
		seq := w.log(conf(1), "conference_updated")
		if got := w.taken("own.example", ""); !slices.Equal(got, []int64{seq}) {
			t.Errorf("%v", got)
		}
		if !slices.ContainsFunc(w.calls("own.example"), func(c call) bool { return c.entry.Type == "customer_updated" }) {
			t.Error("its own beginning is missing")
		}
		w.customer("", "")
		w.log(conf(1), "conference_updated")
		if got := w.taken("own.example", ""); len(got) != 1 {
			t.Errorf("after it was emptied: %v", got)
		}
		w.customer("http://other.example/hook", "")
		if len(w.taken("other.example", "")) != 1 { // what was logged meanwhile
			t.Error("nothing at the other address")
		}
	})
}

func TestRedeliver(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		e := w.add("a.example", endpoint.Patch{})
		seq := w.log(conf(1), "conference_created")
		w.log(conf(1), "conference_updated")
		d := w.delivery(e, seq)
		if err := w.d.Redeliver(t.Context(), me, e.ID, d.EventID, 0); err != nil {
			t.Fatal(err)
		}
		got := w.calls("a.example")
		if len(got) != 3 || got[2].entry.Seq != seq || got[2].header.Get("Webhook-Id") != got[0].header.Get("Webhook-Id") {
			t.Errorf("%d calls", len(got))
		}
		if err := w.d.Redeliver(t.Context(), me, e.ID, conf(9), 0); fault.ReasonOf(err) != "DELIVERY_NOT_FOUND" {
			t.Error(err)
		}
		if err := w.d.Redeliver(t.Context(), conf(1), e.ID, d.EventID, 0); fault.ReasonOf(err) != "WEBHOOK_NOT_FOUND" {
			t.Error(err)
		}
		sent, a, err := w.d.Test(t.Context(), me, e.ID, nil)
		if err != nil || a.Status != 200 || sent.Headers["webhook-signature"] == "" || strings.Contains(string(w.calls("a.example")[3].raw), "whsec_") {
			t.Errorf("%v %+v %v", sent, a, err)
		}
		if _, err := w.d.Book().Delete(t.Context(), me, e.ID); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.log(conf(1), "conference_updated")
		if len(w.calls("a.example")) != 4 {
			t.Error("a deleted endpoint is called")
		}
	})
}

func TestRotation(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		e := w.add("a.example", endpoint.Patch{})
		fresh, err := w.d.Book().Rotate(t.Context(), me, e.ID)
		if err != nil || fresh.Secret == e.Secret {
			t.Fatal(fresh, err)
		}
		synctest.Wait()
		w.log(conf(1), "conference_created") // the receiver checks with the old one
		if got := w.calls("a.example"); len(strings.Fields(got[0].header.Get("Webhook-Signature"))) != 2 {
			t.Error(got[0].header)
		}
		w.mu.Lock()
		w.secrets["a.example"] = fresh.Secret
		w.mu.Unlock()
		w.log(conf(1), "conference_updated")
		time.Sleep(25 * time.Hour)
		w.log(conf(1), "conference_updated")
		if got := w.calls("a.example"); len(got) != 3 || len(strings.Fields(got[2].header.Get("Webhook-Signature"))) != 1 {
			t.Error("the old secret still signs")
		}
	})
}

// TestLedger kills dispatchers at any time while receivers fail at random: what a receiver has got, each event once, is the log in its order.
func TestLedger(t *testing.T) {
	for seed := range uint64(4) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.stop()
			w.o.Schedule = append([]time.Duration{0}, slices.Repeat([]time.Duration{3 * time.Second}, 100)...)
			w.start()
			random, moods := rand.New(rand.NewPCG(seed, 7)), rand.New(rand.NewPCG(seed, 8))
			hosts := []string{"a.example", "b.example"}
			for _, h := range hosts {
				w.add(h, endpoint.Patch{})
			}
			w.behave(func(call) (int, http.Header) {
				w.mu.Lock()
				defer w.mu.Unlock()
				return []int{200, 500, 200, 500, 200, 500, 200, 0}[moods.IntN(8)], nil
			})
			want := map[string][]int64{}
			for range 200 {
				c := conf(random.IntN(5))
				want[c] = append(want[c], w.log(c, "conference_updated"))
				if random.IntN(20) == 0 { // killed: nothing that it still wants to write is written
					m := w.o.Store
					if k, ok := m.(*mortal); ok {
						k.dead.Store(true)
					}
					w.stop()
					w.o.Store = &mortal{Store: w.st}
					w.start()
				}
				time.Sleep(time.Duration(random.IntN(2000)) * time.Millisecond)
			}
			for range 100 {
				if time.Sleep(time.Minute); w.d.Stats().Pending == 0 {
					break
				}
			}
			for _, h := range hosts {
				for c, seqs := range want {
					if got := w.taken(h, c); !slices.Equal(got, seqs) {
						t.Errorf("seed %d: %s got of %s\n%v, the log has\n%v", seed, h, c, got, seqs)
					}
				}
			}
			if s := w.d.Stats(); s.Pending != 0 {
				t.Errorf("seed %d: %+v", seed, s)
			}
			w.stop()
		})
	}
}

func TestForget(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.stop()
		w.o.Keep = 2 * time.Hour
		w.start()
		e := w.add("a.example", endpoint.Patch{})
		w.log(conf(1), "conference_created")
		time.Sleep(4 * time.Hour)
		left, err := w.st.List(t.Context(), store.Query{Kind: store.Delivery, Reference: e.ID, Limit: 10})
		if err != nil || len(left) != 0 {
			t.Errorf("%d left, %v", len(left), err)
		}
	})
}
