package line_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/internal/call"
	"parley/internal/call/group"
	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/line"
	"parley/internal/store"
	"parley/internal/trunk"
	"parley/internal/trunk/guard"
	"parley/internal/trunk/route"
)

// ways lets calls out but to those whom it refuses, and counts how often it was asked for each.
type ways struct {
	refused map[string]string // target: reason
	guard   *guard.Guard      // nil: everybody passes

	mu    sync.Mutex // guards asked
	asked map[string]int
}

func (w *ways) Plan(_ context.Context, _ string, to, _ call.Address) ([]route.Hop, error) {
	w.mu.Lock()
	w.asked[to.Target]++
	w.mu.Unlock()
	if reason := w.refused[to.Target]; reason != "" {
		return nil, fault.New(fault.Exhausted, reason, "no call to %s", to.Target)
	}
	return []route.Hop{{Kind: route.SIP, To: to.Target}}, nil
}

func (w *ways) Admit(r trunk.Request) (*guard.Pass, error) {
	if w.guard != nil {
		return w.guard.Admit(guard.Claim{CustomerID: r.CustomerID})
	}
	return guard.New(route.Limits{}).Free(), nil
}

// TestGroupOfRefused says that a groupcall which can call nobody is refused as the first of its destinations is, and nothing is made; with somebody to
// call it is made, and who is asked for early is not asked for again.
func TestGroupOfRefused(t *testing.T) {
	const used, denied = "CALLS_OUT_LIMIT_REACHED", "DESTINATION_NOT_ALLOWED"
	for _, ring := range []group.RingMethod{group.RingAll, group.Linear} {
		for _, tt := range []struct {
			to      []string
			refused string
			calls   int // at once
		}{
			{[]string{"used"}, used, 0},
			{[]string{"used", "denied"}, used, 0},
			{[]string{"denied", "used", "denied"}, denied, 0},
			{[]string{"used", "used", "bob"}, "", 1},
			{[]string{"denied", "bob"}, "", 1},
			{[]string{"bob", "denied"}, "", 1},
			{[]string{"used", "bob", "carol"}, "", map[group.RingMethod]int{group.RingAll: 2, group.Linear: 1}[ring]},
		} {
			t.Run(fmt.Sprint(ring, tt.to), func(t *testing.T) {
				w := &ways{refused: map[string]string{"used": used, "denied": denied}, asked: map[string]int{}}
				o := open
				o.Trunks = w
				perform(t, o, func(b *theatre) {
					b.x.Use(&network{callees: map[string][]int{"bob": {180}, "carol": {180}}})
					order := line.Order{CustomerID: customer, Group: true, RingMethod: string(ring), Actions: []byte(`[{"type":"answer"}]`)}
					for _, name := range tt.to {
						order.Destinations = append(order.Destinations, call.Address{Type: "sip", Target: name})
					}
					p, err := b.x.Place(b.ctx, order)
					if fault.ReasonOf(err) != tt.refused && (err != nil || tt.refused != "") {
						t.Fatal(err)
					}
					time.Sleep(time.Second)
					log := slices.Concat(b.log("groupcall_*"), b.log("call_*"), b.log("activeflow_*"))
					if made := len(log) > 0; made != (tt.refused == "") || len(b.calls()) != tt.calls {
						t.Errorf("%d calls, log %q", len(b.calls()), log)
					}
					for name, n := range w.asked {
						if n > 1 {
							t.Errorf("asked %d times for %s", n, name)
						}
					}
					if len(p.Groups) > 0 {
						_, _ = b.x.HangupGroup(b.ctx, customer, string(p.Groups[0].ID))
					}
				})
			})
		}
	}
}

// TestCallsThatCallThemselves says that a flow whose calls run it again ends after ten of them.
func TestCallsThatCallThemselves(t *testing.T) {
	const hash = "0123456789ab"
	for _, chained := range []string{"false", "true"} {
		place(t, map[string][]int{"bob": {200}}, func(b *theatre, n *network) {
			b.flow(`[{"type":"call","option":{"destinations":[{"type":"extension","target":"bob"}],"flow_id":"${voipbin.activeflow.flow_id}","chained":`+chained+`}},
				{"type":"sleep","option":{"duration":60000}}]`, hash)
			b.run(b.ctx, b.accept(newPhone(), b.invite("direct."+hash, offer("sendrecv", "PCMU"))))
			time.Sleep(10 * time.Minute)
			if got := len(b.calls()); got != 11 {
				t.Errorf("chained %s: %d calls", chained, got)
			}
			events, _, err := b.store.Events(b.ctx, store.LogQuery{Types: []string{"activeflow_updated"}, Limit: 1000})
			if err != nil || !slices.ContainsFunc(events, func(e store.Event) bool { return strings.Contains(string(e.Data), `"reason":"CALLS_TOO_DEEP"`) }) {
				t.Errorf("chained %s: no run says why: %v", chained, err)
			}
		})
	}
}

// TestAdmittedWhenPlaced says that the guard's limits are exact at the moment of the order, and that a call which does not come about takes no room.
func TestAdmittedWhenPlaced(t *testing.T) {
	o := open
	w := &ways{asked: map[string]int{}, guard: guard.New(route.Limits{Concurrent: 1})}
	o.Trunks = w
	perform(t, o, func(b *theatre) {
		b.x.Use(&network{callees: map[string][]int{"bob": {180}, "carol": {180}}})
		sip := func(names ...string) line.Order {
			order := line.Order{CustomerID: customer, Actions: []byte(`[{"type":"answer"}]`)}
			for _, name := range names {
				order.Destinations = append(order.Destinations, call.Address{Type: "sip", Target: name})
			}
			return order
		}
		full := b.conference(conference.Settings{Admission: conference.Locked})
		into := sip("bob")
		into.Actions, into.Join = nil, &line.Joining{ConferenceID: string(full.ID)}
		if _, err := b.x.Place(b.ctx, into); err == nil {
			t.Error("a call into a locked conference was placed")
		}
		time.Sleep(time.Second)
		p, err := b.x.Place(b.ctx, sip("bob", "carol", "bob"))
		if err != nil || len(p.Calls) != 1 {
			t.Fatalf("%d calls, %v", len(p.Calls), err)
		}
		before := len(b.calls())
		_, err = b.x.Place(b.ctx, sip("bob"))
		wantReason(t, err, "CALLS_OUT_LIMIT_REACHED")
		if n := len(b.calls()); n != before {
			t.Errorf("%d calls were made of a refused order", n-before)
		}
		for range 3 {
			if _, err := b.x.Hangup(b.ctx, string(p.Calls[0].ID)); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Second)
			if p, err = b.x.Place(b.ctx, sip("bob")); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := b.x.Hangup(b.ctx, string(p.Calls[0].ID)); err != nil {
			t.Error(err)
		}
	})
}
