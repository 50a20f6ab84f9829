package archive

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/recording/capture"
	"parley/internal/recording/render"
	"parley/internal/wire"
)

// Options of an Archive.
type Options struct {
	Dir     string        // made when it is not there; nobody else may write below it
	MinFree int64         // bytes that must be free to start a recording; 0 means 128 MiB
	GiveUp  time.Duration // how long a disk may refuse before a recording ends; 0 means 5 s
	AtOnce  int           // renditions made at the same time; 0 means half of the processors
}

// Archive is the folder of all recordings. Its methods may be called from any goroutine. Ids that are no UUIDs are unknown.
type Archive struct {
	o      Options
	places chan struct{} // taken by who makes a rendition
	flight singleflight.Group

	mu     sync.Mutex // guards live
	live   map[string]*capture.Capture
	counts Stats
}

// Stats of an Archive since it was opened.
type Stats struct {
	Live     int    // captures that run
	Started  uint64 // captures
	Rendered uint64 // renditions
	Failed   uint64 // captures that ended in trouble, and renditions that could not be made
	Lost     uint64 // ticks of 20 ms that the disk was too slow for, of captures that have ended
}

// Open makes the folder if need be and ends the captures that a crash left open. It returns the ids of all captures whose end has not been
// told with Settle.
func Open(o Options) (a *Archive, unsettled []string, err error) {
	o.AtOnce = cmp.Or(o.AtOnce, max(1, runtime.NumCPU()/2))
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("folder of recordings: %w", err)
	}
	results, err := capture.Recover(o.Dir)
	for _, r := range results {
		unsettled = append(unsettled, r.ID)
	}
	a = &Archive{o: o, places: make(chan struct{}, o.AtOnce), live: map[string]*capture.Capture{}}
	return a, unsettled, err
}

// Start opens the capture of a recording; the record is kept with it. It refuses with DISK_FULL, RECORDING_FOLDER_UNWRITABLE and
// RECORDING_EXISTS. It waits for the disk.
func (a *Archive) Start(r conference.Recording) (*capture.Capture, error) {
	meta, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("start recording %s: %w", r.ID, err)
	}
	c, err := capture.Start(capture.Options{
		Dir: a.o.Dir, ID: r.ID, Meta: meta, Limit: r.Duration, MinFree: a.o.MinFree, GiveUp: a.o.GiveUp,
	})
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
func (a *Archive) Finish(ctx context.Context, id, format string) (f conference.RecordingFile, failure conference.RecordingReason, err error) {
	if err := a.wait(ctx, id); err != nil {
		return f, "", err
	}
	made, err := a.make(ctx, id, render.Rendition{Kind: render.Mix, Format: format})
	if err != nil {
		return f, conference.RecordingFailed, err
	}
	m, err := a.Manifest(id)
	if err != nil {
		return f, conference.RecordingFailed, err
	}
	switch m.Reason {
	case capture.DiskFull:
		failure = conference.RecordingDiskFull
	case capture.WriteFailed:
		failure = conference.RecordingFailed
	}
	return conference.RecordingFile{Size: made.Size, Length: made.Duration, SHA256: made.SHA256}, failure, nil
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
	delete(a.live, id)
	a.counts.Lost += c.Lost()
	if c.Result().Error != "" {
		a.counts.Failed++
	}
	return nil
}

// Settle notes that the end of a recording has been told.
func (a *Archive) Settle(id string) error { return capture.Settle(a.o.Dir, id) }

// Remove deletes all that there is of a recording. Its capture must have been stopped. Repeated, it changes nothing.
func (a *Archive) Remove(id string) error {
	if _, ok := wire.ParseUUID(id); !ok {
		return unknown(id)
	}
	if err := a.wait(context.Background(), id); err != nil {
		return err
	}
	return capture.Remove(a.o.Dir, id)
}

// Manifest returns the manifest of a recording, with the renditions that are made.
func (a *Archive) Manifest(id string) (render.Manifest, error) {
	r, err := a.open(id)
	if err != nil {
		return render.Manifest{}, err
	}
	defer r.Close()
	m := r.Manifest()
	notes, _ := filepath.Glob(filepath.Join(a.o.Dir, id, "*"+noteSuffix)) // the pattern is right
	for _, name := range notes {
		if made, err := readNote(name); err == nil {
			m.Files = append(m.Files, made)
		}
	}
	return m, nil
}

// Peaks returns the waveform of a rendition in about so many points.
func (a *Archive) Peaks(ctx context.Context, id string, what render.Rendition, points int) (p render.Peaks, err error) {
	r, err := a.open(id)
	if err != nil {
		return p, err
	}
	defer r.Close()
	if err := a.enter(ctx); err != nil {
		return p, err
	}
	defer a.leave()
	return r.Peaks(ctx, what, points)
}

func (a *Archive) open(id string) (*render.Recording, error) {
	if _, ok := wire.ParseUUID(id); !ok {
		return nil, unknown(id)
	}
	return render.Open(capture.Path(a.o.Dir, id), id)
}

func unknown(id string) error {
	return fault.New(fault.NotFound, "RECORDING_CAPTURE_MISSING", "recording %s has no capture here: was it deleted?", id)
}

func (a *Archive) enter(ctx context.Context) error {
	select {
	case a.places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (a *Archive) leave() { <-a.places }

func (a *Archive) count(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil {
		a.counts.Rendered++
	} else if _, refused := fault.Of(err); !refused && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		a.counts.Failed++
	}
}
