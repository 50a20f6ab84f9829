package api

import (
	"encoding/json"

	"parley/internal/api/account"
	"parley/internal/api/web"
	"parley/internal/fault"
	"parley/internal/store"
)

func (d *Door) accountRoutes() []route {
	return []route{
		{method: "GET", path: "/me", do: d.me},
		{method: "GET", path: "/customer", do: d.getCustomer},
		{method: "PUT", path: "/customer", do: d.updateCustomer},
		{method: "PUT", path: "/customer/metadata", do: d.updateMetadata},
		{method: "GET", path: "/accesskeys", do: d.listAccesskeys},
		{method: "POST", path: "/accesskeys", do: d.createAccesskey, secret: true},
		{method: "GET", path: "/accesskeys/{id}", do: d.getAccesskey},
		{method: "PUT", path: "/accesskeys/{id}", do: d.updateAccesskey},
		{method: "DELETE", path: "/accesskeys/{id}", do: d.deleteAccesskey},
	}
}

// adminPermission is the original's bit of a customer's administrator, as which an access key acts.
const adminPermission = 32

// agent is the user that an access key stands for. The original has none for keys and refuses; its own command line needs one.
type agent struct {
	ID         string   `json:"id"`
	CustomerID string   `json:"customer_id"`
	Username   string   `json:"username"`
	Name       string   `json:"name"`
	Detail     string   `json:"detail"`
	RingMethod string   `json:"ring_method"`
	Status     string   `json:"status"`
	Permission int      `json:"permission"`
	TagIDs     []string `json:"tag_ids"`
	Addresses  []any    `json:"addresses"`
	DirectHash string   `json:"direct_hash"`
	account.Times
}

func (d *Door) me(r *request) (reply, error) {
	k := r.who.Key
	name := k.Name
	if name == "" {
		name = k.TokenPrefix
	}
	return reply{body: agent{
		ID: k.ID, CustomerID: k.CustomerID, Username: name, Name: name, Detail: k.Detail, RingMethod: "ringall", Status: "available",
		Permission: adminPermission, TagIDs: []string{}, Addresses: []any{}, Times: k.Times,
	}}, nil
}

func (d *Door) getCustomer(r *request) (reply, error) {
	c, err := d.accounts.Customer(r.Context(), r.who.CustomerID)
	if err != nil {
		return reply{}, err
	}
	return tagged(c)
}

func (d *Door) updateCustomer(r *request) (reply, error) {
	var in account.CustomerPatch
	if err := web.Parse(r.body, &in); err != nil {
		return reply{}, err
	}
	return d.patchCustomer(r, in)
}

// updateMetadata replaces the metadata: the body is the object itself, or has it under metadata.
func (d *Door) updateMetadata(r *request) (reply, error) {
	var in struct {
		Metadata json.RawMessage `json:"metadata"`
	}
	if err := web.Parse(r.body, &in); err != nil {
		return reply{}, err
	}
	if in.Metadata == nil {
		in.Metadata = r.body
	}
	return d.patchCustomer(r, account.CustomerPatch{Metadata: in.Metadata})
}

func (d *Door) patchCustomer(r *request, p account.CustomerPatch) (reply, error) {
	c, err := d.accounts.UpdateCustomer(r.Context(), r.who.CustomerID, p, func(c account.Customer) error { return r.match(c) })
	if err != nil {
		return reply{}, err
	}
	return tagged(c)
}

func (d *Door) listAccesskeys(r *request) (reply, error) {
	return d.list(r, store.Query{Kind: store.Accesskey}, func(rec store.Record) (any, error) { return account.ReadAccesskey(rec) })
}

func (d *Door) createAccesskey(r *request) (reply, error) {
	var in account.NewAccesskey
	if err := web.Parse(r.body, &in); err != nil {
		return reply{}, err
	}
	k, err := d.accounts.AddAccesskey(r.Context(), r.who.CustomerID, in, func(k account.Accesskey) (*store.Answer, error) { return r.keepWith(k) })
	if err != nil {
		return reply{}, err
	}
	return reply{body: k}, nil
}

func (d *Door) getAccesskey(r *request) (reply, error) {
	id, err := web.PathID(r.Request)
	if err != nil {
		return reply{}, err
	}
	k, err := d.accounts.Accesskey(r.Context(), r.who.CustomerID, id)
	if err != nil {
		return reply{}, err
	}
	return tagged(k)
}

func (d *Door) updateAccesskey(r *request) (reply, error) {
	id, err := web.PathID(r.Request)
	if err != nil {
		return reply{}, err
	}
	var in account.AccesskeyPatch
	if err := web.Parse(r.body, &in); err != nil {
		return reply{}, err
	}
	k, err := d.accounts.UpdateAccesskey(r.Context(), r.who.CustomerID, id, in, func(k account.Accesskey) error { return r.match(k) })
	if err != nil {
		return reply{}, err
	}
	return tagged(k)
}

// deleteAccesskey does not let a customer lock itself out.
func (d *Door) deleteAccesskey(r *request) (reply, error) {
	id, err := web.PathID(r.Request)
	if err != nil {
		return reply{}, err
	}
	if id == r.who.Key.ID {
		return reply{}, fault.New(fault.Conflict, "STATE_INVALID", "this is the access key of the request itself; delete it with another one")
	}
	k, err := d.accounts.DeleteAccesskey(r.Context(), r.who.CustomerID, id)
	if err != nil {
		return reply{}, err
	}
	return tagged(k)
}
