package account

import (
	"parley/internal/api/rest"
	"parley/internal/store"
)

func (a *Accounts) extensionRoutes() []rest.Route {
	return []rest.Route{
		{Method: "GET", Path: "/extensions", Do: a.listExtensions},
		{Method: "POST", Path: "/extensions", Do: a.createExtension},
		{Method: "GET", Path: "/extensions/{id}", Do: a.getExtension},
		{Method: "PUT", Path: "/extensions/{id}", Do: a.updateExtension},
		{Method: "DELETE", Path: "/extensions/{id}", Do: a.deleteExtension},
		{Method: "POST", Path: "/extensions/{id}/direct-hash-regenerate", Do: a.regenerateExtensionHash},
	}
}

func (a *Accounts) listExtensions(r *rest.Request) (rest.Reply, error) {
	return r.List(store.Query{Kind: store.Extension}, func(rec store.Record) (any, error) { return ReadExtension(rec) })
}

func (a *Accounts) createExtension(r *rest.Request) (rest.Reply, error) {
	var in NewExtension
	if err := r.Parse(&in); err != nil {
		return rest.Reply{}, err
	}
	e, err := a.AddExtension(r.Context(), r.CustomerID, in, func(e Extension) (*store.Answer, error) { return r.KeepWith(e) })
	if err != nil {
		return rest.Reply{}, err
	}
	return rest.Tagged(e)
}

func (a *Accounts) getExtension(r *rest.Request) (rest.Reply, error) {
	id, err := r.ID()
	if err != nil {
		return rest.Reply{}, err
	}
	e, err := a.Extension(r.Context(), r.CustomerID, id)
	if err != nil {
		return rest.Reply{}, err
	}
	return rest.Tagged(e)
}

func (a *Accounts) updateExtension(r *rest.Request) (rest.Reply, error) {
	id, err := r.ID()
	if err != nil {
		return rest.Reply{}, err
	}
	var in ExtensionPatch
	if err := r.Parse(&in); err != nil {
		return rest.Reply{}, err
	}
	e, err := a.UpdateExtension(r.Context(), r.CustomerID, id, in, func(e Extension) error { return r.Match(e) })
	if err != nil {
		return rest.Reply{}, err
	}
	return rest.Tagged(e)
}

func (a *Accounts) deleteExtension(r *rest.Request) (rest.Reply, error) {
	id, err := r.ID()
	if err != nil {
		return rest.Reply{}, err
	}
	e, err := a.DeleteExtension(r.Context(), r.CustomerID, id)
	if err != nil {
		return rest.Reply{}, err
	}
	return rest.Tagged(e)
}

func (a *Accounts) regenerateExtensionHash(r *rest.Request) (rest.Reply, error) {
	id, err := r.ID()
	if err != nil {
		return rest.Reply{}, err
	}
	e, err := a.RegenerateHash(r.Context(), r.CustomerID, id)
	if err != nil {
		return rest.Reply{}, err
	}
	return rest.Tagged(e)
}
