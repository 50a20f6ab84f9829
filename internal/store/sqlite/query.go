package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"parley/internal/fault"
	"parley/internal/store"
)

const columns = `r.kind, r.id, r.customer, r.conference, r.reference, r.status, r.type, r.live, r.created, r.deleted, r.deadline, r.version, r.doc`

// maxBranches bounds how many ordered scans one list is merged from.
const maxBranches = 12

// Get returns a record by its id; see store.Store.
func (s *Store) Get(ctx context.Context, kind store.Kind, id string) (store.Record, error) {
	text := "SELECT " + columns + " FROM records r WHERE kind = ? AND id = ?"
	return s.one(ctx, question{string(kind), text, []any{string(kind), id}})
}

// Resolve returns the record that has a name; see store.Store.
func (s *Store) Resolve(ctx context.Context, space, value string) (store.Record, error) {
	text := "SELECT " + columns + " FROM names n JOIN records r ON r.kind = n.kind AND r.id = n.id WHERE n.space = ? AND n.value = ?"
	return s.one(ctx, question{space, text, []any{space, value}})
}

// one returns the only record of an answer, or a fault.NotFound. It never repeats the value looked for, which may be secret.
func (s *Store) one(ctx context.Context, q question) (store.Record, error) {
	recs, err := collect(ctx, s, q, scanRecord)
	switch {
	case err != nil:
		return store.Record{}, err
	case len(recs) == 0:
		return store.Record{}, fault.New(fault.NotFound, "NOT_FOUND", "there is no such %s: check the id", q.what)
	}
	return recs[0], nil
}

// List returns a page of records; see store.Query.
func (s *Store) List(ctx context.Context, q store.Query) ([]store.Record, error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	text, args := listText(&q)
	return collect(ctx, s, question{"list " + string(q.Kind), text, args}, scanRecord)
}

// Due returns live records whose deadline has come; see store.Store.
func (s *Store) Due(ctx context.Context, kind store.Kind, at time.Time, limit int) ([]store.Record, error) {
	if err := store.CheckLimit(limit); err != nil {
		return nil, err
	}
	text := "SELECT " + columns + ` FROM records r INDEXED BY records_due
		WHERE kind = ? AND live = 1 AND deadline <> 0 AND deadline <= ? ORDER BY deadline, id LIMIT ?`
	return collect(ctx, s, question{"find due " + string(kind), text, []any{string(kind), at.UnixMicro(), limit}}, scanRecord)
}

// clause collects conditions with their arguments.
type clause struct {
	text string
	args []any
}

func (c *clause) and(cond string, args ...any) {
	c.text += " AND " + cond
	c.args = append(c.args, args...)
}

// listText writes the query for a list. The index is named, so that the plan never depends on statistics. Where the order of the list
// comes after columns of which several values are wanted (deleted or not, one of some statuses), there is one scan for each
// value and SQLite merges them, so that a page costs a page, however many records are hidden or have other statuses.
func listText(q *store.Query) (string, []any) {
	index := pickIndex(q)
	deleted, statuses := []any{nil}, []any{nil} // nil: not branched on
	switch index {
	case "records_status":
		statuses = statuses[:0]
		for _, st := range slices.Compact(slices.Sorted(slices.Values(q.Status))) { // twice would list its records twice
			statuses = append(statuses, st)
		}
		fallthrough
	case "records_kind", "records_customer":
		deleted = []any{0}
		if q.Deleted {
			deleted = []any{0, 1}
		}
	}
	var branches []string
	var args []any
	for _, d := range deleted {
		for _, st := range statuses {
			c := branch(q, d, st)
			branches = append(branches, "SELECT "+columns+" FROM records r INDEXED BY "+index+" WHERE kind = ?"+c.text)
			args = append(append(args, string(q.Kind)), c.args...)
		}
	}
	return strings.Join(branches, " UNION ALL ") + " ORDER BY created DESC, id DESC LIMIT ?", append(args, q.Limit)
}

// pickIndex names the index that leaves least to filter.
func pickIndex(q *store.Query) string {
	switch {
	case q.Reference != "":
		return "records_reference"
	case q.Conference != "" && q.Live:
		return "records_present"
	case q.Conference != "":
		return "records_conference"
	case q.Live:
		return "records_live"
	case q.CustomerID == "":
		return "records_kind"
	case len(q.Status) > 0 && 2*len(q.Status) <= maxBranches:
		return "records_status"
	}
	return "records_customer"
}

// branch writes the conditions of one scan. Conditions that look superfluous are what tells SQLite that a partial index will do.
func branch(q *store.Query, deleted, status any) *clause {
	c := &clause{}
	if q.Reference != "" {
		c.and("reference <> '' AND reference = ?", q.Reference)
	}
	if q.Conference != "" {
		c.and("conference <> '' AND conference = ?", q.Conference)
	}
	if q.CustomerID != "" {
		c.and("customer = ?", q.CustomerID)
	}
	if q.Live {
		c.and("live = 1")
	}
	switch {
	case deleted != nil:
		c.and("deleted = ?", deleted)
	case !q.Deleted:
		c.and("deleted = 0")
	}
	switch {
	case status != nil:
		c.and("status = ?", status)
	case len(q.Status) > 0:
		c.and("status IN (SELECT value FROM json_each(?))", list(q.Status))
	}
	if len(q.Type) > 0 {
		c.and("type IN (SELECT value FROM json_each(?))", list(q.Type))
	}
	if q.Before != (store.Cursor{}) {
		c.and("(created, id) < (?, ?)", q.Before.Created.UnixMicro(), q.Before.ID)
	}
	return c
}

// list returns the values as one argument, so that the text of a query does not depend on their number.
func list(values []string) string {
	b, _ := json.Marshal(values) // strings always marshal
	return string(b)
}

func scanRecord(rows *sql.Rows) (store.Record, error) {
	var r store.Record
	var created, due int64
	err := rows.Scan(&r.Kind, &r.ID, &r.CustomerID, &r.Conference, &r.Reference, &r.Status, &r.Type, &r.Live,
		&created, &r.Deleted, &due, &r.Version, (*[]byte)(&r.Doc))
	r.Created = moment(created)
	if due != 0 {
		r.Deadline = moment(due)
	}
	return r, err
}
