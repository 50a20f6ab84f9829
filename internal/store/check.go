package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"parley/internal/fault"
	"parley/internal/store/cause"
)

// maxLimit is the largest page of records or events.
const maxLimit = 1000

// Check says what makes c impossible to write, whatever is stored. Implementations call it first, so that all refuse the same.
func (c *Change) Check() error {
	if c.Key == "" {
		return fmt.Errorf("store: change without key")
	}
	if c.Version < 0 {
		return fmt.Errorf("store: change of %s: version %d is negative", c.Key, c.Version)
	}
	if len(c.Events) == 0 {
		return fmt.Errorf("store: change of %s without events", c.Key)
	}
	for i := range c.Events {
		if err := c.Events[i].check(c); err != nil {
			return fmt.Errorf("store: change of %s: event %d: %w", c.Key, i, err)
		}
	}
	for i := range c.Records {
		if err := c.Records[i].check(c.Made); err != nil {
			return fmt.Errorf("store: change of %s: record %d: %w", c.Key, i, err)
		}
	}
	for i, n := range c.Names {
		if n.Space == "" || n.Value == "" || (n.ID != "" && n.Kind == "") {
			return fmt.Errorf("store: change of %s: name %d is incomplete", c.Key, i)
		}
	}
	if c.Answer != nil {
		return c.Answer.Check()
	}
	return nil
}

// Attribute gives the events that have no cause the one that ctx carries. Implementations call it after Check.
func (c *Change) Attribute(ctx context.Context) {
	by := cause.In(ctx)
	for i := range c.Events {
		if c.Events[i].Cause == nil {
			c.Events[i].Cause = by
		}
	}
}

func (e *Event) check(c *Change) error {
	switch {
	case e.ID == "" || e.Type == "":
		return fmt.Errorf("no id or no type")
	case e.Key != "" && e.Key != c.Key:
		return fmt.Errorf("%s has key %s", e.Type, e.Key)
	case e.At.IsZero():
		return fmt.Errorf("%s has no time", e.Type)
	case !sound(e.Data, c.Made):
		return fmt.Errorf("%s: data is not JSON", e.Type)
	}
	return nil
}

// sound reports whether the text is JSON. What an encoder has made is not read once more: that would cost a multiple of the rest of a write.
func sound(text json.RawMessage, made bool) bool {
	if n := len(text); made {
		return n >= 2 && text[0] == '{' && text[n-1] == '}'
	}
	return json.Valid(text)
}

func (r *Record) check(made bool) error {
	switch {
	case r.Kind == "" || r.ID == "":
		return fmt.Errorf("no kind or no id")
	case r.Created.IsZero():
		return fmt.Errorf("%s %s has no time of creation", r.Kind, r.ID)
	case !sound(r.Doc, made):
		return fmt.Errorf("%s %s: document is not JSON", r.Kind, r.ID)
	}
	return nil
}

// CheckNote says what makes a note impossible to write.
func CheckNote(reader string, seq int64, records []Record) error {
	if reader == "" && len(records) == 0 || seq < 0 {
		return fmt.Errorf("store: note of reader %q at %d with %d records", reader, seq, len(records))
	}
	for i := range records {
		if err := records[i].check(false); err != nil {
			return fmt.Errorf("store: note: record %d: %w", i, err)
		}
	}
	return nil
}

// Check says what makes a impossible to keep.
func (a *Answer) Check() error {
	if a.Key == "" {
		return fmt.Errorf("store: answer without idempotency key")
	}
	if a.Status < 0 {
		return fmt.Errorf("store: answer with status %d", a.Status)
	}
	return nil
}

// Check returns an error for a query that no store answers: a fault.Invalid for a limit, plain for a missing kind.
func (q *Query) Check() error {
	if q.Kind == "" {
		return fmt.Errorf("store: query without kind")
	}
	return CheckLimit(q.Limit)
}

// Check returns a fault.Invalid for a query that no store answers.
func (q *LogQuery) Check() error {
	for _, t := range q.Types {
		if i := strings.IndexByte(t, '*'); t == "" || (i >= 0 && i != len(t)-1) {
			return fault.New(fault.Invalid, "INVALID_ARGUMENT", "event type %q: give an exact type or a prefix with one * at its end", t)
		}
	}
	if q.After < 0 {
		return fault.New(fault.Invalid, "INVALID_ARGUMENT", "after is %d: give the number of a log entry, or 0 for the start", q.After)
	}
	return CheckLimit(q.Limit)
}

// CheckLimit returns a fault.Invalid for a limit outside 1..1000.
func CheckLimit(limit int) error {
	if limit < 1 || limit > maxLimit {
		return fault.New(fault.Invalid, "INVALID_ARGUMENT", "limit is %d: give 1 to %d", limit, maxLimit)
	}
	return nil
}
