package account

import (
	"encoding/json"

	"parley/internal/agent"
	"parley/internal/api/rest"
	"parley/internal/fault"
	"parley/internal/store"
)

// Routes returns the routes of customers, access keys and extensions.
func (a *Accounts) Routes() []rest.Route {
	return append(a.extensionRoutes(), []rest.Route{
		{Method: "GET", Path: "/customer", Do: a.getCustomer},
		{Method: "PUT", Path: "/customer", Do: a.updateCustomer, May: agent.CustomerAdmin},
		{Method: "PUT", Path: "/customer/metadata", Do: a.updateMetadata, May: agent.CustomerAdmin},
		{Method: "GET", Path: "/accesskeys", Do: a.listAccesskeys, May: agent.CustomerAdmin},
		{Method: "POST", Path: "/accesskeys", Do: a.createAccesskey, Secret: true, May: agent.CustomerAdmin},
		{Method: "GET", Path: "/accesskeys/{id}", Do: a.getAccesskey, May: agent.CustomerAdmin},
		{Method: "PUT", Path: "/accesskeys/{id}", Do: a.updateAccesskey, May: agent.CustomerAdmin},
		{Method: "DELETE", Path: "/accesskeys/{id}", Do: a.deleteAccesskey, May: agent.CustomerAdmin},
	}...)
}

func (a *Accounts) getCustomer(r *rest.Request) (rest.Reply, error) {
	c, err := a.Customer(r.Context(), r.CustomerID)
	if err != nil {
		return rest.Reply{}, err
	}
	return rest.Tagged(c)
}

func (a *Accounts) updateCustomer(r *rest.Request) (rest.Reply, error) {
	var in CustomerPatch
	if err := r.Parse(&in); err != nil {
		return rest.Reply{}, err
	}
	return a.patchCustomer(r, in)
}

// updateMetadata replaces the metadata: the body is the object itself, or has it under metadata.
func (a *Accounts) updateMetadata(r *rest.Request) (rest.Reply, error) {
	var in struct {
		Metadata json.RawMessage `json:"metadata"`
	}
	if err := r.Parse(&in); err != nil {
		return rest.Reply{}, err
	}
	if in.Metadata == nil {
		in.Metadata = r.Body
	}
	return a.patchCustomer(r, CustomerPatch{Metadata: in.Metadata})
}

func (a *Accounts) patchCustomer(r *rest.Request, p CustomerPatch) (rest.Reply, error) {
	c, err := a.UpdateCustomer(r.Context(), r.CustomerID, p, func(c Customer) error { return r.Match(c) })
	if err != nil {
		return rest.Reply{}, err
	}
	return rest.Tagged(c)
}

func (a *Accounts) listAccesskeys(r *rest.Request) (rest.Reply, error) {
	return r.List(store.Query{Kind: store.Accesskey}, func(rec store.Record) (any, error) { return ReadAccesskey(rec) })
}

func (a *Accounts) createAccesskey(r *rest.Request) (rest.Reply, error) {
	var in NewAccesskey
	if err := r.Parse(&in); err != nil {
		return rest.Reply{}, err
	}
	k, err := a.AddAccesskey(r.Context(), r.CustomerID, in, func(k Accesskey) (*store.Answer, error) { return r.KeepWith(k) })
	if err != nil {
		return rest.Reply{}, err
	}
	return rest.Reply{Body: k}, nil
}

func (a *Accounts) getAccesskey(r *rest.Request) (rest.Reply, error) {
	id, err := r.ID()
	if err != nil {
		return rest.Reply{}, err
	}
	k, err := a.Accesskey(r.Context(), r.CustomerID, id)
	if err != nil {
		return rest.Reply{}, err
	}
	return rest.Tagged(k)
}

func (a *Accounts) updateAccesskey(r *rest.Request) (rest.Reply, error) {
	id, err := r.ID()
	if err != nil {
		return rest.Reply{}, err
	}
	var in AccesskeyPatch
	if err := r.Parse(&in); err != nil {
		return rest.Reply{}, err
	}
	k, err := a.UpdateAccesskey(r.Context(), r.CustomerID, id, in, func(k Accesskey) error { return r.Match(k) })
	if err != nil {
		return rest.Reply{}, err
	}
	return rest.Tagged(k)
}

// deleteAccesskey does not let a customer lock itself out.
func (a *Accounts) deleteAccesskey(r *rest.Request) (rest.Reply, error) {
	id, err := r.ID()
	if err != nil {
		return rest.Reply{}, err
	}
	if id == r.KeyID {
		return rest.Reply{}, fault.New(fault.Conflict, "STATE_INVALID", "this is the access key of the request itself; delete it with another one")
	}
	k, err := a.DeleteAccesskey(r.Context(), r.CustomerID, id)
	if err != nil {
		return rest.Reply{}, err
	}
	return rest.Tagged(k)
}
