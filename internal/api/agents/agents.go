package agents

import (
	"context"
	"fmt"

	"parley/internal/agent"
	"parley/internal/agent/roster"
	"parley/internal/api/account"
	"parley/internal/api/rest"
	"parley/internal/call"
	"parley/internal/fault"
	"parley/internal/store"
	"parley/internal/trunk/route"
)

// Options of the routes. All are needed.
type Options struct {
	Store    store.Store
	Roster   *roster.Roster
	Accounts *account.Accounts
	Hash     func(ctx context.Context, password string) (string, error) // checks a new password and returns what is kept of it
}

type agents struct{ Options }

// Routes returns them.
func Routes(o Options) []rest.Route {
	a := &agents{o}
	admin := agent.CustomerAdmin
	return append(a.own(), []rest.Route{
		{Method: "GET", Path: "/agents", Do: a.list},
		{Method: "POST", Path: "/agents", Do: a.create, May: admin},
		{Method: "GET", Path: "/agents/{id}", Do: a.get},
		{Method: "PUT", Path: "/agents/{id}", Do: a.update},
		{Method: "DELETE", Path: "/agents/{id}", Do: a.remove, May: admin},
		{Method: "PUT", Path: "/agents/{id}/addresses", Do: a.byID(a.addresses)},
		{Method: "PUT", Path: "/agents/{id}/tag_ids", Do: a.byID(tags)},
		{Method: "PUT", Path: "/agents/{id}/permission", Do: a.byID(permission), May: admin},
		{Method: "PUT", Path: "/agents/{id}/status", Do: a.byID(status)},
		{Method: "PUT", Path: "/agents/{id}/password", Do: a.byID(a.password), May: admin},
		{Method: "POST", Path: "/agents/{id}/direct-hash-regenerate", Do: a.rehash},
	}...)
}

func (a *agents) list(r *rest.Request) (rest.Reply, error) {
	return r.List(store.Query{Kind: store.Agent}, func(rec store.Record) (any, error) {
		who, err := roster.Read(rec)
		return who.Agent, err
	})
}

// newAgent is what POST /agents takes.
type newAgent struct {
	Username   string            `json:"username"`
	Password   string            `json:"password"`
	Name       string            `json:"name"`
	Detail     string            `json:"detail"`
	RingMethod agent.RingMethod  `json:"ring_method"`
	Status     agent.Status      `json:"status"`
	Permission *agent.Permission `json:"permission"` // absent: an agent's
	TagIDs     []string          `json:"tag_ids"`
	Addresses  []call.Address    `json:"addresses"`
}

func (a *agents) create(r *rest.Request) (rest.Reply, error) {
	var in newAgent
	if err := r.Parse(&in); err != nil {
		return rest.Reply{}, err
	}
	who := agent.Agent{
		ID: r.NewID(), CustomerID: r.CustomerID, Username: in.Username, Name: in.Name, Detail: in.Detail, RingMethod: in.RingMethod, Status: in.Status,
		Permission: agent.CustomerAgent, TagIDs: in.TagIDs, Addresses: in.Addresses,
	}
	if in.Permission != nil {
		who.Permission = *in.Permission
	}
	if err := checkAddresses(who.Addresses); err != nil {
		return rest.Reply{}, err
	}
	hash, err := a.Hash(r.Context(), in.Password)
	if err != nil {
		return rest.Reply{}, err
	}
	who, err = a.Roster.Add(r.Context(), who, hash, func(made agent.Agent) (*store.Answer, error) { return r.KeepWith(made) })
	if err != nil {
		return rest.Reply{}, err
	}
	return rest.Tagged(who)
}

// checkAddresses fills in the types that are left out, and refuses what no call can be made to.
func checkAddresses(list []call.Address) error {
	for i := range list {
		list[i] = route.Typed(list[i])
		if _, err := route.Parse(list[i]); err != nil {
			if f, ok := fault.Of(err); ok {
				return fault.New(f.Kind, f.Reason, "addresses[%d]: %s", i, f.Message)
			}
			return err
		}
	}
	return nil
}

func (a *agents) get(r *rest.Request) (rest.Reply, error) {
	id, err := r.ID()
	if err != nil {
		return rest.Reply{}, err
	}
	who, err := a.Roster.Get(r.Context(), r.CustomerID, id)
	if err != nil {
		return rest.Reply{}, err
	}
	return rest.Tagged(who)
}

// patch changes what is not nil.
type patch struct {
	Name       *string           `json:"name"`
	Detail     *string           `json:"detail"`
	RingMethod *agent.RingMethod `json:"ring_method"`
}

func (a *agents) update(r *rest.Request) (rest.Reply, error) { return a.byID(basics)(r) }

// change reads a body and returns what it does to an agent.
type change func(r *rest.Request) (func(*agent.Record) error, error)

// byID is a route that changes the agent in the path.
func (a *agents) byID(read change) func(*rest.Request) (rest.Reply, error) {
	return func(r *rest.Request) (rest.Reply, error) {
		id, err := r.ID()
		if err != nil {
			return rest.Reply{}, err
		}
		return a.change(r, id, read)
	}
}

func (a *agents) change(r *rest.Request, id string, read change) (rest.Reply, error) {
	if _, err := a.Roster.Get(r.Context(), r.CustomerID, id); err != nil { // before anything is worked out for nobody
		return rest.Reply{}, err
	}
	do, err := read(r)
	if err != nil {
		return rest.Reply{}, err
	}
	who, err := a.Roster.Update(r.Context(), r.CustomerID, id, func(rec *agent.Record) error {
		if err := r.Match(rec.Agent); err != nil {
			return err
		}
		return do(rec)
	})
	if err != nil {
		return rest.Reply{}, err
	}
	return rest.Tagged(who)
}

func basics(r *rest.Request) (func(*agent.Record) error, error) {
	var in patch
	if err := r.Parse(&in); err != nil {
		return nil, err
	}
	return func(rec *agent.Record) error {
		set(&rec.Name, in.Name)
		set(&rec.Detail, in.Detail)
		set(&rec.RingMethod, in.RingMethod)
		return nil
	}, nil
}

func (a *agents) addresses(r *rest.Request) (func(*agent.Record) error, error) {
	var in struct {
		Addresses *[]call.Address `json:"addresses"`
	}
	if err := r.Parse(&in); err != nil {
		return nil, err
	}
	if in.Addresses == nil {
		return nil, missing("addresses")
	}
	if err := checkAddresses(*in.Addresses); err != nil {
		return nil, err
	}
	return func(rec *agent.Record) error { rec.Addresses = *in.Addresses; return nil }, nil
}

func tags(r *rest.Request) (func(*agent.Record) error, error) {
	var in struct {
		TagIDs *[]string `json:"tag_ids"`
	}
	if err := r.Parse(&in); err != nil {
		return nil, err
	}
	if in.TagIDs == nil {
		return nil, missing("tag_ids")
	}
	return func(rec *agent.Record) error { rec.TagIDs = *in.TagIDs; return nil }, nil
}

func permission(r *rest.Request) (func(*agent.Record) error, error) {
	var in struct {
		Permission *agent.Permission `json:"permission"`
	}
	if err := r.Parse(&in); err != nil {
		return nil, err
	}
	if in.Permission == nil {
		return nil, missing("permission")
	}
	return func(rec *agent.Record) error { rec.Permission = *in.Permission; return nil }, nil
}

func status(r *rest.Request) (func(*agent.Record) error, error) {
	var in struct {
		Status agent.Status `json:"status"`
	}
	if err := r.Parse(&in); err != nil {
		return nil, err
	}
	if in.Status == "" {
		return nil, missing("status")
	}
	return func(rec *agent.Record) error { rec.SetStatus(in.Status); return nil }, nil
}

func (a *agents) password(r *rest.Request) (func(*agent.Record) error, error) {
	var in struct {
		Password string `json:"password"`
	}
	if err := r.Parse(&in); err != nil {
		return nil, err
	}
	hash, err := a.Hash(r.Context(), in.Password)
	if err != nil {
		return nil, err
	}
	return func(rec *agent.Record) error {
		rec.Password, rec.Epoch = hash, rec.Epoch+1
		return nil
	}, nil
}

func (a *agents) rehash(r *rest.Request) (rest.Reply, error) {
	id, err := r.ID()
	if err != nil {
		return rest.Reply{}, err
	}
	who, err := a.Roster.Rehash(r.Context(), r.CustomerID, id)
	if err != nil {
		return rest.Reply{}, err
	}
	return rest.Tagged(who)
}

// remove does not let somebody delete themselves: the answer would be the last that they get.
func (a *agents) remove(r *rest.Request) (rest.Reply, error) {
	id, err := r.ID()
	if err != nil {
		return rest.Reply{}, err
	}
	if id == r.AgentID {
		return rest.Reply{}, fault.New(fault.Conflict, "STATE_INVALID", "this is the agent of the request itself; have another administrator, or an access key, delete it")
	}
	who, err := a.Roster.Delete(r.Context(), r.CustomerID, id)
	if err != nil {
		return rest.Reply{}, err
	}
	return rest.Tagged(who)
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

func missing(field string) error {
	return fault.New(fault.Invalid, "INVALID_ARGUMENT", "%s: it is missing; send it, even if it is empty", field)
}

// keyAgent is the agent that an access key stands for. The original has none for keys and refuses; its own command line needs one.
func (a *agents) keyAgent(r *rest.Request) (agent.Agent, error) {
	k, err := a.Accounts.Accesskey(r.Context(), r.CustomerID, r.KeyID)
	if err != nil {
		return agent.Agent{}, fmt.Errorf("read access key: %w", err)
	}
	name := k.Name
	if name == "" {
		name = k.TokenPrefix
	}
	return agent.Agent{
		ID: k.ID, CustomerID: k.CustomerID, Username: name, Name: name, Detail: k.Detail, RingMethod: agent.RingAll, Status: agent.Available,
		Permission: agent.CustomerAdmin, TagIDs: []string{}, Addresses: []call.Address{},
		Times: agent.Times{Created: k.Created, Updated: k.Updated, Deleted: k.Deleted},
	}, nil
}
