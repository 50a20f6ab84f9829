package inside

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"parley/internal/fault"
	"parley/internal/line/door"
)

var (
	_ door.Dialog    = Callee{}
	_ door.Departure = Caller{}
)

func TestPair(t *testing.T) {
	for name, tt := range map[string]struct {
		do             func(p *Pair)
		last           int // status of the last reply
		caller, callee string
		status         int
	}{
		"answered, caller hangs up": {func(p *Pair) { answer(t, p); p.Caller().Hangup("") }, 200, "local", "remote", 0},
		"answered, callee hangs up": {func(p *Pair) { answer(t, p); p.Callee().Hangup("") }, 200, "remote", "local", 0},
		"taken back":                {func(p *Pair) { p.Caller().Cancel(""); p.Callee().Hangup("") }, 487, "local", "remote", 487},
		"refused":                   {func(p *Pair) { p.Callee().Reject(fault.New(fault.Exhausted, "X", "full")) }, 486, "remote", "local", 486},
		"ended before the answer":   {func(p *Pair) { p.Callee().Hangup("over") }, 480, "remote", "local", 480},
		"nobody answers":            {func(*Pair) { time.Sleep(time.Minute) }, 408, "local", "remote", 408},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := NewPair(30 * time.Second)
				for range 10 { // whoever rings often rings once
					if err := p.Callee().Ring(t.Context(), nil); err != nil {
						t.Error(err)
					}
				}
				tt.do(p)
				synctest.Wait()
				last := 0
				for r := range p.Caller().Progress() {
					last = r.Status
				}
				<-p.Caller().Done()
				<-p.Callee().Done()
				by, status := p.Caller().Cause()
				other, same := p.Callee().Cause()
				if last != tt.last || by != tt.caller || other != tt.callee || status != tt.status || same != status {
					t.Errorf("%d, caller %s %d, callee %s %d", last, by, status, other, same)
				}
				if _, err := p.Callee().Answer(context.Background(), nil); tt.status != 0 && err == nil {
					t.Error("answered after its end")
				}
			})
		})
	}
}

func answer(t *testing.T, p *Pair) {
	t.Helper()
	if _, err := p.Callee().Answer(t.Context(), []byte("answer")); err != nil {
		t.Error(err)
	}
}

func TestTies(t *testing.T) {
	var ties Ties
	link := func(a, b string) (*Tie, *Tie, error) {
		from, to := ties.Tie()
		if err := to.Sit(b); err != nil {
			t.Fatal(err)
		}
		return from, to, from.Sit(a)
	}
	refused := func(a, b string, want bool) {
		t.Helper()
		from, to, err := link(a, b)
		if (fault.ReasonOf(err) == "CONFERENCE_LINK_LOOP") != want {
			t.Errorf("%s with %s: %v", a, b, err)
		}
		from.Stand()
		to.Stand()
	}
	refused("a", "a", true)
	refused("a", "b", false)
	ab, ba, err := link("a", "b")
	if err != nil {
		t.Fatal(err)
	}
	refused("b", "a", true)
	bc, cb, _ := link("b", "c")
	refused("c", "a", true)
	refused("c", "d", false)
	if err := cb.Sit("a"); err == nil { // it is moved
		t.Error("moved into a loop")
	}
	if err := cb.Sit("d"); err != nil {
		t.Error(err)
	}
	refused("c", "a", false)
	refused("d", "a", true)
	for _, e := range []*Tie{ab, ba, bc, cb} {
		e.Stand()
	}
	refused("a", "d", false)
	if len(ties.links) != 0 {
		t.Errorf("%d links are left", len(ties.links))
	}
	var none *Tie
	none.Stand()
	if err := none.Sit("a"); err != nil {
		t.Error(err)
	}
}
