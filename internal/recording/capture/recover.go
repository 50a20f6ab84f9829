package capture

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"parley/internal/recording/page"
)

// Recover ends the captures below dir that a crash left open, and returns all that nobody has settled, each with how it ended: those of the
// crash as Interrupted. It is called at start, reads only the ends of the files, leaves captures alone that are running, and may be
// repeated: who dies between Recover and Settle finds the same again. Captures that cannot be ended are named in err; the others are returned
// all the same.
func Recover(dir string, key []byte) (unsettled []Result, err error) {
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
		r, found, e := recoverOne(filepath.Join(dir, e.Name()), e.Name(), key)
		if e != nil {
			err = errors.Join(err, e)
		} else if found {
			unsettled = append(unsettled, r)
		}
	}
	return unsettled, err
}

// Settle notes that the end of a capture has been told; Recover does not return it any more.
func Settle(dir, id string) error {
	f, err := os.OpenFile(filepath.Join(dir, id, settledName), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("settle capture %s: %w", id, err)
	}
	if err := errors.Join(f.Close(), syncDir(filepath.Join(dir, id))); err != nil {
		return fmt.Errorf("settle capture %s: %w", id, err)
	}
	return nil
}

// Remove deletes a capture that has ended.
func Remove(dir, id string) error {
	if id == "" || id != filepath.Base(id) {
		return fmt.Errorf("remove capture %q: no id", id)
	}
	if err := os.RemoveAll(filepath.Join(dir, id)); err != nil {
		return fmt.Errorf("remove capture %s: %w", id, err)
	}
	return syncDir(dir)
}

// Path returns where the file of a capture is.
func Path(dir, id string) string { return filepath.Join(dir, id, pagesName) }

// recoverOne reports false when there is nothing to tell of the capture.
func recoverOne(dir, id string, key []byte) (r Result, found bool, err error) {
	if _, err := os.Stat(filepath.Join(dir, settledName)); err == nil {
		return r, false, nil
	}
	name := filepath.Join(dir, pagesName)
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return r, false, sweep(dir) // it died before there was a file, or is only just beginning
	}
	if err != nil {
		return r, false, fmt.Errorf("recover capture %s: %w", id, err)
	}
	defer f.Close()
	if lock(f) != nil {
		return r, false, nil // it is running
	}
	t, err := mend(&file{f: f, dir: dir, name: name, fd: int(f.Fd())}, page.StreamOf(id, key))
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
func sweep(dir string) error {
	if info, err := os.Stat(dir); err != nil || time.Since(info.ModTime()) < unborn {
		return nil
	}
	return os.RemoveAll(dir)
}

// mend cuts off a torn tail and marks the end, unless there is one.
func mend(f *file, stream page.Stream) (page.Tail, error) {
	info, err := f.f.Stat()
	if err != nil {
		return page.Tail{}, err
	}
	t, err := page.ReadTail(f.f, info.Size(), stream)
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
