package rest

import (
	"encoding/json"
	"fmt"
	"strings"

	"parley/internal/api/web"
	"parley/internal/fault"
	"parley/internal/store"
)

// Page is a list as the original writes it.
type Page struct {
	Result        []any  `json:"result"`          // never null
	NextPageToken string `json:"next_page_token"` // "" when nothing follows
}

// List answers a page of the caller's records, newest first. One record more than the page is read, to know whether anything follows.
func (r *Request) List(q store.Query, read func(store.Record) (any, error)) (Reply, error) {
	page, err := web.ParsePage(r.URL.Query())
	if err != nil {
		return Reply{}, err
	}
	q.CustomerID, q.Before, q.Limit = r.CustomerID, page.Before, page.Size+1
	records, err := r.store.List(r.Context(), q)
	if err != nil {
		return Reply{}, fmt.Errorf("list %s: %w", q.Kind, err)
	}
	out := Page{Result: []any{}}
	for i, rec := range records {
		if i == page.Size {
			last := records[i-1]
			out.NextPageToken = web.Token(store.Cursor{Created: last.Created, ID: last.ID})
			break
		}
		item, err := read(rec)
		if err != nil {
			return Reply{}, err
		}
		out.Result = append(out.Result, item)
	}
	return Reply{Body: out}, nil
}

// Owned returns the record that the path's id names.
func (r *Request) Owned(kind store.Kind) (store.Record, error) {
	id, err := r.ID()
	if err != nil {
		return store.Record{}, err
	}
	return r.OwnedByID(kind, id)
}

// OwnedByID returns a record of the caller. One of somebody else is as unknown as one that does not exist.
func (r *Request) OwnedByID(kind store.Kind, id string) (store.Record, error) {
	rec, err := r.store.Get(r.Context(), kind, id)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return rec, fmt.Errorf("read %s: %w", kind, err)
	}
	if err != nil || rec.CustomerID != r.CustomerID {
		return store.Record{}, Unknown(kind)
	}
	return rec, nil
}

// Unknown is the refusal for a record that does not exist or is somebody else's.
func Unknown(kind store.Kind) error {
	return fault.New(fault.NotFound, strings.ToUpper(string(kind))+"_NOT_FOUND", "there is no such %s; check the id", kind)
}

// Read returns the document of a record as a T.
func Read[T any](rec store.Record) (v T, err error) {
	if err := json.Unmarshal(rec.Doc, &v); err != nil {
		return v, fmt.Errorf("read %s %s: %w", rec.Kind, rec.ID, err)
	}
	return v, nil
}
