package guard_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"parley/internal/fault"
	. "parley/internal/trunk/guard"
	"parley/internal/trunk/route"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// mark is one admitted call as the test saw it.
type mark struct {
	claim              Claim
	pass               *Pass
	admitted, answered time.Time
	ended              time.Time // zero while it lives
	cut                bool
}

// model keeps what has happened and counts it anew each time, without the guard's means.
type model struct {
	mu        sync.Mutex
	calls     []*mark
	customers route.Limits
	obedient  sync.WaitGroup
}

func (m *model) of(kind, id string) (list []*mark) {
	for _, c := range m.calls {
		if kind == "customer" && c.claim.CustomerID == id || kind == "trunk" && c.claim.TrunkID == id {
			list = append(list, c)
		}
	}
	return list
}

// counts returns what the limits of an account look at, now.
func (m *model) counts(kind, id string) (c route.Limits, talk time.Duration) {
	now := time.Now()
	day := now.UTC().Truncate(24 * time.Hour)
	for _, x := range m.of(kind, id) {
		if x.ended.IsZero() {
			c.Concurrent++
		}
		if now.Sub(x.admitted) < time.Second {
			c.CallsPerSecond++
		}
		if now.Sub(x.admitted) < time.Minute {
			c.CallsPerMinute++
		}
		if from, to := x.answered, x.ended; !from.IsZero() {
			if to.IsZero() {
				to = now
			}
			if from.Before(day) {
				from = day
			}
			if to.After(from) {
				talk += to.Sub(from)
			}
		}
	}
	return c, talk
}

// room returns the rule that one more call would break, "" for none.
func (m *model) room(kind, id string, l route.Limits) string {
	c, talk := m.counts(kind, id)
	for _, r := range []struct {
		rule       string
		have, most int
	}{{"concurrent", c.Concurrent, l.Concurrent}, {"calls_per_second", c.CallsPerSecond, l.CallsPerSecond}, {"calls_per_minute", c.CallsPerMinute, l.CallsPerMinute}} {
		if r.most > 0 && r.have >= r.most {
			return kind + "_" + r.rule
		}
	}
	if l.MinutesPerDay > 0 && talk >= time.Duration(l.MinutesPerDay)*time.Minute {
		return kind + "_minutes_per_day"
	}
	return ""
}

func (m *model) check(t *rapid.T, kind, id string, l route.Limits) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, talk := m.counts(kind, id)
	over := func(have, most int) bool { return most > 0 && have > most }
	if over(c.Concurrent, l.Concurrent) || over(c.CallsPerSecond, l.CallsPerSecond) || over(c.CallsPerMinute, l.CallsPerMinute) {
		t.Fatalf("%s %s: %+v, more than %+v", kind, id, c, l)
	}
	if most := time.Duration(l.MinutesPerDay) * time.Minute; most > 0 && talk > most+time.Microsecond {
		t.Fatalf("%s %s: talked %v, more than %v", kind, id, talk, most)
	}
}

func (m *model) end(x *mark, cut bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !x.ended.IsZero() {
		return
	}
	x.ended, x.cut = time.Now(), cut
	x.pass.Release()
	x.pass.Release()
}

// TestNeverMore: whatever is asked in whatever order, no limit is ever exceeded, and what is refused would have exceeded one.
func TestNeverMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Without the methods of *testing.T that no bubble has.
		rapid.Check(struct{ testing.TB }{t}, play)
	})
}

func drawLimits(t *rapid.T, name string) route.Limits {
	n := rapid.IntRange(0, 4)
	return route.Limits{
		CallsPerSecond: n.Draw(t, name+" per second"), CallsPerMinute: n.Draw(t, name+" per minute"),
		Concurrent: n.Draw(t, name+" at once"), MinutesPerDay: n.Draw(t, name+" minutes"),
	}
}

func play(t *rapid.T) {
	m := &model{customers: drawLimits(t, "customer")}
	trunks := map[string]route.Limits{"t0": drawLimits(t, "t0"), "t1": drawLimits(t, "t1")}
	g := New(m.customers)
	anyOne := func(t *rapid.T) *mark {
		if len(m.calls) == 0 {
			t.Skip("no call")
		}
		return m.calls[rapid.IntRange(0, len(m.calls)-1).Draw(t, "call")]
	}
	t.Repeat(map[string]func(*rapid.T){
		"": func(t *rapid.T) {
			synctest.Wait()
			for _, id := range []string{"c0", "c1"} {
				m.check(t, "customer", id, m.customers)
			}
			for id, l := range trunks {
				m.check(t, "trunk", id, l)
			}
		},
		"admit": func(t *rapid.T) {
			c := Claim{CustomerID: rapid.SampledFrom([]string{"c0", "c1"}).Draw(t, "customer"), TrunkID: rapid.SampledFrom([]string{"", "t0", "t1"}).Draw(t, "trunk")}
			c.Trunk = trunks[c.TrunkID]
			m.admit(t, g, c)
		},
		"answer": func(t *rapid.T) { m.answer(anyOne(t)) },
		"end":    func(t *rapid.T) { m.end(anyOne(t), false) },
		"wait": func(t *rapid.T) {
			time.Sleep(rapid.SampledFrom([]time.Duration{time.Millisecond, 300 * time.Millisecond, time.Second, 20 * time.Second, 2 * time.Minute, 7 * time.Hour}).Draw(t, "time"))
		},
	})
	for _, x := range m.calls {
		m.end(x, false)
	}
	m.obedient.Wait()
}

func (m *model) admit(t *rapid.T, g *Guard, c Claim) {
	m.mu.Lock()
	defer m.mu.Unlock()
	want := m.room("customer", c.CustomerID, m.customers)
	if want == "" && c.TrunkID != "" {
		want = m.room("trunk", c.TrunkID, c.Trunk)
	}
	opened := g.Open(c.CustomerID)
	pass, err := g.Admit(c)
	if (opened == nil) != (err == nil || !strings.HasPrefix(want, "customer_")) {
		t.Fatalf("%+v: asked before %v, admitted %v", c, opened, err)
	}
	var r *Refusal
	if errors.As(err, &r) != (want != "") || r != nil && (r.Rule != want || fault.ReasonOf(err) != "CALLS_OUT_LIMIT_REACHED") {
		t.Fatalf("%+v: %v, want %q", c, err, want)
	}
	if err != nil {
		return
	}
	x := &mark{claim: c, pass: pass, admitted: time.Now()}
	m.calls = append(m.calls, x)
	m.obedient.Go(func() { // the line, which ends when it is told
		done := time.NewTicker(24 * time.Hour)
		defer done.Stop()
		for {
			select {
			case <-pass.Over():
				m.end(x, true)
				return
			case <-done.C:
			}
			m.mu.Lock()
			ended := !x.ended.IsZero()
			m.mu.Unlock()
			if ended {
				return
			}
		}
	})
}

func (m *model) answer(x *mark) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if x.ended.IsZero() && x.answered.IsZero() {
		x.answered = time.Now()
	}
	x.pass.Answered()
}

// TestManyAtOnce: of 300 calls asked for at the same moment exactly the limit gets through.
func TestManyAtOnce(t *testing.T) {
	g := New(route.Limits{Concurrent: 17})
	var admitted atomic.Int32
	var all sync.WaitGroup
	for range 300 {
		all.Go(func() {
			if p, err := g.Admit(Claim{CustomerID: "c", TrunkID: "t", Trunk: route.Limits{CallsPerMinute: 40}}); err == nil {
				admitted.Add(1)
				if rand.IntN(2) == 0 {
					p.Answered()
				}
			}
		})
	}
	all.Wait()
	if admitted.Load() != 17 {
		t.Errorf("%d", admitted.Load())
	}
}

// TestMinutesEndCalls: two calls that talk share ten minutes and are told to end after five; the next day begins with ten again.
func TestMinutesEndCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(route.Limits{MinutesPerDay: 10})
		admit := func() *Pass {
			p, err := g.Admit(Claim{CustomerID: "c"})
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		a, b, ringing := admit(), admit(), admit()
		a.Answered()
		b.Answered()
		time.Sleep(5*time.Minute - time.Second)
		if a.Why() != nil {
			t.Error("too early")
		}
		time.Sleep(2 * time.Second)
		<-a.Over()
		<-b.Over()
		if r := a.Why(); r == nil || r.Rule != "customer_minutes_per_day" || !strings.Contains(r.Error(), "10") {
			t.Error(r)
		}
		a.Release()
		b.Release()
		if _, err := g.Admit(Claim{CustomerID: "c"}); err == nil {
			t.Error("admitted without a minute left")
		}
		ringing.Answered()
		<-ringing.Over()
		ringing.Release()
		time.Sleep(24 * time.Hour)
		c := admit()
		c.Answered()
		time.Sleep(9 * time.Minute)
		if c.Why() != nil {
			t.Error("yesterday's minutes count")
		}
		c.Release()
	})
}

// TestUsageSurvives: what was taken last is never less than what was talked, and holds in the next life.
func TestUsageSurvives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := route.Limits{MinutesPerDay: 10}
		g := New(route.Limits{})
		claim := Claim{CustomerID: "c", TrunkID: "t", Trunk: limits}
		p, err := g.Admit(claim)
		if err != nil || len(g.Usage(time.Minute)) != 0 {
			t.Fatal(err)
		}
		p.Answered()
		<-g.Changed()
		kept := map[string]Usage{}
		take := func(ahead time.Duration) {
			for _, u := range g.Usage(ahead) {
				kept[u.Kind+" "+u.ID] = u
			}
		}
		take(time.Minute)
		if kept["trunk t"].Used != time.Minute || kept["customer c"].Used != time.Minute {
			t.Error(kept)
		}
		time.Sleep(time.Minute)
		take(time.Minute)
		time.Sleep(30 * time.Second) // and then the process dies
		if u := kept["trunk t"].Used; u != 2*time.Minute {
			t.Error(u)
		}
		next := New(route.Limits{})
		next.Restore([]Usage{kept["trunk t"], {Kind: "customer", ID: "c", Day: time.Now().Add(-48 * time.Hour), Used: time.Hour}})
		q, err := next.Admit(claim)
		if err != nil {
			t.Fatal(err)
		}
		q.Answered()
		time.Sleep(8*time.Minute + time.Second)
		<-q.Over()
		q.Release()
		p.Release()
		if list := next.Usage(0); len(list) != 2 || fmt.Sprint(list[0].Used.Round(time.Second)+list[1].Used.Round(time.Second)) != "18m2s" {
			t.Error(list)
		}
		if list := next.Usage(0); len(list) != 0 {
			t.Error("taken twice", list)
		}
	})
}
