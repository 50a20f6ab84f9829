package ask

import (
	"strings"

	"parley/internal/store"
)

// Log writes the query for events after q.After up to end. The index is named, as for lists; every index ends in seq.
func Log(q *store.LogQuery, end int64) (string, []any) {
	index, c := "NOT INDEXED", &clause{args: []any{q.After, end}} // NOT INDEXED: in order of seq
	if q.CustomerID != "" {
		index = "INDEXED BY events_customer"
		c.and("customer <> '' AND customer = ?", q.CustomerID)
	}
	if q.Conference != "" {
		index = "INDEXED BY events_conference"
		c.and("conference <> '' AND conference = ?", q.Conference)
	}
	if q.Resource != "" {
		index = "INDEXED BY events_resource"
		c.and("resource <> '' AND resource = ?", q.Resource)
	}
	if conds, args := typeConds(q.Types); conds != "" {
		c.and("("+conds+")", args...)
	}
	return `SELECT seq, key, version, id, type, at, customer, conference, resource, data, cause FROM events ` + index +
		` WHERE seq > ? AND seq <= ?` + c.text + ` ORDER BY seq LIMIT ?`, append(c.args, q.Limit)
}

// typeConds writes "is one of the types"; empty when any type will do.
func typeConds(types []string) (string, []any) {
	var exact, conds []string
	var args []any
	for _, t := range types {
		prefix, ok := strings.CutSuffix(t, "*")
		switch {
		case !ok:
			exact = append(exact, t)
		case prefix == "":
			return "", nil
		default:
			conds = append(conds, "substr(type, 1, length(?)) = ?")
			args = append(args, prefix, prefix)
		}
	}
	if len(exact) > 0 {
		conds = append(conds, "type IN (SELECT value FROM json_each(?))")
		args = append(args, list(exact))
	}
	return strings.Join(conds, " OR "), args
}
