// Package trunks is the routes of trunks. What a trunk is, and which may be made, is package trunk's business; here is only how it is asked for. It
// starts no goroutine.
package trunks

import (
	"parley/internal/api/rest"
	"parley/internal/fault"
	"parley/internal/store"
	"parley/internal/trunk/book"
	"parley/internal/trunk/route"
)

// Routes returns the routes on a book.
func Routes(b *book.Book) []rest.Route {
	t := &trunks{b}
	return []rest.Route{
		{Method: "GET", Path: "/trunks", Do: t.list},
		{Method: "POST", Path: "/trunks", Do: t.create},
		{Method: "GET", Path: "/trunks/{id}", Do: t.get},
		{Method: "PUT", Path: "/trunks/{id}", Do: t.update},
		{Method: "DELETE", Path: "/trunks/{id}", Do: t.remove},
	}
}

type trunks struct{ book *book.Book }

// reply shows a trunk without its password.
func reply(t route.Trunk, err error) (rest.Reply, error) {
	if err != nil {
		return rest.Reply{}, err
	}
	return rest.Tagged(t.Masked())
}

func (t *trunks) list(r *rest.Request) (rest.Reply, error) {
	return r.List(store.Query{Kind: store.Trunk}, func(rec store.Record) (any, error) {
		v, err := book.Read(rec)
		return v.Masked(), err
	})
}

func (t *trunks) get(r *rest.Request) (rest.Reply, error) {
	rec, err := r.Owned(store.Trunk)
	if err != nil {
		return rest.Reply{}, err
	}
	return reply(book.Read(rec))
}

func (t *trunks) create(r *rest.Request) (rest.Reply, error) {
	var in book.Patch
	if err := r.Parse(&in); err != nil {
		return rest.Reply{}, err
	}
	if in.Host == nil || *in.Host == "" {
		return rest.Reply{}, fault.New(fault.Invalid, "INVALID_ARGUMENT", "host: it is needed: the name or address of the far end")
	}
	return reply(t.book.Add(r.Context(), r.CustomerID, r.NewID(), in, func(v route.Trunk) (*store.Answer, error) { return r.KeepWith(v.Masked()) }))
}

func (t *trunks) update(r *rest.Request) (rest.Reply, error) {
	id, err := r.ID()
	if err != nil {
		return rest.Reply{}, err
	}
	var in book.Patch
	if err := r.Parse(&in); err != nil {
		return rest.Reply{}, err
	}
	return reply(t.book.Update(r.Context(), r.CustomerID, id, in, func(v route.Trunk) error { return r.Match(v.Masked()) }))
}

func (t *trunks) remove(r *rest.Request) (rest.Reply, error) {
	id, err := r.ID()
	if err != nil {
		return rest.Reply{}, err
	}
	return reply(t.book.Delete(r.Context(), r.CustomerID, id))
}
