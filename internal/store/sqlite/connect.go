package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"slices"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"parley/internal/fault"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Every commit is synced (FULL). The write-ahead log is moved by the keeper, not inside a commit (wal_autocheckpoint 0), and cut
// back when a burst has made it long. The busy timeout matters only when another program, such as a backup, has the lock. What a
// savepoint would restore is kept in memory: in a file it costs more than a quarter of a change's time.
var (
	writePragmas = []string{
		"busy_timeout(5000)", "journal_mode(wal)", "synchronous(full)", "wal_autocheckpoint(0)",
		"journal_size_limit(33554432)", "cache_size(-16384)", "temp_store(memory)", "trusted_schema(off)",
	}
	readPragmas = []string{"busy_timeout(5000)", "query_only(on)", "cache_size(-4096)", "trusted_schema(off)"}
)

// pool returns n connections to the database that stay open.
func (s *Store) pool(n int, pragmas []string) (*sql.DB, error) {
	q := url.Values{"_pragma": pragmas, "_txlock": {"immediate"}, "_dqs": {"0"}, "_error_rc": {"1"}}
	if slices.Contains(pragmas, "query_only(on)") {
		q.Set("mode", "ro")
		q.Del("_txlock")
	}
	name := url.URL{Scheme: "file", Path: filepath.Join(s.folder.Path(), databaseFile), RawQuery: q.Encode()}
	db, err := sql.Open("sqlite", name.String())
	if err != nil {
		return nil, fmt.Errorf("open the database of data folder %s: %w", s.folder.Path(), err)
	}
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	s.opened = append(s.opened, db)
	return db, nil
}

// migrate brings the schema up to the newest version this program knows, and refuses a database that is not ours or newer.
func migrate(ctx context.Context, db *sql.DB, dir string) error {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("find the migrations: %w", err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, sub, goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	sources := p.ListSources()
	known := sources[len(sources)-1].Version
	have, err := schema(ctx, db, dir)
	switch {
	case err != nil:
		return err
	case have == known:
		return nil
	case have > known:
		return fault.New(fault.Invalid, "STORE_NEWER",
			"data folder %s was made by a newer Parley (schema %d, this one knows %d): run the newer binary or restore a backup", dir, have, known)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("bring the database from schema %d to %d: %w", have, known, err)
	}
	return nil
}

// schema returns the version of the database, 0 for an empty one. It looks by itself because the migration library would first
// write its table into whatever it is given.
func schema(ctx context.Context, db *sql.DB, dir string) (version int64, err error) {
	var tables, ours int
	err = db.QueryRowContext(ctx,
		"SELECT count(*), count(*) FILTER (WHERE name = 'goose_db_version') FROM sqlite_schema WHERE type = 'table'").Scan(&tables, &ours)
	switch {
	case err != nil:
		return 0, fmt.Errorf("read the schema: %w", err)
	case tables == 0:
		return 0, nil
	case ours == 0:
		return 0, fault.New(fault.Invalid, "STORE_CORRUPT", "%s was not made by Parley: choose another --data", filepath.Join(dir, databaseFile))
	}
	err = db.QueryRowContext(ctx, "SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied").Scan(&version)
	return version, err
}

// refused turns what stopped an opening into a line that says what to do.
func (s *Store) refused(ctx context.Context, err error) error {
	if _, ok := fault.Of(err); ok {
		return err
	}
	file := filepath.Join(s.folder.Path(), databaseFile)
	switch class := classify(err); {
	case ctx.Err() != nil:
		err = ctx.Err()
	case s.outOfSpace(err):
		return s.folder.Full()
	case class == corrupt:
		return fault.New(fault.Invalid, "STORE_CORRUPT", "%s is damaged or not a database (%v): restore a backup or choose another --data", file, err)
	case class == busy:
		return fault.New(fault.Unavailable, "STORE_LOCKED", "%s is locked by another program: stop it or choose another --data", file)
	case class == readOnly:
		return s.folder.Refused(fs.ErrPermission)
	}
	return fmt.Errorf("open data folder %s: %w", s.folder.Path(), err)
}
