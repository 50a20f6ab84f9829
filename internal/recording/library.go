package recording

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"parley/internal/blob"
	"parley/internal/fault"
	"parley/internal/recording/capture"
	"parley/internal/recording/page"
	"parley/internal/recording/render"
)

// Library is the recordings of one node. Its methods may be called from anywhere.
type Library struct {
	o    Options
	turn chan struct{} // holds one, for whoever renders
	now  atomic.Pointer[making]
}

// making is what whoever has the turn makes.
type making struct {
	id string
	r  *render.Recording
}

// Options say where recordings live. Of Capture only MinFree, GiveUp, Ring and Key count.
type Options struct {
	Dir     string // of captures
	Blobs   blob.Store
	Capture capture.Options
}

// File is a rendition that can be downloaded under Key.
type File struct {
	Key string `json:"key"`
	render.Made
}

// New makes the library of a folder and a store.
func New(o Options) *Library { return &Library{o: o, turn: make(chan struct{}, 1)} }

// Start begins a capture, which refuses as capture.Start does. o.Dir and what Options.Capture sets are filled in.
func (l *Library) Start(o capture.Options) (*capture.Capture, error) {
	o.Dir, o.MinFree, o.GiveUp, o.Ring, o.Key = l.o.Dir, l.o.Capture.MinFree, l.o.Capture.GiveUp, l.o.Capture.Ring, l.o.Capture.Key
	return capture.Start(o)
}

// Recover ends what a crash left open and returns the captures of which nobody said Settle; see capture.Recover.
func (l *Library) Recover() ([]capture.Result, error) {
	return capture.Recover(l.o.Dir, l.o.Capture.Key)
}

// Settle notes that the end of a recording is told.
func (l *Library) Settle(id string) error { return capture.Settle(l.o.Dir, id) }

// Rendition returns a rendition, and makes it when it is asked for first. It refuses as render.Open and render.Recording.Render do, with
// RECORDING_NOT_FINISHED, and with the refusals of the store; after those the next call sends only what is missing.
func (l *Library) Rendition(ctx context.Context, id string, what render.Rendition) (File, error) {
	if f, err := l.made(ctx, id, what); err != nil || f.Key != "" {
		return f, err
	}
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return File{}, fmt.Errorf("wait for other renditions: %w", ctx.Err())
	}
	if f, err := l.made(ctx, id, what); err != nil || f.Key != "" {
		return f, err // somebody else made it meanwhile
	}
	r, err := l.open(id)
	if err != nil {
		return File{}, err
	}
	defer r.Close()
	if r.Manifest().Reason == "" {
		return File{}, fault.New(fault.Conflict, "RECORDING_NOT_FINISHED", "recording %s still runs: stop it first", id)
	}
	return l.make(ctx, id, r, what)
}

func (l *Library) open(id string) (*render.Recording, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	return render.Open(capture.Path(l.o.Dir, id), id, l.o.Capture.Key)
}

func checkID(id string) error {
	if id == "" || id != filepath.Base(id) || id[0] == '.' {
		return fault.New(fault.Invalid, "RECORDING_ID_INVALID", "%.64q is no recording: use its UUID", id)
	}
	return nil
}

// make renders into a file beside the capture and puts it into the store.
func (l *Library) make(ctx context.Context, id string, r *render.Recording, what render.Rendition) (File, error) {
	key := keyOf(id, what)
	path := filepath.Join(l.o.Dir, id, filepath.Base(key)+".partial")
	defer os.Remove(path)
	l.now.Store(&making{id, r})
	made, err := renderTo(ctx, path, r, what)
	l.now.Store(nil)
	if err != nil {
		return File{}, err
	}
	if _, err := l.o.Blobs.PutFile(ctx, key, path); err != nil {
		return File{}, fmt.Errorf("keep %s of recording %s: %w", what.Kind, id, err)
	}
	f := File{Key: key, Made: made}
	return f, l.list(ctx, id, f)
}

func renderTo(ctx context.Context, path string, r *render.Recording, what render.Rendition) (render.Made, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return render.Made{}, fmt.Errorf("render %s: %w", what.Kind, err)
	}
	made, err := r.Render(ctx, f, what)
	if err = errors.Join(err, f.Close()); errors.Is(err, syscall.ENOSPC) {
		return render.Made{}, fault.New(fault.Exhausted, "DISK_FULL", "there is no room for the %s: %v: free some space", what.Kind, err)
	}
	return made, err
}

// keyOf returns where a rendition is kept.
func keyOf(id string, what render.Rendition) string {
	name := what.Kind
	if what.Kind == render.Participant {
		name += "-" + what.Tag
		if blob.CheckKey(name) != nil || len(what.Tag) > 64 {
			sum := sha256.Sum256([]byte(what.Tag))
			name = what.Kind + "-" + hex.EncodeToString(sum[:16])
		}
	}
	return "recordings/" + id + "/" + name + "." + what.Format
}

func listKey(id string) string { return "recordings/" + id + "/files.json" }

// made returns the rendition when the store has it, the zero File when not.
func (l *Library) made(ctx context.Context, id string, what render.Rendition) (File, error) {
	files, err := l.Files(ctx, id)
	if err != nil {
		return File{}, err
	}
	if what.Kind != render.Participant {
		what.Tag = ""
	}
	for _, f := range files {
		if f.Rendition == what {
			return f, nil
		}
	}
	return File{}, nil
}

// Files returns the renditions that were made.
func (l *Library) Files(ctx context.Context, id string) (files []File, err error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	r, _, err := l.o.Blobs.Open(ctx, listKey(id), 0, -1)
	if fault.KindOf(err) == fault.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list files of recording %s: %w", id, err)
	}
	defer r.Close()
	if err := json.NewDecoder(r).Decode(&files); err != nil {
		return nil, fmt.Errorf("list files of recording %s: %w", id, err)
	}
	return files, nil
}

// list adds a file to those that were made. Only whoever has the turn calls it.
func (l *Library) list(ctx context.Context, id string, f File) error {
	files, err := l.Files(ctx, id)
	if err != nil {
		return err
	}
	data, err := json.Marshal(append(files, f))
	if err != nil {
		return fmt.Errorf("list files of recording %s: %w", id, err)
	}
	if _, err := l.o.Blobs.Put(ctx, listKey(id), bytes.NewReader(data), int64(len(data))); err != nil {
		return fmt.Errorf("list files of recording %s: %w", id, err)
	}
	return nil
}

// Open reads a rendition by range; see blob.Store.
func (l *Library) Open(ctx context.Context, f File, offset, length int64) (io.ReadCloser, error) {
	r, _, err := l.o.Blobs.Open(ctx, f.Key, offset, length)
	return r, err
}

// Progress returns how much of a rendition of the recording is made, from 0 to 1; false while none is.
func (l *Library) Progress(id string) (float64, bool) {
	if m := l.now.Load(); m != nil && m.id == id {
		return m.r.Progress(), true
	}
	return 0, false
}

// Link returns a URL of a rendition that needs no credential; see blob.Store.
func (l *Library) Link(ctx context.Context, f File, lasts time.Duration) (string, error) {
	return l.o.Blobs.Link(ctx, f.Key, lasts)
}

// Manifest says what is in a recording, and which renditions there are. It may still run.
func (l *Library) Manifest(ctx context.Context, id string) (render.Manifest, error) {
	r, err := l.open(id)
	if err != nil {
		return render.Manifest{}, err
	}
	defer r.Close()
	m := r.Manifest()
	files, err := l.Files(ctx, id)
	for _, f := range files {
		m.Files = append(m.Files, f.Made)
	}
	return m, err
}

// Peaks makes the waveform of a rendition; see render.Recording.Peaks.
func (l *Library) Peaks(ctx context.Context, id string, what render.Rendition, points int) (render.Peaks, error) {
	r, err := l.open(id)
	if err != nil {
		return render.Peaks{}, err
	}
	defer r.Close()
	return r.Peaks(ctx, what, points)
}

// Delete takes away the audio of a recording everywhere: renditions first, the list of them, the capture. What is not there is no error; after
// an error it may be repeated. The capture must have ended.
func (l *Library) Delete(ctx context.Context, id string) error {
	files, err := l.Files(ctx, id)
	if err != nil {
		return err
	}
	keys := l.possible(id)
	for _, f := range files {
		if !slices.Contains(keys, f.Key) {
			keys = append(keys, f.Key)
		}
	}
	for _, key := range append(keys, listKey(id)) {
		if err := l.o.Blobs.Delete(ctx, key); err != nil {
			return fmt.Errorf("delete recording %s: %w", id, err)
		}
	}
	return capture.Remove(l.o.Dir, id)
}

// possible returns the keys of all that can be made of a capture: what was put just before a crash is on no list.
func (l *Library) possible(id string) (keys []string) {
	kinds := []render.Rendition{{Kind: render.Mix}, {Kind: render.Stereo}, {Kind: render.Channels}}
	if r, err := l.open(id); err == nil {
		for _, t := range r.Manifest().Tracks {
			if t.Lane != page.Player {
				kinds = append(kinds, render.Rendition{Kind: render.Participant, Tag: t.Tag})
			}
		}
		_ = r.Close()
	}
	for _, what := range kinds {
		for _, what.Format = range []string{render.WAV, render.Ogg} {
			keys = append(keys, keyOf(id, what))
		}
	}
	return keys
}
