package capture

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"parley/internal/blob/disk"
	"parley/internal/recording/page"
)

// Recover ends the captures below dir that a crash left open, and returns all that nobody has settled, each with how it ended: those of the
// crash as Interrupted. It is called at start, reads only the ends of the files, leaves captures alone that are running, and may be
// repeated: who dies between Recover and Settle finds the same again. Captures that cannot be ended are named in err; the others are returned
// all the same.
func Recover(dir string, key []byte) (unsettled []Result, err error) {
	return recoverAll(disk.OS, dir, key)
}

func recoverAll(on disk.FS, dir string, key []byte) (unsettled []Result, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("recover captures: %w", err)
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		r, found, e := recoverOne(on, filepath.Join(dir, e.Name()), e.Name(), key)
		if e != nil {
			err = errors.Join(err, e)
		} else if found {
			unsettled = append(unsettled, r)
		}
	}
	return unsettled, err
}

// Settle notes that the end of a capture has been told; Recover does not return it any more.
func Settle(dir, id string) error { return settle(disk.OS, dir, id) }

func settle(on disk.FS, dir, id string) error {
	f, err := on.Create(filepath.Join(dir, id, settledName))
	if err == nil {
		err = f.Close()
	} else if errors.Is(err, fs.ErrExist) {
		err = nil
	}
	if err := errors.Join(err, on.SyncDir(filepath.Join(dir, id))); err != nil {
		return fmt.Errorf("settle capture %s: %w", id, err)
	}
	return nil
}

// Remove deletes a capture that has ended.
func Remove(dir, id string) error { return remove(disk.OS, dir, id) }

func remove(on disk.FS, dir, id string) error {
	if id == "" || id != filepath.Base(id) {
		return fmt.Errorf("remove capture %q: no id", id)
	}
	if err := on.Remove(filepath.Join(dir, id)); err != nil {
		return fmt.Errorf("remove capture %s: %w", id, err)
	}
	return on.SyncDir(dir)
}

// Path returns where the file of a capture is.
func Path(dir, id string) string { return filepath.Join(dir, id, pagesName) }

// recoverOne reports false when there is nothing to tell of the capture.
func recoverOne(on disk.FS, dir, id string, key []byte) (r Result, found bool, err error) {
	if _, err := os.Stat(filepath.Join(dir, settledName)); err == nil {
		return r, false, nil
	}
	name := filepath.Join(dir, pagesName)
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return r, false, sweep(on, dir) // it died before there was a file, or is only just beginning
	}
	if err != nil {
		return r, false, fmt.Errorf("recover capture %s: %w", id, err)
	}
	defer f.Close()
	held := disk.Wrap(f)
	if lock(held) != nil {
		return r, false, nil // it is running
	}
	t, err := mend(&file{f: held, on: on, dir: dir, name: name}, f, page.StreamOf(id, key))
	if err != nil {
		return r, false, fmt.Errorf("recover capture %s: %w", id, err)
	}
	r = Result{ID: id, Path: name, Reason: t.Reason}
	if t.Begun {
		all, kept := t.Life.Length(max(t.Clock, t.EndedAt))
		r.Length, r.Kept = span(all), span(kept)
	}
	r.Meta = metaOf(f, page.StreamOf(id, key))
	return r, true, nil
}

// unborn is how long a folder may be without its file.
const unborn = time.Minute

// sweep takes away the folder of a capture that never was.
func sweep(on disk.FS, dir string) error {
	if info, err := os.Stat(dir); err != nil || time.Since(info.ModTime()) < unborn {
		return nil
	}
	return on.Remove(dir)
}

// mend cuts off a torn tail and marks the end, unless there is one.
func mend(f *file, read *os.File, stream page.Stream) (page.Tail, error) {
	info, err := read.Stat()
	if err != nil {
		return page.Tail{}, err
	}
	t, err := page.ReadTail(read, info.Size(), stream)
	if err != nil || t.Ended {
		return t, err
	}
	t = t.Whole(info.Size())
	f.size = t.Size
	f.release()
	t.Ended, t.Reason, t.EndedAt = true, Interrupted, t.Clock
	head := page.Head{Stream: stream, Clock: t.Clock, Number: t.Number}
	var b []byte
	if t.Begun {
		b = page.AppendBeat(b, head, t.Life)
		head.Number++
	}
	b, err = page.AppendMark(b, head, page.Mark{Type: page.End, At: time.Now().UTC(), Reason: Interrupted})
	if err != nil {
		return t, err
	}
	return t, f.appendSync(b)
}

// metaOf reads what Start was given, nil when that page is damaged.
func metaOf(f *os.File, stream page.Stream) []byte {
	if _, err := f.Seek(0, 0); err != nil {
		return nil
	}
	p, err := page.NewReader(f, stream).Next()
	if err != nil || p.Kind != page.Marks {
		return nil
	}
	m, err := p.Mark()
	if err != nil || m.Type != page.Begin {
		return nil
	}
	return m.Meta
}
