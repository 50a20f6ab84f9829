package sqlite

import (
	"sync/atomic"
	"time"
)

// Stats are figures since the store was opened.
type Stats struct {
	Appends     uint64        // changes committed
	Refused     uint64        // changes that a rule refused: fenced, name taken
	Failed      uint64        // changes that could not be written
	Batches     uint64        // transactions that wrote changes; Appends/Batches is the mean size of a group
	Largest     uint64        // changes in the largest group
	Latency     time.Duration // sum, over committed changes, of the time from Append to its end
	Slowest     time.Duration // of one committed change
	Queue       int           // waiting now
	Checkpoints uint64        // times the write-ahead log was moved into the database
	Full        bool          // the last write failed for want of space
	Ballast     bool          // the space reserved for a full disk is there
	Dropped     int           // times the ballast was given up
}

// counts are the writer's figures; the writer alone adds, anyone reads.
type counts struct {
	appends, refused, failed, batches, largest atomic.Uint64
	latency, slowest                           atomic.Int64
	checkpoints, since                         atomic.Uint64
	full                                       atomic.Bool
}

// Stats returns the figures of now. It takes no lock that a write holds for long.
func (s *Store) Stats() Stats {
	c := &s.counts
	aboard, dropped := s.folder.Ballast()
	return Stats{
		Appends: c.appends.Load(), Refused: c.refused.Load(), Failed: c.failed.Load(),
		Batches: c.batches.Load(), Largest: c.largest.Load(),
		Latency: time.Duration(c.latency.Load()), Slowest: time.Duration(c.slowest.Load()),
		Queue: len(s.queue), Checkpoints: c.checkpoints.Load(),
		Full: c.full.Load(), Ballast: aboard, Dropped: dropped,
	}
}

// add counts a batch whose transaction ended with err and returns how many changes it committed.
func (c *counts) add(batch []*job, err error) (appended int) {
	now := time.Now()
	for _, j := range batch {
		switch {
		case j.appended == nil:
		case err != nil:
			c.failed.Add(1)
		case j.err != nil:
			c.refused.Add(1)
		default:
			appended++
			took := int64(now.Sub(j.since))
			c.latency.Add(took)
			c.slowest.Store(max(c.slowest.Load(), took))
		}
	}
	if appended > 0 {
		c.appends.Add(uint64(appended))
		c.batches.Add(1)
		c.largest.Store(max(c.largest.Load(), uint64(appended)))
	}
	return appended
}
