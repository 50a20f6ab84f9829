// Package disk is what is done to files and folders so that a power loss leaves what was promised: a file's content is there once Sync has returned, its
// name once its folder was synced. It is as small as what uses it, so that disktest can play the disk that loses everything else. It starts no
// goroutine.
package disk

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// File is a file that is written.
type File interface {
	io.Writer
	io.WriterAt
	Truncate(size int64) error
	// Sync has the content survive a power loss, the name not.
	Sync() error
	Close() error
}

// FS is the part of a file system that changes names.
type FS interface {
	// Mkdir makes one folder, of mode 0700.
	Mkdir(dir string) error
	// Create makes a file, of mode 0600; one that is there is fs.ErrExist.
	Create(name string) (File, error)
	Rename(from, to string) error
	// Remove takes away a file, or a folder with all that is in it; nothing is no error.
	Remove(path string) error
	// SyncDir has the names in the folder survive a power loss.
	SyncDir(dir string) error
}

// OS is the file system of this machine.
var OS FS = system{}

// MkdirAll makes a folder and those above it that are missing, and has them survive.
func MkdirAll(on FS, dir string) error {
	switch info, err := os.Stat(dir); {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return &fs.PathError{Op: "mkdir", Path: dir, Err: syscall.ENOTDIR}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	above := filepath.Dir(dir)
	if above == dir {
		return &fs.PathError{Op: "mkdir", Path: dir, Err: fs.ErrNotExist}
	}
	if err := MkdirAll(on, above); err != nil {
		return err
	}
	if err := on.Mkdir(dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return on.SyncDir(above)
}

type system struct{}

func (system) Mkdir(dir string) error { return os.Mkdir(dir, 0o700) }

func (system) Create(name string) (File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return &file{f}, nil
}

func (system) Rename(from, to string) error { return os.Rename(from, to) }

func (system) Remove(path string) error { return os.RemoveAll(path) }

func (system) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Wrap returns a file that is open already.
func Wrap(f *os.File) File { return &file{f} }

type file struct{ *os.File }

// Sync leaves out the times of the file, which nobody needs.
func (f *file) Sync() error { return syscall.Fdatasync(int(f.Fd())) }
