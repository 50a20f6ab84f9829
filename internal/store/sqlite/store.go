// Package sqlite keeps records and the event log in one SQLite database inside a data folder. It owns the folder's database and
// decides when the ballast goes and comes back; the folder itself, its lock and the ballast are package folder's. It starts two
// goroutines: a writer, which commits what waits in its queue in groups, and a keeper, which moves the write-ahead log into the
// database, forgets old answers and brings the ballast back. Close ends both. What records and events mean is left to its callers.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"parley/internal/store"
	"parley/internal/store/sqlite/folder"
)

// databaseFile is the database inside the data folder; SQLite puts its own files beside it.
const databaseFile = "parley.db"

// options are what tests change.
type options struct {
	queue   int           // changes that may wait
	group   int           // changes in one transaction
	readers int           // connections for reading
	retry   time.Duration // between attempts to bring the ballast back
	sweep   time.Duration // between sweeps of old answers
}

var defaults = options{queue: 1024, group: 256, readers: 4, retry: 5 * time.Second, sweep: time.Hour}

// Store is a store.Store in a data folder of its own. Its methods may be called from any goroutine.
type Store struct {
	folder *folder.Folder
	opts   options
	opened []io.Closer // for release

	writing *sql.DB // two connections: the writer's and the keeper's
	reading *sql.DB
	texts   texts // prepared statements of reading
	hints   store.Hints
	recent  recent
	places  sync.Map // int64 by reader: cursors as they are committed

	queue chan *job
	quit  chan struct{} // closed by Close: take no more
	ended chan struct{} // closed by the writer: nothing more will be answered
	grown chan struct{} // capacity one: writer to keeper, the write-ahead log has grown
	trim  chan struct{} // capacity one: keeper to writer, move the rest of it
	live  sync.WaitGroup

	counts counts
	once   sync.Once
	result error // of Close
}

var _ store.Store = (*Store)(nil)

// Open opens the store in dir, and makes the folder and the database where they are missing. A folder that cannot be used is refused
// with one clear line of package fault: STORE_LOCKED, STORE_READ_ONLY, STORE_FULL (Unavailable), STORE_FOLDER, STORE_NEWER,
// STORE_CORRUPT (Invalid). ctx bounds the opening only.
func Open(ctx context.Context, dir string) (*Store, error) {
	return open(ctx, dir, defaults)
}

func open(ctx context.Context, dir string, opts options) (_ *Store, err error) {
	f, err := folder.Open(dir)
	if err != nil {
		return nil, err
	}
	s := &Store{
		folder: f, opts: opts, opened: []io.Closer{f},
		queue: make(chan *job, opts.queue),
		quit:  make(chan struct{}), ended: make(chan struct{}),
		grown: make(chan struct{}, 1), trim: make(chan struct{}, 1),
	}
	w, err := s.connect(ctx)
	if err != nil {
		return nil, errors.Join(s.refused(ctx, err), s.release())
	}
	s.live.Add(2)
	go s.write(w)
	go s.keep()
	return s, nil
}

// connect opens the database files and brings the schema up to date. It returns the writer's connection.
func (s *Store) connect(ctx context.Context) (*session, error) {
	if err := s.folder.Prepare(); err != nil {
		return nil, err
	}
	// Made for its owner only, before SQLite makes it for everybody; this also proves that it can be written.
	f, err := os.OpenFile(filepath.Join(s.folder.Path(), databaseFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, s.folder.Refused(err)
	}
	_ = f.Close()
	if s.writing, err = s.pool(2, writePragmas); err != nil {
		return nil, err
	}
	if err := migrate(ctx, s.writing, s.folder.Path()); err != nil {
		return nil, err
	}
	if s.reading, err = s.pool(s.opts.readers, readPragmas); err != nil {
		return nil, err
	}
	s.texts.db = s.reading
	if _, _, err := s.Last(ctx, ""); err != nil {
		return nil, err
	}
	conn, err := s.writing.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("open the writer's connection: %w", err)
	}
	w := &session{conn: conn, stmts: map[string]*sql.Stmt{}, versions: map[string]int64{}, shapes: map[handle]shape{}}
	// Whoever claimed these is dead, or the lock would not be ours.
	if err := w.exec("DELETE FROM answers WHERE status = 0"); err != nil {
		w.close()
		return nil, fmt.Errorf("forget unfinished claims: %w", err)
	}
	return w, nil
}

// Close waits until what is queued is committed, then ends the goroutines and frees the folder. Whatever comes later is refused
// with a fault.Unavailable, reason STORE_CLOSED. A second Close returns what the first one did.
func (s *Store) Close() error {
	s.once.Do(func() {
		close(s.quit)
		s.live.Wait()
		s.result = s.release()
	})
	return s.result
}

func (s *Store) closed() bool {
	select {
	case <-s.quit:
		return true
	default:
		return false
	}
}

// release closes what was opened, the latest first: the folder with its lock goes last, because it guards all the others.
func (s *Store) release() error {
	var errs []error
	for _, c := range slices.Backward(s.opened) {
		errs = append(errs, c.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close data folder %s: %w", s.folder.Path(), err)
	}
	return nil
}

// Ping returns nil when the store can read and write just now, otherwise why it cannot. It goes through the writer's queue.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.do(ctx, "ping the store", func(*session) error { return nil }); err != nil {
		return err
	}
	if s.counts.full.Load() {
		return s.folder.Full()
	}
	_, _, err := s.Last(ctx, "")
	return err
}
