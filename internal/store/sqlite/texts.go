package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"sync"
)

// maxTexts bounds the prepared statements. The texts of all ways to ask are fewer; what has more variants, such as lists of
// event types, is prepared each time once the table is full.
const maxTexts = 256

// texts are prepared statements by their text.
type texts struct {
	db *sql.DB

	mu    sync.RWMutex
	stmts map[string]*sql.Stmt // guarded by mu
}

// query runs a prepared query.
func (t *texts) query(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	st, err := t.statement(ctx, text)
	if err != nil {
		return nil, err
	}
	if st == nil {
		return t.db.QueryContext(ctx, text, args...)
	}
	return st.QueryContext(ctx, args...)
}

// statement returns the prepared statement of a text, nil when there are too many.
func (t *texts) statement(ctx context.Context, text string) (*sql.Stmt, error) {
	t.mu.RLock()
	st, n := t.stmts[text], len(t.stmts)
	t.mu.RUnlock()
	if st != nil || n >= maxTexts {
		return st, nil
	}
	st, err := t.db.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if first := t.stmts[text]; first != nil { // somebody was faster
		return first, st.Close()
	}
	if t.stmts == nil {
		t.stmts = map[string]*sql.Stmt{}
	}
	t.stmts[text] = st
	return st, nil
}

func (t *texts) close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var errs []error
	for _, st := range t.stmts {
		errs = append(errs, st.Close())
	}
	t.stmts = nil
	return errors.Join(errs...)
}
