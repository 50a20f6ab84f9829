package line_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"parley/internal/agent"
	"parley/internal/agent/roster"
	"parley/internal/call"
	"parley/internal/call/group"
	"parley/internal/fault"
	"parley/internal/line"
	"parley/internal/store"
)

// agent keeps one who is available, with a status that follows its calls until stop.
func (b *theatre) agent(ring agent.RingMethod, extensions ...string) (a agent.Agent, people *roster.Roster, stop func()) {
	b.Helper()
	people = roster.New(b.store)
	who := agent.Agent{CustomerID: customer, Username: "ann", Status: agent.Available, RingMethod: ring}
	for _, name := range extensions {
		who.Addresses = append(who.Addresses, call.Address{Type: "extension", Target: name})
	}
	a, err := people.Add(b.ctx, who, "", nil)
	if err != nil {
		b.Fatal(err)
	}
	f, err := people.Follow(b.ctx, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.ctx)
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	return a, people, func() { cancel(); <-done }
}

func orderFor(a agent.Agent) line.Order {
	o := order()
	o.Destinations = []call.Address{{Type: "agent", Target: a.ID}}
	return o
}

// TestAgentIsCalled says which phones of an agent ring, and what its status is meanwhile.
func TestAgentIsCalled(t *testing.T) {
	for _, tt := range []struct {
		name     string
		ring     agent.RingMethod
		phones   map[string][]int
		to       []string
		first    int // calls after a second
		answered int // whose call is answered at last, by index; -1: none
		want     []agent.Status
	}{
		{"all at once", agent.RingAll, map[string][]int{"desk": {180}, "mobile": {180, 200}}, []string{"desk", "mobile"}, 2, 1, []agent.Status{agent.Ringing, agent.Busy, agent.Available}},
		{"one after the other", agent.Linear, map[string][]int{"desk": {180, 486}, "mobile": {180, 200}}, []string{"desk", "mobile"}, 1, 1, []agent.Status{agent.Ringing, agent.Busy, agent.Available}},
		{"one is not registered", agent.Linear, map[string][]int{"mobile": {180, 200}}, []string{"desk", "mobile"}, 1, 0, []agent.Status{agent.Ringing, agent.Busy, agent.Available}},
		{"nobody answers", agent.RingAll, map[string][]int{"desk": {180, 480}}, []string{"desk"}, 1, -1, []agent.Status{agent.Ringing, agent.Available}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			place(t, tt.phones, func(b *theatre, n *network) {
				a, people, stop := b.agent(tt.ring, tt.to...)
				defer stop()
				placed, err := b.x.Place(b.ctx, orderFor(a))
				if err != nil {
					t.Fatal(err)
				}
				if g := placed.Groups[0]; g.OwnerType != "agent" || g.OwnerID != a.ID || len(g.Destinations) != len(tt.to) || (g.Ring == group.Linear) != (tt.ring == agent.Linear) {
					t.Errorf("groupcall %+v", g)
				}
				time.Sleep(time.Millisecond)
				calls := b.calls()
				if len(calls) != tt.first {
					t.Errorf("%d calls at first, want %d", len(calls), tt.first)
				}
				for _, c := range calls {
					if c.OwnerType != "agent" || c.OwnerID != a.ID {
						t.Errorf("call of %q %s", c.OwnerType, c.OwnerID)
					}
				}
				time.Sleep(20 * time.Second)
				_, _ = b.x.HangupGroup(b.ctx, customer, string(placed.Groups[0].ID))
				time.Sleep(time.Second)
				answered := -1
				for i, c := range b.calls() {
					if !c.Times.Progressing.IsZero() {
						answered = len(b.calls()) - 1 - i
					}
				}
				if (answered < 0) != (tt.answered < 0) {
					t.Errorf("call %d was answered, want %d", answered, tt.answered)
				}
				if got := b.statuses(); !slices.Equal(got, tt.want) {
					t.Errorf("status %v, want %v", got, tt.want)
				}
				if a, err = people.Get(b.ctx, customer, a.ID); err != nil || a.Status != agent.Available {
					t.Errorf("at last %s %v", a.Status, err)
				}
			})
		})
	}
}

// statuses are those that the log has of agents, without repetitions.
func (b *theatre) statuses() (list []agent.Status) {
	rows, _, err := b.store.Events(b.ctx, store.LogQuery{Types: []string{"agent_updated"}, Limit: 100})
	if err != nil {
		b.Fatal(err)
	}
	for _, e := range rows {
		var a agent.Agent
		if err := json.Unmarshal(e.Data, &a); err != nil {
			b.Fatal(err)
		}
		if n := len(list); n == 0 || list[n-1] != a.Status {
			list = append(list, a.Status)
		}
	}
	return list
}

// TestAgentRefusals says what is said of agents that cannot be called.
func TestAgentRefusals(t *testing.T) {
	place(t, map[string][]int{"desk": {180}}, func(b *theatre, n *network) {
		a, people, stop := b.agent(agent.RingAll)
		defer stop()
		_, err := b.x.Place(b.ctx, orderFor(a))
		wantReason(t, err, "AGENT_HAS_NO_ADDRESS")
		_, err = b.x.Place(b.ctx, orderFor(agent.Agent{ID: "aaaaaaaa-0000-4000-8000-00000000000a"}))
		wantReason(t, err, "AGENT_NOT_FOUND")
		_, err = b.x.Place(b.ctx, orderFor(agent.Agent{ID: "ann"}))
		wantReason(t, err, "INVALID_DESTINATION")
		foreign := orderFor(a)
		foreign.CustomerID = "cccccccc-0000-4000-8000-00000000000c"
		if _, err = b.x.Place(b.ctx, foreign); fault.ReasonOf(err) != "AGENT_NOT_FOUND" {
			t.Errorf("somebody else's: %v", err)
		}
		if _, err := people.Delete(b.ctx, customer, a.ID); err != nil {
			t.Fatal(err)
		}
		_, err = b.x.Place(b.ctx, orderFor(a))
		wantReason(t, err, "AGENT_NOT_FOUND")
		if len(b.calls()) != 0 {
			t.Errorf("%d calls", len(b.calls()))
		}
	})
}

// TestPhonesCallAgents says that a phone of ours reaches an agent by its id, and anybody by its direct hash.
func TestPhonesCallAgents(t *testing.T) {
	for _, direct := range []bool{false, true} {
		place(t, map[string][]int{"desk": {180, 200}}, func(b *theatre, n *network) {
			a, _, stop := b.agent(agent.RingAll, "desk")
			defer stop()
			p := newPhone()
			in := b.invite("agent:"+a.ID, offer("sendrecv", "PCMU"))
			in.CustomerID, in.Extension = customer, "alice"
			if direct {
				in.Target, in.CustomerID, in.Extension = a.DirectHash, "", ""
			}
			l, err := b.x.Accept(b.ctx, in, p)
			if err != nil {
				t.Fatal(err)
			}
			b.run(b.ctx, l)
			time.Sleep(10 * time.Second)
			if !p.isAnswered() {
				t.Error("the agent has not answered")
			}
			owned := 0
			for _, c := range b.calls() {
				if c.OwnerID == a.ID {
					owned++
				}
			}
			if owned != 1 {
				t.Errorf("%d calls are the agent's", owned)
			}
			p.end("remote", 0)
			b.runs.Wait()
			synctest.Wait()
		})
	}
}

// TestPhonesCallAgentsInTurn says that the phones of an agent ring one after the other for a phone of ours, too.
func TestPhonesCallAgentsInTurn(t *testing.T) {
	place(t, map[string][]int{"desk": {180, 486}, "mobile": {180, 200}}, func(b *theatre, n *network) {
		a, _, stop := b.agent(agent.Linear, "desk", "mobile")
		defer stop()
		p := newPhone()
		in := b.invite("agent:"+a.ID, offer("sendrecv", "PCMU"))
		in.CustomerID, in.Extension = customer, "alice"
		l, err := b.x.Accept(b.ctx, in, p)
		if err != nil {
			t.Fatal(err)
		}
		b.run(b.ctx, l)
		time.Sleep(time.Millisecond)
		if n := len(b.calls()); n != 2 {
			t.Errorf("%d calls at first", n)
		}
		time.Sleep(20 * time.Second)
		if n := len(b.calls()); n != 3 || !p.isAnswered() {
			t.Errorf("%d calls at last, answered %t", n, p.isAnswered())
		}
		p.end("remote", 0)
		b.runs.Wait()
		synctest.Wait()
	})
}

// TestAgentJoins says that an agent with one phone is dialled into a conference as anybody is.
func TestAgentJoins(t *testing.T) {
	place(t, map[string][]int{"desk": {180, 200}}, func(b *theatre, n *network) {
		a, _, stop := b.agent(agent.RingAll, "desk")
		defer stop()
		o := b.single("x")
		o.Destinations = orderFor(a).Destinations
		placed, err := b.x.Place(b.ctx, o)
		if err != nil || len(placed.Calls) != 1 || len(placed.Participants) != 1 || placed.Calls[0].OwnerID != a.ID {
			t.Fatalf("%+v %v", placed, err)
		}
	})
}
