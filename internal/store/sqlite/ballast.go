package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

const (
	// ballastSize is what the ballast reserves: some thousand changes, time enough for an operator to make room.
	ballastSize = 8 << 20
	// leastSpace is what a start needs: the write-ahead log, its index, the tables of an empty database.
	leastSpace = 1 << 20
)

// ballast is a file that occupies space so that there is some to free when the disk is full.
type ballast struct {
	dir string

	mu      sync.Mutex
	aboard  bool // guarded by mu
	dropped int  // guarded by mu: how often it went
}

func (b *ballast) path() string { return filepath.Join(b.dir, ballastFile) }

// prepare loads the ballast at the start, or drops it when the disk is too full to start with it. A disk too full even so is
// refused.
func (b *ballast) prepare() error {
	if err := b.load(); err != nil && !isFull(err) {
		return onFile(b.dir, err)
	}
	for range 2 {
		if free, err := space(b.dir); err != nil || free >= leastSpace {
			return err
		}
		b.drop()
	}
	return errFull(b.dir)
}

// load makes the ballast when there is room for it and as much again; otherwise it would be what fills the disk. On an error
// there is no ballast, nor need there be one without.
func (b *ballast) load() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.aboard {
		return nil
	}
	if info, err := os.Stat(b.path()); err == nil && info.Size() == ballastSize {
		b.aboard = true
		return nil
	}
	free, err := space(b.dir)
	if err != nil || free < 2*ballastSize {
		return err
	}
	// Not synced: what counts is that the space is taken, and a file that came out short is made anew.
	if err := os.WriteFile(b.path(), make([]byte, ballastSize), 0o600); err != nil {
		return errors.Join(fmt.Errorf("make the ballast: %w", err), os.Remove(b.path()))
	}
	b.aboard = true
	return nil
}

// drop frees the space of the ballast; false when there was none to free.
func (b *ballast) drop() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.aboard = false
	gone := os.Remove(b.path()) == nil
	if gone {
		b.dropped++
	}
	return gone
}

func (b *ballast) state() (aboard bool, dropped int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.aboard, b.dropped
}
