package sqlite

import (
	"strings"

	"parley/internal/store"
)

// handle is what a record is stored under.
type handle struct {
	kind store.Kind
	id   string
}

// shape is what a record is found by.
type shape struct {
	customer, conference, reference, typ string
	created                              int64

	status        string
	live, deleted bool
	due           int64
}

// remembered is how many records' shapes are remembered, and how many keys' versions.
const remembered = 1 << 14

func shapeOf(r *store.Record) shape {
	due := int64(0) // never, and not in the index of what the reaper looks for
	if !r.Deadline.IsZero() {
		due = r.Deadline.UnixMicro()
	}
	return shape{
		customer: r.CustomerID, conference: r.Conference, reference: r.Reference, typ: r.Type, created: r.Created.UnixMicro(),
		status: r.Status, live: r.Live, deleted: r.Deleted, due: due,
	}
}

// like says that two shapes differ in nothing but what changes in the life of a record.
func (x shape) like(y shape) bool {
	x.status, x.live, x.deleted, x.due = y.status, y.live, y.deleted, y.due
	return x == y
}

// record writes r. SQLite takes each index in hand that has a column which a statement sets, whether or not its value changes. So what is known not
// to change is left out: a record that is found by the same as before costs its row alone.
func (w *session) record(r *store.Record, version int64) error {
	at, now := handle{r.Kind, r.ID}, shapeOf(r)
	known, ok := w.shapes[at]
	if !ok && len(w.shapes) >= remembered {
		clear(w.shapes)
	}
	w.shapes[at] = now
	if ok {
		found, err := w.update(r, version, known, now)
		if found || err != nil {
			return err
		}
	}
	return w.exec(`INSERT INTO records
		(kind, id, customer, conference, reference, status, type, live, created, deleted, deadline, version, doc)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (kind, id) DO UPDATE SET customer = excluded.customer, conference = excluded.conference,
			reference = excluded.reference, status = excluded.status, type = excluded.type, live = excluded.live, created = excluded.created,
			deleted = excluded.deleted, deadline = excluded.deadline, version = excluded.version, doc = excluded.doc`,
		string(r.Kind), r.ID, r.CustomerID, r.Conference, r.Reference, r.Status, r.Type, r.Live,
		now.created, r.Deleted, now.due, version, string(r.Doc))
}

// update writes a record that has been written before. It reports false when it is not there, or too much has changed.
func (w *session) update(r *store.Record, version int64, was, now shape) (bool, error) {
	switch {
	case was == now:
		return w.changed("UPDATE records SET version = ?, doc = ? WHERE kind = ? AND id = ?", version, string(r.Doc), string(r.Kind), r.ID)
	case !was.like(now):
		return false, nil
	case was.deleted == now.deleted && was.due == now.due:
		return w.changed("UPDATE records SET status = ?, live = ?, version = ?, doc = ? WHERE kind = ? AND id = ?",
			now.status, now.live, version, string(r.Doc), string(r.Kind), r.ID)
	}
	return w.changed("UPDATE records SET status = ?, live = ?, deleted = ?, deadline = ?, version = ?, doc = ? WHERE kind = ? AND id = ?",
		now.status, now.live, now.deleted, now.due, version, string(r.Doc), string(r.Kind), r.ID)
}

// eventsMax is how many events one statement writes at most; each number of them has a text of its own.
const (
	eventsMax = 8
	eventRow  = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
	eventText = "INSERT INTO events (key, version, id, type, at, customer, conference, resource, data, cause) VALUES " + eventRow
)

// events writes at most eventsMax entries of the log, the first of them with the version, and puts their numbers into seqs. The numbers of rows of one
// statement follow each other: nobody else writes.
func (w *session) events(key string, version int64, all []store.Event, seqs []int64) error {
	args := make([]any, 0, 10*len(all))
	for i := range all {
		e := &all[i]
		args = append(args, key, version+int64(i), e.ID, e.Type, e.At.UnixMicro(), e.CustomerID, e.Conference, e.Resource, string(e.Data), string(e.Cause))
	}
	res, err := w.result(eventText+strings.Repeat(", "+eventRow, len(all)-1), args...)
	if err != nil {
		return err
	}
	last, err := res.LastInsertId()
	for i := range seqs {
		seqs[i] = last - int64(len(seqs)-1-i)
	}
	return err
}
