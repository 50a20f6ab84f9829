package catalogue

import (
	"encoding/json"
	"slices"
	"time"

	"parley/internal/api/rest"
	"parley/internal/fault"
	"parley/internal/store"
)

// All returns all types, those of one resource together.
func All() []Entry { return slices.Clone(table) }

// Find returns the entry of a type, or a fault.NotFound.
func Find(kind string) (Entry, error) {
	for _, e := range table {
		if e.Type == kind {
			return e, nil
		}
	}
	return Entry{}, fault.New(fault.NotFound, "EVENT_TYPE_NOT_FOUND", "there is no such type of event; GET /event_types lists all")
}

// described is an entry as the API writes it.
type described struct {
	Type        string          `json:"type"`
	Since       string          `json:"since"`
	Resource    string          `json:"resource"`
	Description string          `json:"description"`
	Schema      json.RawMessage `json:"schema"` // of the data
	Sample      store.Entry     `json:"sample"`
}

// sampleTime is the time of all samples that are served.
var sampleTime = time.Date(2026, 1, 15, 9, 30, 0, 0, time.UTC)

func (e *Entry) described() (d described, err error) {
	d = described{Type: e.Type, Since: e.Since, Resource: e.About, Description: e.Text}
	if d.Schema, err = e.Schema(); err != nil {
		return d, err
	}
	d.Sample, err = e.Sample(sampleTime)
	return d, err
}

// Routes returns the routes that serve the catalogue.
func Routes() []rest.Route {
	return []rest.Route{
		{Method: "GET", Path: "/event_types", Do: list},
		{Method: "GET", Path: "/event_types/{type}", Do: get},
	}
}

func list(*rest.Request) (rest.Reply, error) {
	out := rest.Page{Result: []any{}}
	for i := range table {
		d, err := table[i].described()
		if err != nil {
			return rest.Reply{}, err
		}
		out.Result = append(out.Result, d)
	}
	return rest.Reply{Body: out}, nil
}

func get(r *rest.Request) (rest.Reply, error) {
	e, err := Find(r.PathValue("type"))
	if err != nil {
		return rest.Reply{}, err
	}
	d, err := e.described()
	return rest.Reply{Body: d}, err
}
