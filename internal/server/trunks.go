package server

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	sipgo "github.com/emiago/sipgo/sip"

	"parley/internal/api/rest"
	"parley/internal/api/trunks"
	"parley/internal/sip"
	"parley/internal/sip/registration"
	"parley/internal/trunk"
	"parley/internal/trunk/route"
	"parley/internal/wire"
)

// openTrunks makes the way out of this server, with its guard.
func (p *parts) openTrunks(ctx context.Context) error {
	c := p.c.CallsOut
	policy, err := route.NewPolicy(c.AllowNumbers, c.AllowSIP, p.c.Dev)
	if err != nil {
		return fmt.Errorf("settings calls_out: %w", err)
	}
	p.trunks, err = trunk.Open(ctx, trunk.Options{
		Store: p.store, Log: p.log, Policy: policy,
		PerCustomer: route.Limits{CallsPerMinute: c.CallsPerMinute, Concurrent: c.Concurrent, MinutesPerDay: c.MinutesPerDay},
		Down: func(id string) bool {
			s, ok := p.trunkStates()[id]
			return ok && s.Reachable != nil && !*s.Reachable
		},
	})
	return err
}

func (p *parts) trunkRoutes() []rest.Route { return trunks.Routes(p.trunks.Book(), p.trunkStates) }

// pingEvery is the time between two OPTIONS to a trunk.
const pingEvery = 30 * time.Second

// registerAtTrunks has the SIP door register at trunks, and look whether they are there.
func (p *parts) registerAtTrunks() {
	p.trunks.Book().Follow(func(all []route.Trunk) {
		var list []registration.Trunk
		for i := range all {
			t := &all[i]
			if !t.Enabled {
				continue
			}
			r := registration.Trunk{ID: t.ID, Server: t.URI(), User: t.Username, Password: t.Password, Ping: pingEvery}
			if t.Auth == route.Register {
				r.AOR = t.AOR()
			}
			list = append(list, r)
		}
		p.phones.Trunks().Set(list)
	})
}

// trunkStates says how trunks are, by id.
func (p *parts) trunkStates() map[string]trunks.State {
	out := map[string]trunks.State{}
	for _, s := range p.phones.Trunks().States() {
		v := trunks.State{Registered: s.Registered, Status: s.Status, Reason: s.Reason, RTT: float64(s.RTT) / float64(time.Millisecond), Changed: wire.Time(s.Changed)}
		if s.Pinged && (!s.Changed.IsZero() || s.Reason != "") { // it was asked at least once
			v.Reachable = &s.Reachable
		}
		out[s.ID] = v
	}
	return out
}

// authenticate takes calls from a trunk's networks for its customer's, without credentials; all others are asked for theirs. Who calls is what
// the trunk says it is where the trunk is trusted, else what it writes into From.
func (p *parts) authenticate(req *sipgo.Request, source netip.AddrPort) (sip.Identity, *sipgo.Response) {
	if req.GetHeader("Authorization") == nil && req.GetHeader("Proxy-Authorization") == nil {
		if o, ok := p.trunks.From(source.Addr()); ok {
			return sip.Identity{CustomerID: o.CustomerID, Trusted: o.TrustIdentity}, nil
		}
	}
	return p.registrar.Authenticate(req, source)
}

// trunkSamples are the figures of calls out that were refused.
func (p *parts) trunkSamples() (out []sample) {
	for rule, n := range p.trunks.Refused() {
		out = append(out, counter("calls_out_refused_total", "Calls out that the guard has refused, by rule.", n, "rule", rule))
	}
	return out
}
