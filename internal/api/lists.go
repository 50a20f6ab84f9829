package api

import (
	"encoding/json"
	"fmt"

	"parley/internal/api/web"
	"parley/internal/store"
)

// envelope is a list as the original writes it.
type envelope struct {
	Result        []any  `json:"result"`          // never null
	NextPageToken string `json:"next_page_token"` // "" when nothing follows
}

// list answers a page of records: own ones, newest first. One record more than the page is read, to know whether anything follows.
func (d *Door) list(r *request, q store.Query, read func(store.Record) (any, error)) (reply, error) {
	page, err := web.ParsePage(r.URL.Query())
	if err != nil {
		return reply{}, err
	}
	q.CustomerID, q.Before, q.Limit = r.who.CustomerID, page.Before, page.Size+1
	records, err := d.o.Store.List(r.Context(), q)
	if err != nil {
		return reply{}, fmt.Errorf("list %s: %w", q.Kind, err)
	}
	out := envelope{Result: []any{}}
	for i, rec := range records {
		if i == page.Size {
			last := records[i-1]
			out.NextPageToken = web.Token(store.Cursor{Created: last.Created, ID: last.ID})
			break
		}
		item, err := read(rec)
		if err != nil {
			return reply{}, err
		}
		out.Result = append(out.Result, item)
	}
	return reply{body: out}, nil
}

// read returns the document of a record as a T.
func read[T any](rec store.Record) (v T, err error) {
	if err := json.Unmarshal(rec.Doc, &v); err != nil {
		return v, fmt.Errorf("read %s %s: %w", rec.Kind, rec.ID, err)
	}
	return v, nil
}
