package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
)

// A job waits in the queue, then is taken by the writer or dropped by its caller, whoever is first.
const (
	waiting int32 = iota
	taken
	dropped
)

// job is one thing to write. run is called inside a transaction, perhaps more than once: one that
// fails is tried again.
type job struct {
	run      func(*session) error
	what     string // for errors
	moved    func() // called by the writer when it is committed; nil for nothing
	appended func() // called by the writer when it is committed; such jobs are counted, and readers of the log get a hint; nil: it does not append
	since    time.Time
	state    atomic.Int32
	err      error
	done     chan struct{} // closed by the writer, err is set
}

// do hands a job to the writer and waits for its outcome.
func (s *Store) do(ctx context.Context, what string, run func(*session) error) error {
	return s.enqueue(ctx, &job{what: what, run: run})
}

func (s *Store) enqueue(ctx context.Context, j *job) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", j.what, err)
	}
	j.since = time.Now()
	j.done = make(chan struct{})
	if s.closed() {
		return errClosed()
	}
	select {
	case s.queue <- j:
	case <-s.quit:
		return errClosed()
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", j.what, ctx.Err())
	}
	select {
	case <-j.done:
		return j.err
	case <-ctx.Done():
		if j.state.CompareAndSwap(waiting, dropped) {
			return fmt.Errorf("%s: %w", j.what, ctx.Err())
		}
	case <-s.ended:
		if j.state.CompareAndSwap(waiting, dropped) {
			return errClosed()
		}
	}
	<-j.done
	return j.err
}

// write is the writer's goroutine: it alone uses w. It sleeps while nothing is queued.
func (s *Store) write(w *session) {
	defer s.live.Done()
	defer close(s.ended)
	defer w.close()
	batch := make([]*job, 0, s.opts.group)
	for {
		select {
		case j := <-s.queue:
			runtime.Gosched() // who is about to ask may come along: the fewer syncs
			s.commit(w, s.gather(batch[:0], j))
		case <-s.trim:
			_ = w.exec("PRAGMA wal_checkpoint(PASSIVE)")
		case <-s.quit:
			for len(s.queue) > 0 { // nobody else receives
				s.commit(w, s.gather(batch[:0], <-s.queue))
			}
			return
		}
	}
}

// gather takes the first job and what is queued now, without waiting, and leaves out what has been withdrawn.
func (s *Store) gather(batch []*job, first *job) []*job {
	for j := first; ; j = <-s.queue {
		if j.state.CompareAndSwap(waiting, taken) {
			batch = append(batch, j)
		}
		if len(batch) == s.opts.group || len(s.queue) == 0 {
			return batch
		}
	}
}

// commit writes the batch in one transaction and answers its jobs. A full disk costs the ballast and gets one more try. When a
// job makes the transaction fail otherwise, each is written alone, so that only that one fails.
func (s *Store) commit(w *session, batch []*job) {
	if len(batch) == 0 {
		return
	}
	err := w.transact(batch)
	if err != nil && s.outOfSpace(err) && s.folder.Drop() {
		err = w.transact(batch)
		poke(s.grown) // the keeper brings the ballast back when there is room
	}
	if err != nil && len(batch) > 1 && !s.outOfSpace(err) {
		for i := range batch {
			s.commit(w, batch[i:i+1])
		}
		return
	}
	if err != nil {
		for _, j := range batch {
			j.err = fmt.Errorf("%s: %w", j.what, s.unwritable(err))
		}
	}
	s.settle(batch, err)
}

// settle counts the outcome, hints at it to the readers of the log, and lets the callers go.
func (s *Store) settle(batch []*job, err error) {
	appended := s.counts.add(batch, err)
	for _, j := range batch {
		if j.moved != nil && j.err == nil {
			j.moved()
		}
		if j.appended != nil && j.err == nil {
			j.appended()
		}
	}
	if appended > 0 {
		s.counts.full.Store(false)
		s.hints.Poke()
	} else if err != nil && s.outOfSpace(err) {
		s.counts.full.Store(true)
	}
	for _, j := range batch {
		close(j.done)
	}
	if s.counts.since.Add(uint64(appended)) >= checkpointEvery {
		s.counts.since.Store(0)
		poke(s.grown)
	}
}

// poke leaves word in a channel of capacity one.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// session is a connection for writing with its prepared statements, used by one goroutine.
type session struct {
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
	// As the open transaction or the one before has left them; what is rolled back is forgotten.
	versions map[string]int64 // of keys
	shapes   map[handle]shape // of records
}

// Writes take no context: a transaction is short, and an interrupted one would take the others of its group along.
var background = context.Background()

func (w *session) prepare(text string) (*sql.Stmt, error) {
	if st := w.stmts[text]; st != nil {
		return st, nil
	}
	st, err := w.conn.PrepareContext(background, text)
	if err != nil {
		return nil, err
	}
	w.stmts[text] = st
	return st, nil
}

// exec runs a statement from a fixed set of texts.
func (w *session) exec(text string, args ...any) error {
	_, err := w.result(text, args...)
	return err
}

// result runs a statement for its outcome.
func (w *session) result(text string, args ...any) (sql.Result, error) {
	st, err := w.prepare(text)
	if err != nil {
		return nil, err
	}
	return st.ExecContext(background, args...)
}

// changed runs a statement and reports whether it changed a row.
func (w *session) changed(text string, args ...any) (bool, error) {
	res, err := w.result(text, args...)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

// row runs a query for one row.
func (w *session) row(text string, args []any, dest ...any) error {
	st, err := w.prepare(text)
	if err != nil {
		return err
	}
	return st.QueryRowContext(background, args...).Scan(dest...)
}

// close closes the statements too: those of a single connection are not closed with it.
func (w *session) close() {
	for _, st := range w.stmts {
		_ = st.Close()
	}
	_ = w.conn.Close()
}

// transact runs the jobs in one transaction. A job that a rule refuses fails alone; any other error fails them all, and nothing is written. Savepoints
// cost a sixth of a change's time and refusals are rare, so there are none until a job is refused: then the transaction begins again.
func (w *session) transact(batch []*job) error {
	refused, err := w.together(batch)
	if err == nil && refused && len(batch) > 1 {
		err = w.apart(batch)
	}
	return err
}

// together runs the jobs one after the other. When a rule refuses one of them, nothing is written.
func (w *session) together(batch []*job) (refused bool, err error) {
	err = w.transaction(func() (bool, error) {
		for _, j := range batch {
			if j.err = j.run(w); j.err == nil {
				continue
			}
			if classify(j.err) != refusal {
				return false, j.err
			}
			refused = true
			break
		}
		return !refused, nil
	})
	return refused, err
}

// apart runs the jobs so that those that are refused leave no trace.
func (w *session) apart(batch []*job) error {
	return w.transaction(func() (bool, error) {
		good := false
		for _, j := range batch {
			var err error
			if j.err, err = w.try(j); err != nil {
				return false, err
			}
			good = good || j.err == nil
		}
		return good, nil
	})
}

// transaction commits what body has done if it says so.
func (w *session) transaction(body func() (good bool, err error)) (err error) {
	if err := w.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			w.forget()
			_ = w.exec("ROLLBACK") // fails when SQLite has rolled back by itself
		}
	}()
	good, err := body()
	switch {
	case err != nil:
		return err
	case !good:
		w.forget()
		return w.exec("ROLLBACK")
	}
	return w.exec("COMMIT")
}

// try runs one job in a savepoint. refused is the job's own failure, err the transaction's.
func (w *session) try(j *job) (refused, err error) {
	if err := w.exec("SAVEPOINT job"); err != nil {
		return nil, err
	}
	if refused = j.run(w); refused != nil {
		if classify(refused) != refusal {
			return nil, refused
		}
		w.forget()
		if err := w.exec("ROLLBACK TO job"); err != nil {
			return nil, err
		}
	}
	return refused, w.exec("RELEASE job")
}

// forget drops what is remembered of a transaction that is rolled back.
func (w *session) forget() {
	clear(w.versions)
	clear(w.shapes)
}
