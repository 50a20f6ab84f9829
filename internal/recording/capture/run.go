package capture

import (
	"errors"
	"syscall"
	"time"

	"parley/internal/recording/page"
)

const (
	pollEvery  = 20 * time.Millisecond
	spaceEvery = time.Second
	// batchBytes is how much may collect before it is written although there is more in the ring.
	batchBytes = 1 << 20
	// writeCells is after how many cells what is complete is written, and synced right after: 120 ms. With a poll that is all that a death costs, and
	// fewer, larger writes cost less of the machine, most of which is the disk's.
	writeCells = 2
)

// run is the capture's goroutine.
func (c *Capture) run() {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	checked := time.Now()
	for {
		select {
		case <-c.stop:
			c.finish(c.step(), c.reason)
			return
		case err := <-c.failed:
			c.finish(err, "")
			return
		case <-ticker.C:
		}
		err := c.step()
		if err == nil && time.Since(checked) >= spaceEvery {
			checked = time.Now()
			err = enough(c.file.dir, c.o.MinFree/2)
		}
		switch {
		case err != nil:
			c.finish(err, "")
			return
		case c.over():
			c.finish(nil, LimitReached)
			return
		}
	}
}

// over reports whether the limit is reached and all before it is taken.
func (c *Capture) over() bool {
	origin := c.origin.Load()
	return origin != 0 && c.clock.Load()-(origin-1) >= c.limit && c.ring.read.Load() == c.ring.wrote.Load()
}

// step takes what is in the ring and writes the cells that are complete.
func (c *Capture) step() error {
	clock, origin := c.clock.Load(), c.origin.Load() // before the ring: what it holds is at least as new
	if origin == 0 {
		return nil
	}
	if !c.book.began {
		c.book.origin(origin - 1)
	}
	var frame [page.Tick]int16
	for {
		r, body, ok := c.ring.next(frame[:])
		if !ok {
			break
		}
		c.book.take(r, body)
		if len(c.book.pages) > batchBytes {
			if err := c.flush(); err != nil {
				return err
			}
		}
	}
	c.book.reach(clock)
	c.takeMarks()
	if c.book.cell < c.flushed+writeCells {
		return nil
	}
	c.flushed = c.book.cell
	return c.flush()
}

func (c *Capture) takeMarks() {
	c.mu.Lock()
	marks := c.marks
	c.marks = nil
	c.mu.Unlock()
	for _, m := range marks {
		c.book.mark(max(m.Clock, c.book.life.Origin), m.Lane, m)
	}
}

// flush writes the finished pages. A disk that refuses is asked again for as long as GiveUp says; meanwhile the ring
// fills, and what it cannot hold becomes a gap.
func (c *Capture) flush() error {
	if len(c.book.pages) == 0 {
		return nil
	}
	began := time.Now()
	for {
		err := c.file.append(c.book.pages)
		if err == nil {
			c.book.written()
			c.wake()
			return nil
		}
		if time.Since(began) >= c.o.GiveUp {
			return err
		}
		select {
		case <-c.stop:
			// A last time: nobody waits for a disk after the end.
			began = began.Add(-c.o.GiveUp)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// finish ends the file. What failed before it is err; the space kept for the end is given back first, so that it fits.
func (c *Capture) finish(err error, reason string) {
	c.want.Store(closed)
	c.end()
	r := Result{ID: c.o.ID, Path: c.file.name, Reason: reason, Meta: c.o.Meta}
	if err != nil {
		r.Reason, r.Error = reasonOf(err), err.Error()
		c.book.drop() // what could not be written is lost
	}
	c.file.release()
	clock := c.clock.Load()
	if c.book.began {
		c.ending(err == nil, clock)
	} else {
		c.takeMarks()
	}
	c.book.mark(clock, 0, page.Mark{Type: page.End, At: time.Now().UTC(), Reason: r.Reason})
	if e := c.file.appendSync(c.book.pages); e != nil && err == nil {
		r.Reason, r.Error = reasonOf(e), e.Error()
	}
	c.file.close()
	if c.book.began {
		all, kept := c.book.life.Length(clock)
		r.Length, r.Kept = span(all), span(kept)
	}
	r.Gaps, r.Lost = c.book.gaps, span(c.book.lost)
	c.result = r
	close(c.done)
}

// ending books what the loop and the callers left behind. After a failure nothing of the audio is kept that was not written, and
// that is a gap.
func (c *Capture) ending(whole bool, clock uint64) {
	b := &c.book
	if whole {
		b.close()
		if to := c.gapTo.Load(); to != 0 {
			b.gap(c.gapFrom.Load(), to-c.gapFrom.Load(), gapReasons[c.gapWhy.Load()])
		}
		c.takeMarks()
		b.beat(clock)
		return
	}
	for i := range b.runs {
		b.runs[i].samples = b.runs[i].samples[:0]
	}
	if from := max(b.stored, b.life.Origin); from < clock {
		b.gap(from, clock-from, "write_failed")
	}
	b.beat(clock)
}

func reasonOf(err error) string {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, errFull) {
		return DiskFull
	}
	return WriteFailed
}
