package server

import (
	"context"
	"net/http"

	"parley/internal/flow/action"
	"parley/internal/line"
	"parley/internal/line/script"
	"parley/internal/webhook/target"
)

// openFlows makes what performs flows. Runs on no call dial through the lines, which are made after it.
func (p *parts) openFlows() {
	c := p.c.Webhooks
	p.flows = script.New(script.Options{
		Store: p.store, Prompts: p.prompts, Log: p.log, Call: p.dial, Timeout: c.Timeout,
		HTTP: &http.Client{Transport: target.New(p.allowed()).Transport(c.Timeout)},
	})
}

// dial makes the calls that a run on no call asks for. There is no call that they could end with.
func (p *parts) dial(ctx context.Context, plan script.Plan, o *action.Calling) error {
	_, err := p.lines.Place(ctx, line.Order{
		CustomerID: plan.CustomerID, Source: o.Source, Destinations: o.Destinations, FlowID: o.FlowID, Actions: o.Actions, Anonymous: o.Anonymous,
		CallCount: plan.Env.CallCount + 1,
	})
	return err
}
