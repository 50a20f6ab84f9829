package archive

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"parley/internal/recording/render"
	"parley/internal/wire"
)

// noteSuffix ends the names of what is known of a rendition; the note is written after the rendition is complete.
const noteSuffix = ".made.json"

// File is a rendition as it lies on the disk.
type File struct {
	render.Made
	*os.File
	Name string // for who keeps it
}

// File opens a rendition, which is made first if nobody asked for it before. It refuses what package render refuses. Close it.
func (a *Archive) File(ctx context.Context, id string, what render.Rendition) (f File, err error) {
	for range 2 { // the second time when it was deleted in between
		if f.Made, err = a.make(ctx, id, what); err != nil {
			return f, err
		}
		f.Name = id + "_" + nameOf(what)
		if f.File, err = os.Open(filepath.Join(a.o.Dir, id, nameOf(what))); !errors.Is(err, os.ErrNotExist) {
			break
		}
		_ = os.Remove(filepath.Join(a.o.Dir, id, nameOf(what)+noteSuffix))
	}
	if err != nil {
		return f, fmt.Errorf("open rendition of recording %s: %w", id, err)
	}
	return f, nil
}

func nameOf(what render.Rendition) string {
	name := what.Kind
	if what.Tag != "" {
		name += "-" + what.Tag
	}
	return name + "." + what.Format
}

// make returns what is known of a rendition after it is made. Who asks for the same at once waits for the same work; that is given up
// with the context of the one who began it, and then begun anew by who still waits.
func (a *Archive) make(ctx context.Context, id string, what render.Rendition) (render.Made, error) {
	if _, ok := wire.ParseUUID(id); !ok {
		return render.Made{}, unknown(id)
	}
	if what.Kind != render.Participant {
		what.Tag = ""
	} else if tag, ok := wire.ParseUUID(what.Tag); ok {
		what.Tag = tag
	} else {
		what.Tag = wire.NilUUID // in no recording: refused as such
	}
	for {
		work := a.flight.DoChan(id+"/"+nameOf(what), func() (any, error) { return a.render(ctx, id, what) })
		select {
		case <-ctx.Done():
			return render.Made{}, context.Cause(ctx)
		case r := <-work:
			if r.Err != nil && ctx.Err() == nil && (errors.Is(r.Err, context.Canceled) || errors.Is(r.Err, context.DeadlineExceeded)) {
				continue
			}
			made, _ := r.Val.(render.Made)
			return made, r.Err
		}
	}
}

func (a *Archive) render(ctx context.Context, id string, what render.Rendition) (made render.Made, err error) {
	dir := filepath.Join(a.o.Dir, id)
	note := filepath.Join(dir, nameOf(what)+noteSuffix)
	if !known(what) {
		note = "" // refused below, and no name for a file
	} else if made, err := readNote(note); err == nil {
		return made, nil
	}
	if err := a.enter(ctx); err != nil {
		return made, err
	}
	defer a.leave()
	defer func() { a.count(err) }()
	r, err := a.open(id)
	if err != nil {
		return made, err
	}
	defer r.Close()
	tmp, err := os.CreateTemp(dir, ".making-*") // 0600
	if err != nil {
		return made, fmt.Errorf("make rendition of recording %s: %w", id, err)
	}
	defer os.Remove(tmp.Name())
	made, err = r.Render(ctx, tmp, what)
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return made, err
	}
	if err := os.Rename(tmp.Name(), filepath.Join(dir, nameOf(what))); err != nil {
		return made, fmt.Errorf("keep rendition of recording %s: %w", id, err)
	}
	return made, writeNote(note, made)
}

func known(what render.Rendition) bool {
	return slices.Contains([]string{render.Mix, render.Stereo, render.Channels, render.Participant}, what.Kind) &&
		slices.Contains([]string{render.WAV, render.Ogg}, what.Format)
}

func readNote(name string) (made render.Made, err error) {
	text, err := os.ReadFile(name)
	if err == nil {
		err = json.Unmarshal(text, &made)
	}
	return made, err
}

func writeNote(name string, made render.Made) error {
	text, err := json.Marshal(made)
	if err == nil {
		err = os.WriteFile(name+".tmp", text, 0o600)
	}
	if err == nil {
		err = os.Rename(name+".tmp", name)
	}
	if err != nil {
		return fmt.Errorf("keep rendition: %w", err)
	}
	return nil
}

// ZIP writes the mix in the format and the manifest as an archive, without compressing the sound again.
func (a *Archive) ZIP(ctx context.Context, w io.Writer, id, format string) error {
	f, err := a.File(ctx, id, render.Rendition{Kind: render.Mix, Format: format})
	if err != nil {
		return err
	}
	defer f.Close()
	m, err := a.Manifest(id)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	z := zip.NewWriter(w)
	begun := m.StartedAt
	if begun.IsZero() {
		begun = time.Now().UTC()
	}
	sound, err := z.CreateHeader(&zip.FileHeader{Name: f.Name, Method: zip.Store, Modified: begun})
	if err == nil {
		_, err = io.Copy(sound, f.File)
	}
	if err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	about, err := z.CreateHeader(&zip.FileHeader{Name: id + "_manifest.json", Method: zip.Deflate, Modified: begun})
	if err == nil {
		_, err = about.Write(text)
	}
	return errors.Join(err, z.Close())
}
