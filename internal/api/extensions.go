package api

import (
	"parley/internal/api/account"
	"parley/internal/api/web"
	"parley/internal/store"
)

func (d *Door) extensionRoutes() []route {
	return []route{
		{method: "GET", path: "/extensions", do: d.listExtensions},
		{method: "POST", path: "/extensions", do: d.createExtension},
		{method: "GET", path: "/extensions/{id}", do: d.getExtension},
		{method: "PUT", path: "/extensions/{id}", do: d.updateExtension},
		{method: "DELETE", path: "/extensions/{id}", do: d.deleteExtension},
		{method: "POST", path: "/extensions/{id}/direct-hash-regenerate", do: d.regenerateExtensionHash},
	}
}

func (d *Door) listExtensions(r *request) (reply, error) {
	return d.list(r, store.Query{Kind: store.Extension}, func(rec store.Record) (any, error) { return account.ReadExtension(rec) })
}

func (d *Door) createExtension(r *request) (reply, error) {
	var in account.NewExtension
	if err := web.Parse(r.body, &in); err != nil {
		return reply{}, err
	}
	e, err := d.accounts.AddExtension(r.Context(), r.who.CustomerID, in, func(e account.Extension) (*store.Answer, error) { return r.keepWith(e) })
	if err != nil {
		return reply{}, err
	}
	return tagged(e)
}

func (d *Door) getExtension(r *request) (reply, error) {
	id, err := web.PathID(r.Request)
	if err != nil {
		return reply{}, err
	}
	e, err := d.accounts.Extension(r.Context(), r.who.CustomerID, id)
	if err != nil {
		return reply{}, err
	}
	return tagged(e)
}

func (d *Door) updateExtension(r *request) (reply, error) {
	id, err := web.PathID(r.Request)
	if err != nil {
		return reply{}, err
	}
	var in account.ExtensionPatch
	if err := web.Parse(r.body, &in); err != nil {
		return reply{}, err
	}
	e, err := d.accounts.UpdateExtension(r.Context(), r.who.CustomerID, id, in, func(e account.Extension) error { return r.match(e) })
	if err != nil {
		return reply{}, err
	}
	return tagged(e)
}

func (d *Door) deleteExtension(r *request) (reply, error) {
	id, err := web.PathID(r.Request)
	if err != nil {
		return reply{}, err
	}
	e, err := d.accounts.DeleteExtension(r.Context(), r.who.CustomerID, id)
	if err != nil {
		return reply{}, err
	}
	return tagged(e)
}

func (d *Door) regenerateExtensionHash(r *request) (reply, error) {
	id, err := web.PathID(r.Request)
	if err != nil {
		return reply{}, err
	}
	e, err := d.accounts.RegenerateHash(r.Context(), r.who.CustomerID, id)
	if err != nil {
		return reply{}, err
	}
	return tagged(e)
}
