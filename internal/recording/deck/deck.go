package deck

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"parley/internal/conference/tape"
	"parley/internal/fault"
	"parley/internal/recording/capture"
)

// Recorder keeps recordings; *archive.Archive is one. All of it may wait for the disk.
type Recorder interface {
	// Start opens a capture for a recording that is about to start.
	Start(r tape.Recording) (*capture.Capture, error)
	// Finish makes the file of one whose capture has ended or is about to. failure is the trouble that ended it, "" for none.
	Finish(ctx context.Context, id, format string) (f tape.File, failure tape.Reason, err error)
	// Settle says that the end has been written down.
	Settle(id string) error
	// Remove deletes everything of a recording.
	Remove(ctx context.Context, id string) error
}

// Owner writes down what becomes of a recording. An error that is worth another try is repeated; those of the kinds NotFound, Conflict and
// Invalid are not, and end the care for the recording.
type Owner interface {
	// Stop says that nothing more is captured, unless that is known.
	Stop(ctx context.Context, id string, reason tape.Reason) error
	// Finish says that the file can be had, or what trouble there was.
	Finish(ctx context.Context, id string, f tape.File, failure tape.Reason) error
}

// Options of a Deck.
type Options struct {
	Recorder Recorder
	Patience time.Duration // how long it tries to keep a file that cannot be kept just now
	Log      *slog.Logger
}

// Deck sees to the recordings of one node. Its methods may be called from any goroutine.
type Deck struct {
	o   Options
	ctx context.Context
	end context.CancelFunc
	wg  sync.WaitGroup

	mu   sync.Mutex // guards kept
	kept map[string]bool
}

// retryEvery is the pause before another try.
const retryEvery = 5 * time.Second

// New makes a Deck, which wants a Close.
func New(o Options) *Deck {
	d := &Deck{o: o, kept: map[string]bool{}}
	d.ctx, d.end = context.WithCancel(context.Background())
	return d
}

// Stop gives up what is being done; the next start goes on with it. Captures must have been stopped, or be about to be.
func (d *Deck) Stop() { d.end() }

// Close stops, and waits for all goroutines.
func (d *Deck) Close() {
	d.end()
	d.wg.Wait()
}

// Kept returns how many recordings run or are being finished.
func (d *Deck) Kept() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.kept)
}

// Keep brings a recording to its end, unless somebody does already. c is nil when its capture ended with a process before.
func (d *Deck) Keep(r tape.Recording, c *capture.Capture, w Owner) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.kept[r.ID] || d.ctx.Err() != nil {
		return
	}
	d.kept[r.ID] = true
	d.wg.Go(func() {
		d.bring(r, c, w)
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.kept, r.ID)
	})
}

// bring waits for the end of the capture, has the file made, and tells of both. What it does not get done because the deck is closed is begun
// again by the next start.
func (d *Deck) bring(r tape.Recording, c *capture.Capture, w Owner) {
	reason := tape.ByCrash
	if c != nil {
		<-c.Done() // its owner stops it at the latest when it ends itself
		reason = ended(c.Result().Reason)
	}
	if !d.until("tell of a recording's stop", r.ID, func() error { return w.Stop(d.ctx, r.ID, reason) }) {
		return
	}
	file, failure, err := d.finish(&r)
	if d.ctx.Err() != nil {
		return
	}
	if err != nil {
		failure = tape.Failed
		d.o.Log.Error("cannot make the file of a recording", "recording", r.ID, "error", err)
	}
	if !d.until("tell of a recording's end", r.ID, func() error { return w.Finish(d.ctx, r.ID, file, failure) }) {
		return
	}
	d.o.Log.Info("recording finished", "recording", r.ID, "bytes", file.Size, "length", file.Length, "failure", failure)
	if err := d.o.Recorder.Settle(r.ID); err != nil {
		d.o.Log.Warn("settle a recording", "recording", r.ID, "error", err) // found again at the next start, and then settled
	}
}

// finish has the file made. Where it cannot be kept just now it tries again, for as long as the patience lasts.
func (d *Deck) finish(r *tape.Recording) (f tape.File, failure tape.Reason, err error) {
	until := time.Now().Add(d.o.Patience)
	d.until("keep the file of a recording", r.ID, func() error {
		f, failure, err = d.o.Recorder.Finish(d.ctx, r.ID, r.Format)
		if kind := fault.KindOf(err); kind != fault.Unavailable && kind != fault.Exhausted || time.Now().After(until) {
			return nil // for good
		}
		return err
	})
	return f, failure, err
}

// until tries until it is done; false when the error is final or the deck is closed.
func (d *Deck) until(what, id string, try func() error) bool {
	for d.ctx.Err() == nil {
		err := try()
		if err == nil {
			return true
		}
		switch kind := fault.KindOf(err); {
		case d.ctx.Err() != nil:
			return false
		case kind == fault.NotFound || kind == fault.Conflict || kind == fault.Invalid:
			d.o.Log.Warn("cannot "+what, "recording", id, "error", err)
			return false
		}
		d.o.Log.Warn("cannot "+what+"; trying again", "recording", id, "error", err)
		select {
		case <-time.After(retryEvery):
		case <-d.ctx.Done():
		}
	}
	return false
}

// ended turns why a capture ended by itself into a reason of the rules.
func ended(reason string) tape.Reason {
	switch reason {
	case capture.LimitReached:
		return tape.ByLimit
	case capture.DiskFull:
		return tape.DiskFull
	case capture.WriteFailed:
		return tape.Failed
	}
	return tape.ByCrash // whoever else stops a capture has written it down before
}
