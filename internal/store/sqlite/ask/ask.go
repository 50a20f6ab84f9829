// Package ask writes the questions to the database, lists of records and of entries of the log, so that each is answered from the index made for it. It
// starts no goroutine and reads nothing.
package ask

import (
	"encoding/json"
	"slices"
	"strings"

	"parley/internal/store"
)

// Columns are those of a record, in the order in which they are read; the table is called r.
const Columns = `r.kind, r.id, r.customer, r.conference, r.reference, r.status, r.type, r.live, r.created, r.deleted, r.deadline, r.version, r.doc`

// maxBranches bounds how many ordered scans one list is merged from.
const maxBranches = 12

// clause collects conditions with their arguments.
type clause struct {
	text string
	args []any
}

func (c *clause) and(cond string, args ...any) {
	c.text += " AND " + cond
	c.args = append(c.args, args...)
}

// List writes the query for a list. The index is named, so that the plan never depends on statistics. Where the order of the list
// comes after columns of which several values are wanted (deleted or not, one of some statuses), there is one scan for each
// value and SQLite merges them, so that a page costs a page, however many records are hidden or have other statuses.
func List(q *store.Query) (string, []any) {
	index := Index(q)
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
			branches = append(branches, "SELECT "+Columns+" FROM records r INDEXED BY "+index+" WHERE kind = ?"+c.text)
			args = append(append(args, string(q.Kind)), c.args...)
		}
	}
	return strings.Join(branches, " UNION ALL ") + " ORDER BY created DESC, id DESC LIMIT ?", append(args, q.Limit)
}

// Index names the index that leaves least to filter.
func Index(q *store.Query) string {
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
