package flows

import (
	"parley/internal/api/rest"
	"parley/internal/api/web"
	"parley/internal/flow/active"
	"parley/internal/store"
)

func (f *Flows) listRuns(r *rest.Request) (rest.Reply, error) {
	q := r.URL.Query()
	status, err := web.Choices(q, "status", string(active.Running), string(active.Ended))
	if err != nil {
		return rest.Reply{}, err
	}
	reference, err := web.UUID(q, "reference_id")
	if err != nil {
		return rest.Reply{}, err
	}
	return r.List(store.Query{Kind: store.Activeflow, Status: status, Reference: reference}, func(rec store.Record) (any, error) {
		a, err := rest.Read[active.Activeflow](rec)
		return a.Resource(), err
	})
}

func (f *Flows) getRun(r *rest.Request) (rest.Reply, error) {
	rec, err := r.Owned(store.Activeflow)
	if err != nil {
		return rest.Reply{}, err
	}
	if rec.Deleted {
		return rest.Reply{}, rest.Unknown(store.Activeflow)
	}
	return shown(rec)
}

func shown(rec store.Record) (rest.Reply, error) {
	a, err := rest.Read[active.Activeflow](rec)
	if err != nil {
		return rest.Reply{}, err
	}
	return rest.Tagged(a.Resource())
}
