package agent

import (
	"testing"

	"parley/internal/call"
	"parley/internal/fault"
)

func TestStatusFollowsCalls(t *testing.T) {
	for _, tt := range []struct {
		name  string
		rest  Status
		steps []step
		want  []Status
	}{
		{"rings and is not answered", Available, []step{ring("a"), end("a")}, []Status{Ringing, Available}},
		{"is answered", Available, []step{ring("g"), ring("a"), answer("a"), answer("g"), end("a"), end("g")}, []Status{Ringing, Ringing, Busy, Busy, Busy, Available}},
		{"offline stays so until it answers", Offline, []step{ring("a"), answer("a"), end("a")}, []Status{Offline, Busy, Offline}},
		{"two calls", Available, []step{ring("a"), answer("a"), ring("b"), answer("b"), end("a"), end("b")}, []Status{Ringing, Busy, Busy, Busy, Busy, Available}},
		{"chosen in a call", Available, []step{ring("a"), answer("a"), choose(Away), end("a")}, []Status{Ringing, Busy, Away, Away}},
		{"strangers", Away, []step{end("x"), answer("y")}, []Status{Away, Away}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var r Record
			calls := Calls{}
			r.SetStatus(tt.rest)
			for i, do := range tt.steps {
				if do(&r, calls); r.Status != tt.want[i] {
					t.Errorf("step %d: %s, want %s", i, r.Status, tt.want[i])
				}
			}
		})
	}
}

type step func(*Record, Calls)

func ring(id string) step   { return func(r *Record, c Calls) { c.Ring(id); r.Follow(c) } }
func answer(id string) step { return func(r *Record, c Calls) { c.Answer(id); r.Follow(c) } }
func end(id string) step    { return func(r *Record, c Calls) { c.End(id); r.Follow(c) } }
func choose(s Status) step  { return func(r *Record, _ Calls) { r.SetStatus(s) } }

func TestCheck(t *testing.T) {
	good := Agent{Username: "ann@example.com", Status: Available, Permission: CustomerAgent, Addresses: []call.Address{{Type: "extension", Target: "2001"}}}
	if err := good.Check(); err != nil || good.RingMethod != RingAll || good.TagIDs == nil {
		t.Fatalf("%+v %v", good, err)
	}
	for name, spoil := range map[string]func(*Agent){
		"no username":       func(a *Agent) { a.Username = "" },
		"blank in username": func(a *Agent) { a.Username = "an n" },
		"control character": func(a *Agent) { a.Username = "an\x01" },
		"status":            func(a *Agent) { a.Status = "asleep" },
		"ring method":       func(a *Agent) { a.RingMethod = "ring_all" },
		"super admin":       func(a *Agent) { a.Permission = 1 },
		"everything":        func(a *Agent) { a.Permission = 65535 },
		"tag":               func(a *Agent) { a.TagIDs = []string{"x"} },
		"agent of agent":    func(a *Agent) { a.Addresses = []call.Address{{Type: "agent", Target: "x"}} },
		"conference":        func(a *Agent) { a.Addresses = []call.Address{{Type: "conference", Target: "x"}} },
		"too many":          func(a *Agent) { a.Addresses = make([]call.Address, 21) },
		"long name":         func(a *Agent) { a.Name = string(make([]byte, 300)) },
	} {
		bad := good
		spoil(&bad)
		if err := bad.Check(); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}
