package sqlite

import (
	"cmp"
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
	c.Attribute(ctx)
	seqs := make([]int64, len(c.Events))
	run := func(w *session) error { return w.change(c, seqs) }
	if err := s.enqueue(ctx, &job{what: "append to " + c.Key, run: run, appended: func() { s.recent.add(c, seqs) }}); err != nil {
		return err
	}
	// Only now, and by the caller's goroutine: a change that was not written stays as it was.
	for i := range c.Events {
		e := &c.Events[i]
		e.Key, e.Seq, e.Version = c.Key, seqs[i], c.Version+int64(i)+1
	}
	for i := range c.Records {
		c.Records[i].Version = c.Version + int64(len(c.Events))
	}
	return nil
}

// change writes c and puts the numbers of its events into seqs.
func (w *session) change(c *store.Change, seqs []int64) error {
	// What calls itself the first change of a key and is not is found out by the index of keys and versions.
	_, known := w.versions[c.Key]
	unseen := !known && c.Version == 0
	if !unseen {
		if err := w.fence(c); err != nil {
			return err
		}
	}
	if err := w.put(c, seqs); err != nil {
		if unseen && classify(err) <= other {
			return cmp.Or(w.fence(c), err)
		}
		return err
	}
	if len(w.versions) >= remembered {
		clear(w.versions)
	}
	w.versions[c.Key] = c.Version + int64(len(c.Events))
	if c.Answer != nil {
		return w.answer(c.Answer)
	}
	return nil
}

// fence refuses a change that was decided on another version of its key than the newest.
func (w *session) fence(c *store.Change) error {
	version, err := w.version(c.Key)
	if err != nil {
		return err
	}
	if version != c.Version {
		return fmt.Errorf("append to %s at version %d, it has %d: %w", c.Key, c.Version, version, store.ErrFenced)
	}
	return nil
}

// put writes what a change consists of, but for its answer.
func (w *session) put(c *store.Change, seqs []int64) error {
	version := c.Version
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
	for i := 0; i < len(c.Events); i += eventsMax {
		n := min(i+eventsMax, len(c.Events))
		if err := w.events(c.Key, version+int64(i)+1, c.Events[i:n], seqs[i:n]); err != nil {
			return err
		}
	}
	return nil
}

// version is that of a key, as this session has left it or as it stands in the log: nobody else writes.
func (w *session) version(key string) (version int64, err error) {
	if known, ok := w.versions[key]; ok {
		return known, nil
	}
	return version, w.row("SELECT coalesce(max(version), 0) FROM events WHERE key = ?", []any{key}, &version)
}

func (w *session) name(n *store.Name) error {
	if n.ID == "" {
		return w.exec("DELETE FROM names WHERE space = ? AND value = ?", n.Space, n.Value)
	}
	mine, err := w.changed(`INSERT INTO names (space, value, kind, id) VALUES (?, ?, ?, ?)
		ON CONFLICT (space, value) DO UPDATE SET id = excluded.id WHERE names.kind = excluded.kind AND names.id = excluded.id`,
		n.Space, n.Value, string(n.Kind), n.ID)
	if err == nil && !mine { // the value may be a secret's hash: it is not repeated
		return fault.New(fault.Conflict, "ALREADY_EXISTS", "this %s is taken: choose another", n.Space)
	}
	return err
}
