package folder

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"parley/internal/fault"
)

// Full returns the refusal of a change for want of space, STORE_FULL (Unavailable). It does not look at the disk.
func (f *Folder) Full() error { return errFull(f.path) }

// Refused turns the failure of a file operation in the folder into a line that says what to do: STORE_FULL, STORE_READ_ONLY
// (Unavailable) or STORE_FOLDER (Invalid); any other failure is wrapped.
func (f *Folder) Refused(err error) error { return onFile(f.path, err) }

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

func errFull(dir string) error {
	return fault.New(fault.Unavailable, "STORE_FULL", "the disk of data folder %s is full: free at least %d MiB there", dir, 2*ballastSize>>20)
}
