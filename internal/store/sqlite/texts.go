package sqlite

import (
	"context"
	"database/sql"
	"sync"
	"sync/atomic"
)

// maxTexts bounds the prepared statements. The usual ways to ask are fewer; what has more variants, such as lists of prefixes of
// event types, is prepared each time once there are so many.
const maxTexts = 256

// texts are the prepared statements of reading by their text. Closing db closes them.
type texts struct {
	db    *sql.DB
	stmts sync.Map // string to *sql.Stmt
	count atomic.Int32
}

// query runs a prepared query.
func (t *texts) query(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	if st, ok := t.stmts.Load(text); ok {
		return st.(*sql.Stmt).QueryContext(ctx, args...)
	}
	if t.count.Load() >= maxTexts {
		return t.db.QueryContext(ctx, text, args...)
	}
	st, err := t.db.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	if first, raced := t.stmts.LoadOrStore(text, st); raced {
		_ = st.Close()
		st = first.(*sql.Stmt)
	} else {
		t.count.Add(1)
	}
	return st.QueryContext(ctx, args...)
}

// question is a query with what is asked for, in words for errors.
type question struct {
	what, text string
	args       []any
}

// collect asks q and scans each row of the answer.
func collect[T any](ctx context.Context, s *Store, q question, scan func(*sql.Rows) (T, error)) (all []T, err error) {
	defer func() {
		if err != nil {
			all, err = nil, s.failed(ctx, q.what, err)
		}
	}()
	rows, err := s.texts.query(ctx, q.text, q.args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}
