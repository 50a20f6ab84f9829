package archive

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"parley/internal/fault"
	"parley/internal/recording"
	"parley/internal/recording/render"
	"parley/internal/wire"
)

// File is a rendition that can be read, as an io.ReadSeeker of one goroutine until it is closed.
type File struct {
	render.Made
	Name string // for who keeps it

	ctx     context.Context
	library *recording.Library
	file    recording.File
	at      int64
	body    io.ReadCloser // from at on; nil: to be opened
}

// File finds a rendition, which is made first if nobody asked for it before. It refuses what package render refuses. ctx is
// that of the wait. Who stops waiting does not stop the work: the next who asks finds it done.
func (a *Archive) File(ctx context.Context, id string, what render.Rendition) (*File, error) {
	if _, ok := wire.ParseUUID(id); !ok {
		return nil, unknown(id)
	}
	if what.Kind != render.Participant {
		what.Tag = ""
	}
	key := id + "/" + what.Kind + "/" + what.Tag + "/" + what.Format
	work := a.flight.DoChan(key, func() (any, error) {
		if !a.begin() {
			return nil, fault.New(fault.Unavailable, "STOPPING", "the server is stopping; try again when it is back")
		}
		defer a.making.Done()
		f, err := a.library.Rendition(a.ctx, id, what)
		a.count(err)
		return f, err
	})
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case r := <-work:
		f, ok := r.Val.(recording.File)
		if r.Err != nil || !ok {
			return nil, r.Err
		}
		name := id + "_" + what.Kind
		if what.Tag != "" {
			name += "-" + what.Tag
		}
		return &File{Made: f.Made, Name: name + "." + what.Format, ctx: context.WithoutCancel(ctx), library: a.library, file: f}, nil
	}
}

// Link returns a URL of the store of files for a rendition, which is made first, that lasts so long; see blob.Store.
func (a *Archive) Link(ctx context.Context, id string, what render.Rendition, lasts time.Duration) (string, error) {
	f, err := a.File(ctx, id, what)
	if err != nil {
		return "", err
	}
	return a.library.Link(ctx, f.file, lasts)
}

// Progress returns how much of a rendition of the recording is made, from 0 to 1; false while none is.
func (a *Archive) Progress(id string) (float64, bool) { return a.library.Progress(id) }

func (a *Archive) begin() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.closed {
		a.making.Add(1)
	}
	return !a.closed
}

// Read implements io.Reader.
func (f *File) Read(p []byte) (n int, err error) {
	if f.at >= f.Size {
		return 0, io.EOF
	}
	if f.body == nil {
		if f.body, err = f.library.Open(f.ctx, f.file, f.at, -1); err != nil {
			return 0, err
		}
	}
	n, err = f.body.Read(p)
	f.at += int64(n)
	return n, err
}

// Seek implements io.Seeker.
func (f *File) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += f.at
	case io.SeekEnd:
		offset += f.Size
	}
	if offset < 0 {
		return 0, fmt.Errorf("seek to %d in %s", offset, f.Name)
	}
	if offset != f.at {
		if err := f.Close(); err != nil {
			return 0, err
		}
	}
	f.at = offset
	return offset, nil
}

// Close lets go of what was opened for reading. It may be called twice.
func (f *File) Close() error {
	if f.body == nil {
		return nil
	}
	body := f.body
	f.body = nil
	return body.Close()
}

// ZIP writes renditions of one recording and its manifest as an archive, without compressing the sound again.
func (a *Archive) ZIP(ctx context.Context, w io.Writer, files ...*File) error {
	id := files[0].Name[:len(wire.NilUUID)]
	m, err := a.Manifest(ctx, id)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	z := zip.NewWriter(w)
	for _, f := range files {
		sound, err := z.CreateHeader(&zip.FileHeader{Name: f.Name, Method: zip.Store, Modified: m.StartedAt})
		if err == nil {
			_, err = io.Copy(sound, f)
		}
		if err != nil {
			return fmt.Errorf("write archive: %w", err)
		}
	}
	about, err := z.CreateHeader(&zip.FileHeader{Name: id + "_manifest.json", Method: zip.Deflate, Modified: m.StartedAt})
	if err == nil {
		_, err = about.Write(text)
	}
	return errors.Join(err, z.Close())
}
