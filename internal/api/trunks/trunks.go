// Package trunks is the routes of trunks. What a trunk is, and which may be made, is package trunk's business; here is only how it is asked for. It
// starts no goroutine.
package trunks

import (
	"parley/internal/api/rest"
	"parley/internal/fault"
	"parley/internal/store"
	"parley/internal/trunk/book"
	"parley/internal/trunk/route"
	"parley/internal/wire"
)

// State says how a trunk is just now.
type State struct {
	Registered bool      `json:"registered"`
	Reachable  *bool     `json:"reachable"` // nil: not known
	Status     int       `json:"status"`    // SIP status of the last registration, 0 for none
	Reason     string    `json:"reason"`    // why it is not registered, "" when it is, or need not be
	RTT        float64   `json:"rtt_ms"`    // of the last OPTIONS
	Changed    wire.Time `json:"tm_changed"`
}

// Routes returns the routes on a book. states returns how trunks are, by id.
func Routes(b *book.Book, states func() map[string]State) []rest.Route {
	t := &trunks{b, states}
	return []rest.Route{
		{Method: "GET", Path: "/trunks", Do: t.list},
		{Method: "POST", Path: "/trunks", Do: t.create},
		{Method: "GET", Path: "/trunks/{id}", Do: t.get},
		{Method: "PUT", Path: "/trunks/{id}", Do: t.update},
		{Method: "DELETE", Path: "/trunks/{id}", Do: t.remove},
	}
}

type trunks struct {
	book   *book.Book
	states func() map[string]State
}

// shown is a trunk in answers: without its password, with its state, which is not part of what changes are compared with.
type shown struct {
	route.Trunk
	State *State `json:"state"`
}

func (t *trunks) show(v route.Trunk, states map[string]State) shown {
	out := shown{Trunk: v.Masked()}
	if s, ok := states[v.ID]; ok {
		out.State = &s
	}
	return out
}

func (t *trunks) reply(v route.Trunk, err error) (rest.Reply, error) {
	if err != nil {
		return rest.Reply{}, err
	}
	tag, err := rest.ETag(v.Masked())
	return rest.Reply{Body: t.show(v, t.states()), ETag: tag}, err
}

func (t *trunks) list(r *rest.Request) (rest.Reply, error) {
	states := t.states()
	return r.List(store.Query{Kind: store.Trunk}, func(rec store.Record) (any, error) {
		v, err := book.Read(rec)
		return t.show(v, states), err
	})
}

func (t *trunks) get(r *rest.Request) (rest.Reply, error) {
	rec, err := r.Owned(store.Trunk)
	if err != nil {
		return rest.Reply{}, err
	}
	return t.reply(book.Read(rec))
}

func (t *trunks) create(r *rest.Request) (rest.Reply, error) {
	var in book.Patch
	if err := r.Parse(&in); err != nil {
		return rest.Reply{}, err
	}
	if in.Host == nil || *in.Host == "" {
		return rest.Reply{}, fault.New(fault.Invalid, "INVALID_ARGUMENT", "host: it is needed: the name or address of the far end")
	}
	return t.reply(t.book.Add(r.Context(), r.CustomerID, r.NewID(), in, func(v route.Trunk) (*store.Answer, error) { return r.KeepWith(t.show(v, nil)) }))
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
	return t.reply(t.book.Update(r.Context(), r.CustomerID, id, in, func(v route.Trunk) error { return r.Match(v.Masked()) }))
}

func (t *trunks) remove(r *rest.Request) (rest.Reply, error) {
	id, err := r.ID()
	if err != nil {
		return rest.Reply{}, err
	}
	return t.reply(t.book.Delete(r.Context(), r.CustomerID, id))
}
