package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sync/singleflight"

	"parley/internal/blob"
	"parley/internal/conference/tape"
	"parley/internal/fault"
	"parley/internal/recording"
	"parley/internal/recording/capture"
	"parley/internal/recording/render"
	"parley/internal/wire"
)

// Options of an Archive.
type Options struct {
	Dir     string          // of captures; made when it is not there, nobody else may write below it
	Blobs   blob.Store      // of renditions
	Capture capture.Options // MinFree, GiveUp, Ring and Key count
}

// Archive is the recordings of a node. Its methods may be called from any goroutine. Ids that are no UUIDs are unknown.
type Archive struct {
	library *recording.Library
	flight  singleflight.Group
	ctx     context.Context // of the renditions that are being made
	cancel  context.CancelFunc
	turn    chan struct{} // holds one, for whoever looks for peaks

	mu     sync.Mutex // guards what follows
	live   map[string]*capture.Capture
	counts Stats
	making sync.WaitGroup
	closed bool
}

// Stats of an Archive since it was opened.
type Stats struct {
	Live     int    // captures that run
	Started  uint64 // captures
	Rendered uint64 // renditions that were asked for and could be had
	Failed   uint64 // captures that ended in trouble, and renditions that could not be made
	Lost     uint64 // ticks of 20 ms that the disk was too slow for, of captures that have ended
}

// Open makes the folder if need be and ends the captures that a crash left open. It returns the ids of all captures whose end has not been
// told with Settle; with err those that could be ended are there all the same.
func Open(o Options) (a *Archive, unsettled []string, err error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("folder of recordings: %w", err)
	}
	a = &Archive{
		library: recording.New(recording.Options{Dir: o.Dir, Blobs: o.Blobs, Capture: o.Capture}),
		live:    map[string]*capture.Capture{}, turn: make(chan struct{}, 1),
	}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	results, err := a.library.Recover()
	for _, r := range results {
		unsettled = append(unsettled, r.ID)
	}
	return a, unsettled, err
}

// Close gives up the renditions that are being made, and waits for their goroutines. Captures go on until they are stopped.
func (a *Archive) Close() {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.cancel()
	a.making.Wait()
}

// Start opens the capture of a recording; the record is kept with it. It refuses with DISK_FULL, RECORDING_FOLDER_UNWRITABLE and
// RECORDING_EXISTS. It waits for the disk.
func (a *Archive) Start(r tape.Recording) (*capture.Capture, error) {
	meta, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("start recording %s: %w", r.ID, err)
	}
	c, err := a.library.Start(capture.Options{ID: r.ID, Meta: meta, Limit: r.Duration})
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.live[r.ID] = c
	a.counts.Started++
	return c, nil
}

// Stats returns a snapshot.
func (a *Archive) Stats() Stats {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.counts
	s.Live = len(a.live)
	return s
}

// Finish makes what a client gets first, the mix in the recording's format, when its capture has ended; it waits for that. failure says
// which trouble ended the capture, "" for none; the sound up to it is there all the same.
func (a *Archive) Finish(ctx context.Context, id, format string) (f tape.File, failure tape.Reason, err error) {
	if err := a.wait(ctx, id); err != nil {
		return f, "", err
	}
	file, err := a.File(ctx, id, render.Rendition{Kind: render.Mix, Format: format})
	if err != nil {
		return f, tape.Failed, err
	}
	m, err := a.Manifest(ctx, id)
	if err != nil {
		return f, tape.Failed, err
	}
	switch m.Reason {
	case capture.DiskFull:
		failure = tape.DiskFull
	case capture.WriteFailed:
		failure = tape.Failed
	}
	return tape.File{Size: file.Size, Length: file.Duration, SHA256: file.SHA256}, failure, nil
}

// wait waits for the end of a capture that runs here.
func (a *Archive) wait(ctx context.Context, id string) error {
	a.mu.Lock()
	c := a.live[id]
	a.mu.Unlock()
	if c == nil {
		return nil
	}
	select {
	case <-c.Done():
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.live[id] == c {
		delete(a.live, id)
		a.counts.Lost += c.Lost()
		if c.Result().Error != "" {
			a.counts.Failed++
		}
	}
	return nil
}

// Settle notes that the end of a recording has been told.
func (a *Archive) Settle(id string) error { return a.library.Settle(id) }

// Remove deletes all that there is of a recording. Its capture must have been stopped. Repeated, it changes nothing.
func (a *Archive) Remove(ctx context.Context, id string) error {
	if _, ok := wire.ParseUUID(id); !ok {
		return unknown(id)
	}
	if err := a.wait(ctx, id); err != nil {
		return err
	}
	return a.library.Delete(ctx, id)
}

// Manifest returns the manifest of a recording, with the renditions that are made.
func (a *Archive) Manifest(ctx context.Context, id string) (render.Manifest, error) {
	if _, ok := wire.ParseUUID(id); !ok {
		return render.Manifest{}, unknown(id)
	}
	return a.library.Manifest(ctx, id)
}

// Peaks returns the waveform of a rendition in about so many points. One is made at a time.
func (a *Archive) Peaks(ctx context.Context, id string, what render.Rendition, points int) (render.Peaks, error) {
	if _, ok := wire.ParseUUID(id); !ok {
		return render.Peaks{}, unknown(id)
	}
	select {
	case a.turn <- struct{}{}:
	case <-ctx.Done():
		return render.Peaks{}, context.Cause(ctx)
	}
	defer func() { <-a.turn }()
	return a.library.Peaks(ctx, id, what, points)
}

func unknown(id string) error {
	return fault.New(fault.NotFound, "RECORDING_CAPTURE_MISSING", "recording %s has no capture here: was it deleted?", id)
}

func (a *Archive) count(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil {
		a.counts.Rendered++
	} else if _, refused := fault.Of(err); !refused && !errors.Is(err, context.Canceled) {
		a.counts.Failed++
	}
}
