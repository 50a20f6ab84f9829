package archive_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	blobs "parley/internal/blob/dir"
	"parley/internal/conference/tape"
	"parley/internal/fault"
	"parley/internal/mixer"
	"parley/internal/recording/archive"
	"parley/internal/recording/capture"
	"parley/internal/recording/render"
)

func open(t *testing.T, dir string) (*archive.Archive, []string) {
	t.Helper()
	blobs, err := blobs.Open(filepath.Join(dir, "..", "files"))
	if err != nil {
		t.Fatal(err)
	}
	a, unsettled, err := archive.Open(archive.Options{Dir: dir, Blobs: blobs, Capture: capture.Options{MinFree: 1 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a, unsettled
}

// record keeps a second of one voice.
func record(t *testing.T, a *archive.Archive) (id, tag string) {
	t.Helper()
	id, tag = uuid.NewString(), uuid.NewString()
	c, err := a.Start(tape.Recording{ID: id, Options: tape.Options{Duration: time.Minute}})
	if err != nil {
		t.Fatal(err)
	}
	frame := make([]int16, 160)
	for i := range frame {
		frame[i] = int16(i * 50)
	}
	for tick := range 50 {
		if tick == 0 {
			if err := c.Join(capture.Lane{Tag: tag, Name: "Ada"}); err != nil {
				t.Fatal(err)
			}
		}
		c.See(mixer.Moment{Clock: uint64(tick) * 960, Rate: 8000, Voices: []mixer.Voice{{Tag: tag, Frame: frame}}, Mix: frame})
	}
	c.Stop("")
	return id, tag
}

func TestFinishedRecordingCanBeHad(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "recordings")
	a, _ := open(t, dir)
	id, tag := record(t, a)
	f, failure, err := a.Finish(t.Context(), id, "wav")
	if err != nil || failure != "" || f.Length != time.Second || f.Size != 44+16000 || len(f.SHA256) != 64 {
		t.Fatalf("finished as %+v, %q, %v", f, failure, err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for _, what := range []render.Rendition{
				{Kind: render.Mix, Format: "wav"}, {Kind: render.Participant, Tag: tag, Format: "ogg"}, {Kind: render.Stereo, Format: "wav"},
			} {
				file, err := a.File(t.Context(), id, what)
				if err != nil {
					t.Error(err)
					return
				}
				defer file.Close()
				hash := sha256.New()
				if n, err := io.Copy(hash, file); err != nil || n != file.Size || hex.EncodeToString(hash.Sum(nil)) != file.SHA256 {
					t.Errorf("%s: %d bytes, %v, told %d", file.Name, n, err, file.Size)
				}
				var tail [10]byte
				if _, err := file.Seek(-10, io.SeekEnd); err != nil {
					t.Error(err)
				}
				if n, err := io.ReadFull(file, tail[:]); n != 10 || err != nil {
					t.Errorf("%s: the last %d bytes, %v", file.Name, n, err)
				}
			}
		})
	}
	all.Wait()
	if m, err := a.Manifest(t.Context(), id); err != nil || len(m.Files) != 3 || m.Reason != "stopped" {
		t.Errorf("manifest %+v, %v", m, err)
	}
	var b bytes.Buffer
	mix, err := a.File(t.Context(), id, render.Rendition{Kind: render.Mix, Format: "wav"})
	if err != nil {
		t.Fatal(err)
	}
	defer mix.Close()
	if err := a.ZIP(t.Context(), &b, mix); err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil || len(z.File) != 2 || z.File[0].Name != id+"_mix.wav" || z.File[0].UncompressedSize64 != uint64(f.Size) {
		t.Errorf("zip: %v, %v", z, err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder: %v, %v", info, err)
	}
}

func TestUnsettledIsToldAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "recordings")
	a, _ := open(t, dir)
	id, _ := record(t, a)
	if _, _, err := a.Finish(t.Context(), id, "ogg"); err != nil {
		t.Fatal(err)
	}
	a, unsettled := open(t, dir)
	if len(unsettled) != 1 || unsettled[0] != id {
		t.Fatalf("unsettled: %v", unsettled)
	}
	if err := a.Settle(id); err != nil {
		t.Fatal(err)
	}
	if _, unsettled = open(t, dir); len(unsettled) != 0 {
		t.Errorf("unsettled after it was told: %v", unsettled)
	}
}

func TestRemoveLeavesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "recordings")
	a, _ := open(t, dir)
	id, _ := record(t, a)
	for range 2 {
		if err := a.Remove(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	_, err := a.File(t.Context(), id, render.Rendition{Kind: render.Mix, Format: "wav"})
	wantReason(t, err, "RECORDING_CAPTURE_MISSING")
}

func TestRefusals(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "recordings")
	a, _ := open(t, dir)
	id, _ := record(t, a)
	if _, _, err := a.Finish(t.Context(), id, "wav"); err != nil {
		t.Fatal(err)
	}
	for want, what := range map[string]render.Rendition{
		"RENDITION_UNKNOWN":        {Kind: "../mix", Format: "wav"},
		"RENDITION_FORMAT_UNKNOWN": {Kind: "mix", Format: "../../mp3"},
		"PARTICIPANT_NOT_RECORDED": {Kind: "participant", Tag: "../x", Format: "wav"},
	} {
		_, err := a.File(t.Context(), id, what)
		wantReason(t, err, want)
	}
	for _, wrong := range []string{"", "..", "../" + id, uuid.NewString()} {
		_, err := a.Manifest(t.Context(), wrong)
		wantReason(t, err, "RECORDING_CAPTURE_MISSING")
	}
	wantReason(t, a.Remove(t.Context(), ".."), "RECORDING_CAPTURE_MISSING")
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.File(gone, id, render.Rendition{Kind: "mix", Format: "wav"}); err == nil {
		t.Log("made before it was canceled") // either is right
	}
	left, _ := filepath.Glob(filepath.Join(dir, id, ".making-*"))
	if len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestNoSpace(t *testing.T) {
	a, _, err := archive.Open(archive.Options{Dir: t.TempDir(), Capture: capture.Options{MinFree: 1 << 60}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.Start(tape.Recording{ID: uuid.NewString()})
	wantReason(t, err, "DISK_FULL")
}

func wantReason(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || fault.ReasonOf(err) != want {
		t.Errorf("refused with %v (%s), want %s", err, fault.ReasonOf(err), want)
	}
}
