package callee

import (
	"context"

	"parley/internal/agent"
	"parley/internal/call"
	"parley/internal/call/group"
	"parley/internal/fault"
	"parley/internal/trunk/route"
)

// Team is what a groupcall is made of.
type Team struct {
	Destinations []call.Address
	Ring         group.RingMethod
	Agent        string // whose groupcall it is, "" for nobody's
}

// Links are those of the team's groupcall.
func (t Team) Links(masterCallID string) group.Links {
	l := group.Links{MasterCallID: masterCallID}
	if t.Agent != "" {
		l.OwnerType, l.OwnerID = "agent", t.Agent
	}
	return l
}

// Turns are those who are called at once, one after the other.
func (t Team) Turns() (turns [][]call.Address) {
	if t.Ring != group.Linear {
		return [][]call.Address{t.Destinations}
	}
	for i := range t.Destinations {
		turns = append(turns, t.Destinations[i:i+1])
	}
	return turns
}

// Team is whom a groupcall of the destinations calls: the addresses of an agent who is the only one, in the agent's order unless ring says another; else the
// destinations themselves, in which an agent's phones ring at once.
func (f Finder) Team(ctx context.Context, customerID string, to []call.Address, ring string) (Team, error) {
	t := Team{Destinations: to, Ring: group.RingMethod(ring)}
	if len(to) != 1 || to[0].Type != route.Agent {
		return t, nil
	}
	target, err := route.Parse(to[0])
	if err != nil {
		return t, err
	}
	who, err := f.agent(ctx, customerID, target.Name)
	if err != nil {
		return t, err
	}
	t.Destinations, t.Agent = who.Addresses, who.ID
	if ring == "" && who.RingMethod == agent.Linear {
		t.Ring = group.Linear
	}
	return t, nil
}

func (f Finder) agent(ctx context.Context, customerID, id string) (agent.Agent, error) {
	if f.Agents == nil {
		return agent.Agent{}, fault.New(fault.Invalid, "DESTINATION_UNSUPPORTED", "this server knows no agents")
	}
	return f.Agents(ctx, customerID, id)
}

// phonesOf finds the phones of an agent, at all addresses that can be called now.
func (f Finder) phonesOf(ctx context.Context, from Caller, id string) (out []Callee, refusal error) {
	who, err := f.agent(ctx, from.CustomerID, id)
	if err != nil {
		return nil, err
	}
	for _, to := range who.Addresses {
		if to.Type == route.Agent || to.Type == route.Conference {
			continue // a record that nobody could have made: it would have no end
		}
		found, err := f.Find(ctx, from, to)
		if err != nil && refusal == nil {
			refusal = err
		}
		for _, c := range found {
			c.Agent = who.ID
			out = append(out, c)
		}
	}
	if len(out) == 0 {
		return nil, refusal
	}
	return out, nil
}
