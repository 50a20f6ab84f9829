// Package dir keeps finished files in a folder of this machine: files 0600 in folders 0700, written beside their place, synced and renamed.
// It starts no goroutine.
package dir

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"parley/internal/blob"
	"parley/internal/blob/disk"
	"parley/internal/fault"
)

// Store is a folder.
type Store struct {
	root string
	on   disk.FS
}

var _ blob.Store = (*Store)(nil)

// partial is where files grow. No key begins with a dot.
const partial = ".partial"

// Open opens the folder, makes it when it is not there, and clears away what was being written when the last program ended. Only one
// program uses a folder at a time. It refuses with BLOB_FOLDER_UNWRITABLE.
func Open(root string) (*Store, error) { return open(root, disk.OS) }

func open(root string, on disk.FS) (*Store, error) {
	root = filepath.Clean(root)
	err := on.Remove(filepath.Join(root, partial))
	if err == nil {
		err = disk.MkdirAll(on, filepath.Join(root, partial))
	}
	if err != nil {
		return nil, fault.New(fault.Unavailable, "BLOB_FOLDER_UNWRITABLE", "cannot keep files in %s: %v: check the folder's rights", root, err)
	}
	return &Store{root, on}, nil
}

func (s *Store) path(key string) string { return filepath.Join(s.root, filepath.FromSlash(key)) }

// Put implements blob.Store.
func (s *Store) Put(ctx context.Context, key string, r io.Reader, size int64) (blob.Info, error) {
	if err := blob.CheckKey(key); err != nil {
		return blob.Info{}, err
	}
	part := filepath.Join(s.root, partial, rand.Text())
	f, err := s.on.Create(part)
	if err != nil {
		return blob.Info{}, s.failed("put", key, err)
	}
	defer func() { _ = s.on.Remove(part) }() // where it was kept, nothing is left of it here
	n, err := io.Copy(f, &untilDone{ctx, r})
	if err == nil {
		err = blob.CheckSize(key, n, size)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = s.place(part, key)
	}
	if err != nil {
		return blob.Info{}, s.failed("put", key, err)
	}
	return s.Stat(ctx, key)
}

// place moves a complete file to its place, and has that survive a power loss.
func (s *Store) place(from, key string) error {
	to := s.path(key)
	err := fs.ErrNotExist
	for try := 0; try < 10 && errors.Is(err, fs.ErrNotExist); try++ { // a Delete may take the folder away in between
		if err = disk.MkdirAll(s.on, filepath.Dir(to)); err == nil {
			err = s.on.Rename(from, to)
		}
	}
	if err != nil {
		return err
	}
	for dir := filepath.Dir(to); ; dir = filepath.Dir(dir) {
		if err := s.on.SyncDir(dir); err != nil && !missing(err) || dir == s.root {
			return err
		}
	}
}

// untilDone is a reader that ends with its context.
type untilDone struct {
	ctx context.Context
	r   io.Reader
}

func (u *untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}

// PutFile implements blob.Store by copying: the file stays where it is.
func (s *Store) PutFile(ctx context.Context, key, path string) (blob.Info, error) {
	f, err := os.Open(path)
	if err != nil {
		return blob.Info{}, s.failed("put", key, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return blob.Info{}, s.failed("put", key, err)
	}
	return s.Put(ctx, key, f, info.Size())
}

// Open implements blob.Store.
func (s *Store) Open(_ context.Context, key string, offset, length int64) (io.ReadCloser, blob.Info, error) {
	if err := blob.CheckKey(key); err != nil {
		return nil, blob.Info{}, err
	}
	f, err := os.Open(s.path(key))
	if err != nil {
		return nil, blob.Info{}, s.failed("open", key, err)
	}
	stat, err := f.Stat()
	if err == nil && stat.IsDir() {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, blob.Info{}, errors.Join(s.failed("open", key, err), f.Close())
	}
	if err := blob.CheckRange(key, offset, stat.Size()); err != nil {
		return nil, blob.Info{}, errors.Join(err, f.Close())
	}
	if length < 0 {
		length = stat.Size() - offset
	}
	return part{io.NewSectionReader(f, offset, length), f}, infoOf(key, stat), nil
}

// part is a range of a file.
type part struct {
	io.Reader
	io.Closer
}

func infoOf(key string, stat fs.FileInfo) blob.Info {
	return blob.Info{Key: key, Size: stat.Size(), Modified: stat.ModTime().UTC()}
}

// Stat implements blob.Store.
func (s *Store) Stat(_ context.Context, key string) (blob.Info, error) {
	if err := blob.CheckKey(key); err != nil {
		return blob.Info{}, err
	}
	stat, err := os.Stat(s.path(key))
	if err == nil && stat.IsDir() {
		err = fs.ErrNotExist
	}
	if err != nil {
		return blob.Info{}, s.failed("stat", key, err)
	}
	return infoOf(key, stat), nil
}

// Delete implements blob.Store.
func (s *Store) Delete(_ context.Context, key string) error {
	if err := blob.CheckKey(key); err != nil {
		return err
	}
	path := s.path(key)
	stat, err := os.Stat(path)
	if err == nil && !stat.IsDir() {
		err = s.on.Remove(path)
	}
	if err != nil {
		if missing(err) {
			return nil
		}
		return s.failed("delete", key, err)
	}
	dir := filepath.Dir(path)
	if err := s.on.SyncDir(dir); err != nil && !missing(err) {
		return s.failed("delete", key, err)
	}
	for ; dir != s.root && os.Remove(dir) == nil; dir = filepath.Dir(dir) {
		// Folders that are empty now go as well.
	}
	return nil
}

// Link implements blob.Store: a folder has no links.
func (s *Store) Link(_ context.Context, key string, _ time.Duration) (string, error) {
	return "", fault.New(fault.Unavailable, "BLOB_LINK_UNSUPPORTED", "files in a folder have no links of their own: read %s through the API", key)
}

func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

func (s *Store) failed(what, key string, err error) error {
	switch _, refused := fault.Of(err); {
	case missing(err) && what != "put":
		return blob.NotFound(key)
	case errors.Is(err, syscall.ENOSPC):
		return fault.New(fault.Exhausted, "DISK_FULL", "%s %s: %v: free some space", what, key, err)
	case refused:
		return err
	}
	return fmt.Errorf("%s %s: %w", what, key, err)
}
