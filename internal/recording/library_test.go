package recording_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"parley/internal/blob/dir"
	"parley/internal/fault"
	"parley/internal/mixer"
	"parley/internal/recording"
	"parley/internal/recording/capture"
	"parley/internal/recording/render"
)

func open(t *testing.T) (*recording.Library, string) {
	t.Helper()
	root := t.TempDir()
	store, err := dir.Open(filepath.Join(root, "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	o := recording.Options{Dir: filepath.Join(root, "captures"), Blobs: store, Capture: capture.Options{MinFree: 1}}
	return recording.New(o), root
}

// record captures some ticks of one participant.
func record(t *testing.T, l *recording.Library, id string, ticks int) *capture.Capture {
	t.Helper()
	c, err := l.Start(capture.Options{ID: id})
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Join(capture.Lane{Tag: "a/b", Name: "Ann"})
	frame := make([]int16, 320)
	for n := range ticks {
		said(frame, 0, 1, n)
		c.See(mixer.Moment{Clock: uint64(n) * 960, Rate: 16000, Voices: []mixer.Voice{{Tag: "a/b", Frame: frame}}})
		time.Sleep(20 * time.Millisecond)
	}
	return c
}

func TestLibrary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, id := context.Background(), killID(7)
		l, root := open(t)
		c := record(t, l, id, 100)
		mix := render.Rendition{Kind: render.Mix, Format: render.WAV}
		if _, err := l.Rendition(ctx, id, mix); fault.ReasonOf(err) != "RECORDING_NOT_FINISHED" {
			t.Fatal(err)
		}
		c.Stop("")
		c.Result()
		first, err := l.Rendition(ctx, id, mix)
		if err != nil {
			t.Fatal(err)
		}
		again, err := l.Rendition(ctx, id, mix)
		if err != nil || again != first {
			t.Fatalf("%v: %+v, then %+v", err, first, again)
		}
		body, err := l.Open(ctx, first, 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		hash := sha256.New()
		n, err := io.Copy(hash, body)
		_ = body.Close()
		if err != nil || n != first.Size || n != 44+100*640 || hex.EncodeToString(hash.Sum(nil)) != first.SHA256 {
			t.Fatalf("%v: %d bytes of %+v", err, n, first)
		}
		if _, err := l.Rendition(ctx, id, render.Rendition{Kind: render.Participant, Tag: "a/b", Format: render.Ogg}); err != nil {
			t.Fatal(err)
		}
		m, err := l.Manifest(ctx, id)
		if err != nil || len(m.Files) != 2 || m.Duration != 2000 || m.Tracks[0].Name != "Ann" {
			t.Fatalf("%v: %+v", err, m)
		}
		p, err := l.Peaks(ctx, id, mix, 50)
		if err != nil || p.Length != 50 || len(p.Data) != 100 || p.SamplesPerPixel != 640 {
			t.Fatalf("%v: %+v", err, p)
		}
		for range 2 {
			if err := l.Delete(ctx, id); err != nil {
				t.Fatal(err)
			}
		}
		nothing(t, root)
		if _, err := l.Rendition(ctx, id, mix); fault.ReasonOf(err) != "RECORDING_CAPTURE_MISSING" {
			t.Fatal(err)
		}
		if err := l.Delete(ctx, "../x"); fault.ReasonOf(err) != "RECORDING_ID_INVALID" {
			t.Fatal(err)
		}
	})
}

// nothing wants no file below root.
func nothing(t *testing.T, root string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			t.Errorf("%s is left", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestSize: what is stored of speech is far less than 16-bit PCM would be.
func TestSize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, root := open(t)
		record(t, l, killID(1), 500).Stop("")
		path := capture.Path(filepath.Join(root, "captures"), killID(1))
		synctest.Wait()
		info, err := os.Stat(path)
		if err != nil || info.Size() > 500*640*11/10 {
			t.Fatalf("%v: %d bytes", err, info.Size())
		}
	})
}
