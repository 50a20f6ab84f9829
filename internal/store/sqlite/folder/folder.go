// Package folder takes a data folder for one process: it makes the folder, holds its lock, knows how much space is free there, and
// keeps a ballast, a file to give up when the disk is full. It owns the files "lock" and "ballast" in the folder and says what is
// wrong with a folder in one line of package fault. It starts no goroutines; when to give the ballast up and when to bring it back,
// and all other files of the folder, are left to its callers.
package folder

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"parley/internal/fault"
)

// Files of this package inside the data folder.
const (
	lockFile    = "lock"
	ballastFile = "ballast"
)

// Folder is a data folder that belongs to this process until Close. Its methods may be called from any goroutine.
type Folder struct {
	path string
	lock *os.File

	mu      sync.Mutex
	aboard  bool // guarded by mu: the ballast is there
	dropped int  // guarded by mu: how often it went
}

// Open makes the folder where it is missing, for its owner only, and locks it for this process. A folder that cannot be used is
// refused with one line of package fault: STORE_LOCKED, STORE_READ_ONLY, STORE_FULL (Unavailable), STORE_FOLDER (Invalid). The
// ballast is left as it is; see Prepare.
func Open(dir string) (*Folder, error) {
	path, err := makeFolder(dir)
	if err != nil {
		return nil, err
	}
	lock, err := takeLock(path)
	if err != nil {
		return nil, err
	}
	return &Folder{path: path, lock: lock}, nil
}

// Close frees the folder for other processes. It is called once, when nothing uses the folder's files any more.
func (f *Folder) Close() error { return f.lock.Close() }

// Path returns the absolute path of the folder.
func (f *Folder) Path() string { return f.path }

// Free returns how many bytes this user may still write in the folder.
func (f *Folder) Free() (uint64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(f.path, &st); err != nil {
		return 0, fmt.Errorf("ask for free space of %s: %w", f.path, err)
	}
	return st.Bavail * uint64(st.Bsize), nil
}

// makeFolder returns the absolute path of the data folder and makes it where it is missing, for its owner only.
func makeFolder(dir string) (string, error) {
	if dir == "" {
		return "", fault.New(fault.Invalid, "STORE_FOLDER", "no data folder is given: name one with --data")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find data folder %s: %w", dir, err)
	}
	if err := os.MkdirAll(abs, 0o700); err != nil {
		return "", onFile(abs, err)
	}
	return abs, nil
}

// takeLock locks the folder for this process. The lock ends with the file or the process, however that ends; the number in the
// file is for people only.
func takeLock(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, onFile(dir, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fault.New(fault.Unavailable, "STORE_LOCKED", "data folder %s is in use by process %s; stop it or choose another --data", dir, holder(f))
		}
		return nil, fmt.Errorf("lock data folder %s: %w", dir, err)
	}
	// On a full disk the number cannot be written; the lock holds all the same.
	if f.Truncate(0) == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return f, nil
}

// holder returns the number of the process that wrote the lock file.
func holder(f *os.File) string {
	text, err := io.ReadAll(io.LimitReader(f, 32))
	if pid := strings.TrimSpace(string(text)); err == nil && pid != "" {
		return pid
	}
	return "(unknown)"
}
