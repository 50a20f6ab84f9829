package server

import (
	"context"
	"fmt"
	"net/netip"

	sipgo "github.com/emiago/sipgo/sip"

	"parley/internal/api/rest"
	"parley/internal/api/trunks"
	"parley/internal/sip"
	"parley/internal/trunk"
	"parley/internal/trunk/route"
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
	})
	return err
}

func (p *parts) trunkRoutes() []rest.Route { return trunks.Routes(p.trunks.Book()) }

// authenticate takes calls from a trunk's networks for its customer's, without credentials; all others are asked for theirs. Who calls is what
// the trunk says it is, not what somebody writes into From: Identity has no name in it.
func (p *parts) authenticate(req *sipgo.Request, source netip.AddrPort) (sip.Identity, *sipgo.Response) {
	if req.GetHeader("Authorization") == nil && req.GetHeader("Proxy-Authorization") == nil {
		if o, ok := p.trunks.From(source.Addr()); ok {
			return sip.Identity{CustomerID: o.CustomerID}, nil
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
