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
	done               chan struct{}
}

// model keeps what has happened and counts it anew each time, without the guard's means.
type model struct {
	mu        sync.Mutex
	calls     []*mark
	customers route.Limits
	trunks    map[string]route.Limits
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

func (m *model) check(kind, id string, l route.Limits) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, talk := m.counts(kind, id)
	over := func(have, most int) bool { return most > 0 && have > most }
	if over(c.Concurrent, l.Concurrent) || over(c.CallsPerSecond, l.CallsPerSecond) || over(c.CallsPerMinute, l.CallsPerMinute) {
		return fmt.Errorf("%s %s: %+v, more than %+v", kind, id, c, l)
	}
	if most := time.Duration(l.MinutesPerDay) * time.Minute; most > 0 && talk > most+time.Microsecond {
		return fmt.Errorf("%s %s: talked %v, more than %v", kind, id, talk, most)
	}
	return nil
}

func (m *model) end(x *mark, cut bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !x.ended.IsZero() {
		return
	}
	x.ended, x.cut = time.Now(), cut
	close(x.done)
	x.pass.Release()
	x.pass.Release()
}

// step is one thing that happens.
type step struct {
	do              string
	customer, trunk string
	call            int
	wait            time.Duration
}

var steps = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
	return step{
		do:       rapid.SampledFrom([]string{"admit", "admit", "admit", "answer", "answer", "end", "wait", "wait"}).Draw(t, "do"),
		customer: rapid.SampledFrom([]string{"c0", "c1"}).Draw(t, "customer"), trunk: rapid.SampledFrom([]string{"", "t0", "t1"}).Draw(t, "trunk"),
		call: rapid.IntRange(0, 9).Draw(t, "call"),
		wait: rapid.SampledFrom([]time.Duration{300 * time.Millisecond, time.Second, 20 * time.Second, 55 * time.Second, 12*time.Hour - time.Minute}).Draw(t, "wait"),
	}
}), 20, 60)

// TestNeverMore: whatever is asked in whatever order, no limit is ever exceeded, and what is refused would have exceeded one. The steps are drawn
// outside of the virtual time that they are played in: rapid has a clock of its own.
func TestNeverMore(t *testing.T) {
	for range 10 {
		neverMore(t)
	}
}

func neverMore(t *testing.T) {
	t.Helper()
	rapid.Check(t, func(r *rapid.T) {
		m := &model{customers: drawLimits(r, "customer"), trunks: map[string]route.Limits{"t0": drawLimits(r, "t0"), "t1": drawLimits(r, "t1")}}
		list := steps.Draw(r, "steps")
		var err error
		synctest.Test(t, func(*testing.T) { err = m.play(list) })
		if err != nil {
			r.Fatal(err)
		}
	})
}

func drawLimits(t *rapid.T, name string) route.Limits {
	n := rapid.SampledFrom([]int{0, 0, 0, 0, 2, 3, 5})
	return route.Limits{
		CallsPerSecond: n.Draw(t, name+" per second"), CallsPerMinute: n.Draw(t, name+" per minute"),
		Concurrent: n.Draw(t, name+" at once"), MinutesPerDay: n.Draw(t, name+" minutes"),
	}
}

// recent returns one of the calls, counted from the latest.
func (m *model) recent(i int) *mark { return m.calls[len(m.calls)-1-i%len(m.calls)] }

func (m *model) play(list []step) (err error) {
	g := New(m.customers)
	for i := 0; i < len(list) && err == nil; i++ {
		s := list[i]
		switch {
		case s.do == "wait":
			time.Sleep(s.wait)
		case s.do == "admit":
			err = m.admit(g, Claim{CustomerID: s.customer, TrunkID: s.trunk, Trunk: m.trunks[s.trunk]})
		case len(m.calls) == 0:
		case s.do == "answer":
			m.answer(m.recent(s.call))
		case s.do == "end":
			m.end(m.recent(s.call), false)
		}
		synctest.Wait()
		err = errors.Join(err, m.check("customer", "c0", m.customers), m.check("customer", "c1", m.customers))
		for id, l := range m.trunks {
			err = errors.Join(err, m.check("trunk", id, l))
		}
	}
	for _, x := range m.calls {
		m.end(x, false)
	}
	m.obedient.Wait()
	return err
}

func (m *model) admit(g *Guard, c Claim) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	want := m.room("customer", c.CustomerID, m.customers)
	if want == "" && c.TrunkID != "" {
		want = m.room("trunk", c.TrunkID, c.Trunk)
	}
	opened := g.Open(c)
	pass, err := g.Admit(c)
	if fmt.Sprint(opened) != fmt.Sprint(err) {
		return fmt.Errorf("%+v: asked before %w, admitted %w", c, opened, err)
	}
	var r *Refusal
	if errors.As(err, &r) != (want != "") || r != nil && (r.Rule != want || fault.ReasonOf(err) != "CALLS_OUT_LIMIT_REACHED") {
		return fmt.Errorf("%+v: %w, want %q", c, err, want)
	}
	if err != nil {
		return nil
	}
	x := &mark{claim: c, pass: pass, admitted: time.Now()}
	m.calls = append(m.calls, x)
	x.done = make(chan struct{})
	m.obedient.Go(func() { // the line, which ends when it is told
		select {
		case <-pass.Over():
			m.end(x, true)
		case <-x.done:
		}
	})
	return nil
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
