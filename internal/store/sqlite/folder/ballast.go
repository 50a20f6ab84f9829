package folder

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

const (
	// ballastSize is what the ballast reserves: some thousand changes, time enough for an operator to make room.
	ballastSize = 8 << 20
	// leastSpace is what a start needs: the write-ahead log, its index, the tables of an empty database.
	leastSpace = 1 << 20
)

// Prepare loads the ballast at the start, or drops it when the disk is too full to start with it. A disk too full even so is
// refused with STORE_FULL, a failure to make the ballast as Refused says.
func (f *Folder) Prepare() error {
	if err := f.Load(); err != nil && !isFull(err) {
		return f.Refused(err)
	}
	for range 2 {
		if free, err := f.Free(); err != nil || free >= leastSpace {
			return err
		}
		f.Drop()
	}
	return f.Full()
}

// Load makes the ballast, 8 MiB, when there is room for it and as much again; otherwise it would be what fills the disk. On an
// error there is no ballast, nor need there be one without: Ballast tells.
func (f *Folder) Load() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.aboard {
		return nil
	}
	path := f.ballastPath()
	if info, err := os.Stat(path); err == nil && info.Size() == ballastSize {
		f.aboard = true
		return nil
	}
	free, err := f.Free()
	if err != nil || free < 2*ballastSize {
		return err
	}
	// Not synced: what counts is that the space is taken, and a file that came out short is made anew.
	if err := os.WriteFile(path, make([]byte, ballastSize), 0o600); err != nil {
		return errors.Join(fmt.Errorf("make the ballast: %w", err), os.Remove(path))
	}
	f.aboard = true
	return nil
}

// Drop frees the space of the ballast; false when there was none to free.
func (f *Folder) Drop() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.aboard = false
	gone := os.Remove(f.ballastPath()) == nil
	if gone {
		f.dropped++
	}
	return gone
}

// Ballast reports whether the ballast is there and how often it was dropped since Open.
func (f *Folder) Ballast() (aboard bool, dropped int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.aboard, f.dropped
}

func (f *Folder) ballastPath() string { return filepath.Join(f.path, ballastFile) }
