package sqlite

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"parley/internal/fault"
)

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

// onFile turns the failure of a file operation in dir into a line that says what to do.
func onFile(dir string, err error) error {
	switch {
	case isFull(err):
		return errFull(dir)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fault.New(fault.Unavailable, "STORE_READ_ONLY", "data folder %s cannot be written: give this user write permission or choose another --data", dir)
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EISDIR), errors.Is(err, fs.ErrExist):
		return fault.New(fault.Invalid, "STORE_FOLDER", "%s is not a folder with files in it (%v): choose another --data", dir, err)
	}
	return fmt.Errorf("use data folder %s: %w", dir, err)
}

// isFull reports the system's words for a full disk and a used-up quota.
func isFull(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// space returns how many bytes this user may still write in dir.
func space(dir string) (uint64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("ask for free space of %s: %w", dir, err)
	}
	return st.Bavail * uint64(st.Bsize), nil
}
