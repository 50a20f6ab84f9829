package sqlite

import (
	"context"
	"fmt"

	"parley/internal/fault"
	"parley/internal/store"
)

// Append commits c; see store.Store. It waits for the group it is committed with.
func (s *Store) Append(ctx context.Context, c *store.Change) error {
	if err := c.Check(); err != nil {
		return err
	}
	seqs := make([]int64, len(c.Events))
	j := &job{
		what: "append to " + c.Key, appends: true,
		run: func(w *session) error { return w.change(c, seqs) },
	}
	if err := s.enqueue(ctx, j); err != nil {
		return err
	}
	// Only now, and by the caller's goroutine: a change that was not written stays as it was.
	last := c.Version + int64(len(c.Events))
	for i := range c.Events {
		e := &c.Events[i]
		e.Key, e.Seq, e.Version = c.Key, seqs[i], c.Version+int64(i)+1
	}
	for i := range c.Records {
		c.Records[i].Version = last
	}
	return nil
}

// change writes c and puts the numbers of its events into seqs.
func (w *session) change(c *store.Change, seqs []int64) error {
	var version int64
	err := w.row("SELECT coalesce(max(version), 0) FROM events WHERE key = ?", []any{c.Key}, &version)
	if err != nil {
		return fmt.Errorf("read version of %s: %w", c.Key, err)
	}
	if version != c.Version {
		return fmt.Errorf("append to %s at version %d, it has %d: %w", c.Key, c.Version, version, store.ErrFenced)
	}
	for i := range c.Names {
		if err := w.name(&c.Names[i]); err != nil {
			return err
		}
	}
	for i := range c.Records {
		if err := w.record(&c.Records[i], version+int64(len(c.Events))); err != nil {
			return err
		}
	}
	for i := range c.Events {
		if seqs[i], err = w.event(c.Key, version+int64(i)+1, &c.Events[i]); err != nil {
			return err
		}
	}
	if c.Answer != nil {
		return w.answer(c.Answer)
	}
	return nil
}

func (w *session) name(n *store.Name) error {
	if n.ID == "" {
		if err := w.exec("DELETE FROM names WHERE space = ? AND value = ?", n.Space, n.Value); err != nil {
			return fmt.Errorf("free name in %s: %w", n.Space, err)
		}
		return nil
	}
	mine, err := w.changed(`INSERT INTO names (space, value, kind, id) VALUES (?, ?, ?, ?)
		ON CONFLICT (space, value) DO UPDATE SET id = excluded.id WHERE names.kind = excluded.kind AND names.id = excluded.id`,
		n.Space, n.Value, string(n.Kind), n.ID)
	if err != nil {
		return fmt.Errorf("take name in %s: %w", n.Space, err)
	}
	if !mine {
		// The value may be a secret's hash: it is not repeated.
		return fault.New(fault.Conflict, "ALREADY_EXISTS", "this %s is taken: choose another", n.Space)
	}
	return nil
}

func (w *session) record(r *store.Record, version int64) error {
	err := w.exec(`INSERT INTO records
		(kind, id, customer, conference, reference, status, type, live, created, deleted, deadline, version, doc)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (kind, id) DO UPDATE SET customer = excluded.customer, conference = excluded.conference,
			reference = excluded.reference, status = excluded.status, type = excluded.type, live = excluded.live,
			created = excluded.created, deleted = excluded.deleted, deadline = excluded.deadline,
			version = excluded.version, doc = excluded.doc`,
		string(r.Kind), r.ID, r.CustomerID, r.Conference, r.Reference, r.Status, r.Type, r.Live,
		r.Created.UnixMicro(), r.Deleted, deadline(r), version, string(r.Doc))
	if err != nil {
		return fmt.Errorf("write %s %s: %w", r.Kind, r.ID, err)
	}
	return nil
}

func (w *session) event(key string, version int64, e *store.Event) (seq int64, err error) {
	res, err := w.result(`INSERT INTO events (key, version, id, type, at, customer, conference, resource, data)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		key, version, e.ID, e.Type, e.At.UnixMicro(), e.CustomerID, e.Conference, e.Resource, string(e.Data))
	if err == nil {
		seq, err = res.LastInsertId()
	}
	if err != nil {
		return 0, fmt.Errorf("write event %s of %s: %w", e.Type, key, err)
	}
	return seq, nil
}

// deadline returns the column: 0 is never, so that the index holds only what the reaper looks for.
func deadline(r *store.Record) int64 {
	if r.Deadline.IsZero() {
		return 0
	}
	return r.Deadline.UnixMicro()
}
