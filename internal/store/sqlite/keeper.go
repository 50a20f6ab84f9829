package sqlite

import (
	"time"

	"parley/internal/store"
	"parley/internal/wall"
)

const (
	// checkpointEvery is how many changes may pass between two checkpoints: about 15 MB of write-ahead log. Pages that many changes touch are moved once.
	checkpointEvery = 512
	// trimAbove is how many pages of the log may be left over before the writer moves them itself. It does so between two
	// transactions, when nothing can be added, which is what lets the log start again from its beginning.
	trimAbove = 8192
)

// keep is the keeper's goroutine. It sleeps while nothing is written, but for a sweep each hour.
func (s *Store) keep() {
	defer s.live.Done()
	hourly := time.NewTicker(s.opts.sweep)
	defer hourly.Stop()
	retry := time.NewTimer(s.opts.retry)
	defer retry.Stop()
	s.sweep(wall.Now().Add(-store.AnswersKept))
	for {
		select {
		case <-s.quit:
			return
		case <-hourly.C:
			s.sweep(wall.Now().Add(-store.AnswersKept))
		case <-s.grown:
			s.checkpoint()
			if aboard, _ := s.folder.Ballast(); !aboard {
				retry.Reset(s.opts.retry)
			}
		case <-retry.C:
			if !s.reload() {
				retry.Reset(s.opts.retry)
			}
		}
	}
}

// reload tries to bring the ballast back; where it fits, the disk is no longer full.
func (s *Store) reload() bool {
	err := s.folder.Load()
	aboard, _ := s.folder.Ballast()
	if aboard {
		s.counts.full.Store(false)
	}
	return err == nil && aboard
}

// sweep deletes answers claimed before the given time, some at once so that no change waits long. What an error leaves is for the
// next hour.
func (s *Store) sweep(before time.Time) {
	for more, err := true, error(nil); more && err == nil; {
		err = s.do(background, "sweep old answers", func(w *session) error {
			more, err = w.changed("DELETE FROM answers WHERE rowid IN (SELECT rowid FROM answers WHERE at <= ? LIMIT 500)", before.UnixMicro())
			return err
		})
	}
}

// checkpoint moves the write-ahead log into the database on a connection of its own. PASSIVE neither waits for anyone nor makes
// anyone wait. A failure, on a full disk for example, costs nothing: the log stays as it is, and the next one tries again.
func (s *Store) checkpoint() {
	var blocked, pages, moved int64
	err := s.writing.QueryRowContext(background, "PRAGMA wal_checkpoint(PASSIVE)").Scan(&blocked, &pages, &moved)
	s.counts.checkpoints.Add(1)
	if err == nil && pages > trimAbove {
		poke(s.trim)
	}
}
