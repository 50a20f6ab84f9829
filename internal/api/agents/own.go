package agents

import (
	"fmt"

	"parley/internal/agent"
	"parley/internal/agent/roster"
	"parley/internal/api/account"
	"parley/internal/api/rest"
	"parley/internal/call"
	"parley/internal/fault"
	"parley/internal/store"
	"parley/internal/wire"
)

// own are the routes for agents themselves.
func (a *agents) own() []rest.Route {
	routes := []rest.Route{
		{Method: "GET", Path: "/service_agents/me", Do: a.me},
		{Method: "PUT", Path: "/service_agents/me", Do: a.mine(basics)},
		{Method: "PUT", Path: "/service_agents/me/addresses", Do: a.mine(a.addresses)},
		{Method: "PUT", Path: "/service_agents/me/status", Do: a.mine(status)},
		{Method: "PUT", Path: "/service_agents/me/password", Do: a.mine(a.password)},
		{Method: "GET", Path: "/service_agents/agents", Do: a.colleagues},
		{Method: "GET", Path: "/service_agents/agents/{id}", Do: a.colleague},
		{Method: "GET", Path: "/service_agents/calls", Do: a.calls},
		{Method: "GET", Path: "/service_agents/calls/{id}", Do: a.call},
		{Method: "GET", Path: "/service_agents/customer", Do: a.customer},
		{Method: "GET", Path: "/service_agents/extensions", Do: a.extensions},
		{Method: "GET", Path: "/service_agents/extensions/{id}", Do: a.extension},
	}
	for i := range routes {
		routes[i].Agents, routes[i].May = true, agent.CustomerAll
	}
	return append(routes, rest.Route{Method: "GET", Path: "/me", Do: a.me, May: agent.CustomerAll})
}

// me answers who asks.
func (a *agents) me(r *rest.Request) (rest.Reply, error) {
	if r.AgentID == "" {
		who, err := a.keyAgent(r)
		return rest.Reply{Body: who}, err
	}
	who, err := a.Roster.Get(r.Context(), r.CustomerID, r.AgentID)
	if err != nil {
		return rest.Reply{}, err
	}
	return rest.Tagged(who)
}

// mine is a route that changes the agent who asks.
func (a *agents) mine(read change) func(*rest.Request) (rest.Reply, error) {
	return func(r *rest.Request) (rest.Reply, error) { return a.change(r, r.AgentID, read) }
}

// seen is an agent as a colleague sees it: without what reaches it past everybody.
func seen(r *rest.Request, who agent.Agent) agent.Agent {
	if who.ID != r.AgentID {
		who.DirectHash = ""
	}
	return who
}

func (a *agents) colleagues(r *rest.Request) (rest.Reply, error) {
	return r.List(store.Query{Kind: store.Agent}, func(rec store.Record) (any, error) {
		who, err := roster.Read(rec)
		return seen(r, who.Agent), err
	})
}

func (a *agents) colleague(r *rest.Request) (rest.Reply, error) {
	id, err := r.ID()
	if err != nil {
		return rest.Reply{}, err
	}
	who, err := a.Roster.Get(r.Context(), r.CustomerID, id)
	if err != nil {
		return rest.Reply{}, err
	}
	return rest.Tagged(seen(r, who))
}

// calls are those that were made to the agent.
func (a *agents) calls(r *rest.Request) (rest.Reply, error) {
	return r.List(store.Query{Kind: store.Call, Reference: r.AgentID}, func(rec store.Record) (any, error) {
		c, err := rest.Read[call.Call](rec)
		return c.Resource(), err
	})
}

func (a *agents) call(r *rest.Request) (rest.Reply, error) {
	rec, err := r.Owned(store.Call)
	if err != nil {
		return rest.Reply{}, err
	}
	c, err := rest.Read[call.Call](rec)
	if err != nil {
		return rest.Reply{}, err
	}
	if c.OwnerID != r.AgentID {
		return rest.Reply{}, rest.Unknown(store.Call)
	}
	return rest.Tagged(c.Resource())
}

// customer is the agent's, without the secret that its webhooks are signed with.
func (a *agents) customer(r *rest.Request) (rest.Reply, error) {
	c, err := a.Accounts.Customer(r.Context(), r.CustomerID)
	if err != nil {
		return rest.Reply{}, err
	}
	c.WebhookSecret = ""
	return rest.Tagged(c)
}

// extensions are those among the agent's addresses: with their passwords, for its phone to register.
func (a *agents) extensions(r *rest.Request) (rest.Reply, error) {
	list, err := a.ownExtensions(r)
	if err != nil {
		return rest.Reply{}, err
	}
	out := rest.Page{Result: []any{}}
	for _, e := range list {
		out.Result = append(out.Result, e)
	}
	return rest.Reply{Body: out}, nil
}

func (a *agents) extension(r *rest.Request) (rest.Reply, error) {
	id, err := r.ID()
	if err != nil {
		return rest.Reply{}, err
	}
	list, err := a.ownExtensions(r)
	if err != nil {
		return rest.Reply{}, err
	}
	for _, e := range list {
		if e.ID == id {
			return rest.Tagged(e)
		}
	}
	return rest.Reply{}, rest.Unknown(store.Extension)
}

func (a *agents) ownExtensions(r *rest.Request) (list []account.Extension, err error) {
	who, err := a.Roster.Get(r.Context(), r.CustomerID, r.AgentID)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, to := range who.Addresses {
		if to.Type != "extension" {
			continue
		}
		rec, err := a.Store.Resolve(r.Context(), "extension", to.Target)
		if id, ok := wire.ParseUUID(to.Target); ok {
			rec, err = a.Store.Get(r.Context(), store.Extension, id)
		}
		switch {
		case fault.KindOf(err) == fault.NotFound, err == nil && (rec.Deleted || rec.CustomerID != r.CustomerID || seen[rec.ID]):
			continue
		case err != nil:
			return nil, fmt.Errorf("read extension: %w", err)
		}
		e, err := account.ReadExtension(rec)
		if err != nil {
			return nil, err
		}
		seen[rec.ID] = true
		list = append(list, e)
	}
	return list, nil
}
