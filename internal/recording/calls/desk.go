package calls

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"parley/internal/conference/tape"
	"parley/internal/fault"
	"parley/internal/recording/capture"
	"parley/internal/recording/deck"
	"parley/internal/store"
	"parley/internal/wall"
)

// Options of a Desk.
type Options struct {
	Store    store.Store
	Recorder deck.Recorder // nil: nothing is recorded
	Patience time.Duration // how long it tries to keep a file that cannot be kept just now
	Log      *slog.Logger
}

// Desk records the calls of one node. Its methods may be called from any goroutine.
type Desk struct {
	o    Options
	deck *deck.Deck
	wg   sync.WaitGroup

	mu     sync.Mutex            // guards what follows
	active map[string]*Recording // by call; nil while one is about to start
	closed bool

	changes sync.Mutex // of records, one at a time: each step is told once
}

// Request says what to record.
type Request struct {
	ID           string // of the recording, a UUID; "": one is made
	CallID       string
	CustomerID   string
	ActiveflowID string // of the flow that asks, or ""
	Options      tape.Options
}

// New makes a Desk, which wants a Close.
func New(o Options) *Desk {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return &Desk{
		o: o, active: map[string]*Recording{},
		deck: deck.New(deck.Options{Recorder: o.Recorder, Patience: o.Patience, Log: o.Log}),
	}
}

// Start begins a recording and returns when that is written; recording_started is in the log then. It hears nothing before Switch, which is kept as
// silence. It refuses with RECORDING_ALREADY_ACTIVE, INVALID_ARGUMENT, DISK_FULL, RECORDING_UNAVAILABLE and what the store refuses.
func (d *Desk) Start(ctx context.Context, q Request) (*Recording, error) {
	r, err := q.record(wall.Now())
	if err != nil {
		return nil, err
	}
	if d.o.Recorder == nil {
		return nil, fault.New(fault.Unavailable, "RECORDING_UNAVAILABLE", "this server does not record")
	}
	if err := d.reserve(r.CallID); err != nil {
		return nil, err
	}
	x, err := d.open(ctx, r)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		delete(d.active, r.CallID)
		return nil, err
	}
	d.active[r.CallID] = x
	d.deck.Keep(r, x.capture, owner{d})
	if r.EndOfSilence > 0 && !d.closed {
		d.wg.Go(x.watch)
	}
	if d.closed {
		x.end(tape.ByCrash)
	}
	d.o.Log.Info("recording started", "call", r.CallID, "recording", r.ID)
	return x, nil
}

func (q *Request) record(at time.Time) (r tape.Recording, err error) {
	o, err := q.Options.Normal(tape.NoNotice)
	if err == nil && o.Notice != tape.NoNotice {
		err = fault.New(fault.Invalid, "INVALID_ARGUMENT", "notice: it is for conferences; play something to the caller before you start")
	}
	if q.ID == "" {
		q.ID = uuid.NewString()
	}
	return tape.Start(at.UTC().Truncate(time.Microsecond), tape.Recording{
		ID: q.ID, CustomerID: q.CustomerID, CallID: q.CallID, ActiveflowID: q.ActiveflowID, Options: o,
	}), err
}

func (d *Desk) reserve(callID string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return fault.New(fault.Unavailable, "STOPPING", "the server is stopping; try again when it is back")
	}
	if x, taken := d.active[callID]; taken {
		id := "another that is just starting"
		if x != nil {
			id = x.id
		}
		return fault.New(fault.Conflict, "RECORDING_ALREADY_ACTIVE", "the call is being recorded as %s; stop that first", id)
	}
	d.active[callID] = nil
	return nil
}

// open opens the capture before anything is written, so that a recording that has started cannot fail to.
func (d *Desk) open(ctx context.Context, r tape.Recording) (*Recording, error) {
	c, err := d.o.Recorder.Start(r)
	if err != nil {
		return nil, err
	}
	err = errors.Join(c.Join(capture.Lane{Tag: In, Name: "caller"}), c.Join(capture.Lane{Tag: Out, Name: "played to the caller"}))
	if err == nil {
		err = d.write(ctx, r, tape.StartedEvent)
	}
	if err != nil {
		c.Stop("")
		if e := d.o.Recorder.Remove(context.WithoutCancel(ctx), r.ID); e != nil {
			d.o.Log.Warn("remove a recording that did not start", "recording", r.ID, "error", e)
		}
		return nil, err
	}
	return &Recording{id: r.ID, callID: r.CallID, options: r.Options, desk: d, capture: c, ears: ears{to: c}, stopped: make(chan struct{})}, nil
}

// Active returns the call's recording that runs, nil for none.
func (d *Desk) Active(callID string) *Recording {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.active[callID]
}

// Stop ends the call's recording, for good at once, and returns its record when the end of the capture is written or ctx ends; its file follows, and
// recording_finished. The reason is tape.ByRequest or tape.ByCall. Without a recording it refuses with RECORDING_NOT_ACTIVE.
func (d *Desk) Stop(ctx context.Context, callID string, reason tape.Reason) (tape.Recording, error) {
	x := d.Active(callID)
	if x == nil {
		return tape.Recording{}, fault.New(fault.Conflict, "RECORDING_NOT_ACTIVE", "the call is not being recorded; start a recording first")
	}
	x.end(reason)
	select {
	case <-x.stopped:
		return d.read(ctx, x.id)
	case <-ctx.Done():
		return tape.Recording{}, fmt.Errorf("stop recording %s: %w", x.id, context.Cause(ctx))
	}
}

// Delete marks a recording that has ended as deleted; its sound is the caller's business. Others are refused with RECORDING_NOT_ENDED.
func (d *Desk) Delete(ctx context.Context, id string) error {
	_, err := d.step(ctx, id, func(r tape.Recording, at time.Time) (tape.Recording, string, error) {
		r, changed, err := r.Delete(at)
		if err != nil || !changed {
			return r, "", err
		}
		return r, tape.DeletedEvent, nil
	})
	return err
}

// Recover brings to their end the recordings that a dead process left open, in the background. It is called once, before anything starts.
func (d *Desk) Recover(ctx context.Context) error {
	if d.o.Recorder == nil {
		return nil
	}
	q := store.Query{Kind: store.Recording, Live: true, Deleted: true, Limit: 1000}
	for {
		page, err := d.o.Store.List(ctx, q)
		if err != nil {
			return fmt.Errorf("recover recordings of calls: %w", err)
		}
		for _, record := range page {
			q.Before = store.Cursor{Created: record.Created, ID: record.ID}
			var r tape.Recording
			if err := json.Unmarshal(record.Doc, &r); err != nil {
				return fmt.Errorf("read recording %s: %w", record.ID, err)
			}
			if r.CallID != "" {
				d.deck.Keep(r, nil, owner{d})
			}
		}
		if len(page) < q.Limit {
			return nil
		}
	}
}

// Kept returns how many recordings run or are being finished.
func (d *Desk) Kept() int { return d.deck.Kept() }

// Close stops all captures and waits for the goroutines. What is not finished by then the next start finishes.
func (d *Desk) Close() {
	d.mu.Lock()
	d.closed = true
	var all []*Recording
	for _, x := range d.active {
		if x != nil {
			all = append(all, x)
		}
	}
	d.mu.Unlock()
	d.deck.Stop()
	for _, x := range all {
		x.end(tape.ByCrash)
	}
	d.wg.Wait()
	d.deck.Close()
}
