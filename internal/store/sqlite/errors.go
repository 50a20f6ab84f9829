package sqlite

import (
	"context"
	"errors"
	"fmt"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"parley/internal/fault"
)

// class groups SQLite's result codes by what has to be done about them.
type class int

const (
	refusal  class = iota // not of SQLite: a rule of ours
	other                 // a fault of ours
	full                  // no space
	busy                  // another program has the lock
	broken                // the disk fails
	readOnly              // the file or the disk cannot be written
	corrupt               // the file is no database
)

// classify says which class an error of a database operation belongs to.
func classify(err error) class {
	var e *driver.Error
	if !errors.As(err, &e) {
		return refusal
	}
	switch e.Code() & 0xff {
	case lib.SQLITE_FULL:
		return full
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED, lib.SQLITE_PROTOCOL:
		return busy
	case lib.SQLITE_IOERR, lib.SQLITE_NOMEM:
		return broken
	case lib.SQLITE_READONLY, lib.SQLITE_CANTOPEN, lib.SQLITE_PERM, lib.SQLITE_AUTH:
		return readOnly
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		return corrupt
	}
	return other
}

// outOfSpace reports whether err comes from a full disk. SQLite says so itself for its files, but a sync or the shared index
// of the write-ahead log fails as an I/O error.
func (s *Store) outOfSpace(err error) bool {
	switch classify(err) {
	case full:
		return true
	case broken:
		free, bad := s.folder.Free()
		return bad == nil && free < 1<<16
	}
	return false
}

// unwritable turns the failure of a transaction into what a caller of Append is promised.
func (s *Store) unwritable(err error) error {
	if s.outOfSpace(err) {
		return s.folder.Full()
	}
	switch classify(err) {
	case busy:
		return fault.New(fault.Unavailable, "STORE_BUSY", "another program has locked the database in %s: try again", s.folder.Path())
	case broken, readOnly:
		return fault.New(fault.Unavailable, "STORE_UNWRITABLE", "the database in %s cannot be written (%v): look at its disk", s.folder.Path(), err)
	}
	return err
}

// failed wraps the failure of a read with what was attempted.
func (s *Store) failed(ctx context.Context, what string, err error) error {
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
	case s.closed():
		return errClosed()
	case classify(err) == busy:
		err = s.unwritable(err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

func errClosed() error {
	return fault.New(fault.Unavailable, "STORE_CLOSED", "the store is closed: the server is stopping")
}
