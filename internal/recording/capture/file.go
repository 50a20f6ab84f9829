package capture

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"

	"parley/internal/blob/disk"
	"parley/internal/fault"
)

// Names in a capture's folder.
const (
	pagesName   = "capture.pages"
	reserveName = "reserve"
	settledName = "settled"
)

// reserveBytes is given back at the end, so that a full disk takes it.
const reserveBytes = 64 << 10

var errFull = errors.New("the disk has no space")

// file is what a capture is appended to.
type file struct {
	f    disk.File
	on   disk.FS
	dir  string
	name string
	size int64 // of what is written as a whole
}

// create makes the folder and the file of a capture.
func create(o Options) (*file, error) {
	if o.ID == "" || o.ID != filepath.Base(o.ID) || o.ID[0] == '.' {
		return nil, fault.New(fault.Invalid, "RECORDING_ID_INVALID", "%q cannot name a recording: use a UUID", o.ID)
	}
	if err := disk.MkdirAll(o.on, o.Dir); err != nil {
		return nil, unwritable(o.ID, err)
	}
	if err := enough(o.Dir, o.MinFree); err != nil {
		return nil, err
	}
	dir := filepath.Join(o.Dir, o.ID)
	if err := o.on.Mkdir(dir); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return nil, fault.New(fault.Conflict, "RECORDING_EXISTS", "recording %s has a capture already: start it under a new id", o.ID)
		}
		return nil, unwritable(o.ID, err)
	}
	f := &file{on: o.on, dir: dir, name: filepath.Join(dir, pagesName)}
	if err := f.open(); err != nil {
		f.discard()
		return nil, unwritable(o.ID, err)
	}
	return f, nil
}

func (f *file) open() (err error) {
	if f.f, err = f.on.Create(f.name); err != nil {
		return err
	}
	if err := lock(f.f); err != nil {
		return err
	}
	reserve, err := f.on.Create(filepath.Join(f.dir, reserveName))
	if err != nil {
		return err
	}
	_, err = reserve.Write(make([]byte, reserveBytes))
	return errors.Join(err, reserve.Close(), f.on.SyncDir(f.dir), f.on.SyncDir(filepath.Dir(f.dir)))
}

func unwritable(id string, err error) error {
	if reasonOf(err) == DiskFull {
		return fault.New(fault.Exhausted, "DISK_FULL", "recording %s cannot start: %v: free some space", id, err)
	}
	return fault.New(fault.Unavailable, "RECORDING_FOLDER_UNWRITABLE", "recording %s cannot start: %v: check the folder's rights", id, err)
}

// enough refuses with DISK_FULL when less than least bytes are free where dir is.
func enough(dir string, least int64) error {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return fmt.Errorf("ask for free space: %w", err)
	}
	if free := int64(s.Bavail) * s.Bsize; free < least {
		return fmt.Errorf("%w: %w", errFull, fault.New(fault.Exhausted, "DISK_FULL", "%d MiB are free at %s, recording wants %d: free some space", free>>20, dir, least>>20))
	}
	return nil
}

// append writes after what was written as a whole, again and again if need be.
func (f *file) append(b []byte) error {
	if _, err := f.f.WriteAt(b, f.size); err != nil {
		return fmt.Errorf("write capture: %w", err)
	}
	f.size += int64(len(b))
	return nil
}

// sync has all of it survive a power loss. It may be called beside append.
func (f *file) sync() error {
	if err := f.f.Sync(); err != nil {
		return fmt.Errorf("sync capture: %w", err)
	}
	return nil
}

// appendSync does both.
func (f *file) appendSync(b []byte) error {
	if err := f.append(b); err != nil {
		return err
	}
	return f.sync()
}

// release gives the reserve back and cuts off what was written in part.
func (f *file) release() {
	_ = f.on.Remove(filepath.Join(f.dir, reserveName)) // without it the end may not fit, and the next start finds it missing
	_ = f.f.Truncate(f.size)                           // a torn tail is skipped by readers
}

func (f *file) close() {
	_ = f.f.Truncate(f.size)
	_ = f.f.Close()
}

// discard takes away a capture that never began.
func (f *file) discard() {
	if f.f != nil {
		_ = f.f.Close()
	}
	_ = f.on.Remove(f.dir)
}

// lock marks the file as that of a living capture.
func lock(f disk.File) error {
	open, ok := f.(interface{ Fd() uintptr })
	if !ok {
		return nil
	}
	return syscall.Flock(int(open.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}
