package folder

import (
	"os"
	"path/filepath"
	"testing"

	"parley/internal/fault"
)

// fillUp writes a file until at most left bytes are free.
func fillUp(t *testing.T, f *Folder, left uint64) (remove func()) {
	t.Helper()
	free, err := f.Free()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(f.Path(), "filler")
	if free > left {
		write(t, path, string(make([]byte, free-left)))
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// wantBallast compares what the folder says of its ballast, and the file with it.
func wantBallast(t *testing.T, f *Folder, aboard bool, dropped int) {
	t.Helper()
	if a, d := f.Ballast(); a != aboard || d != dropped {
		t.Fatalf("ballast %v, dropped %d times, want %v, %d", a, d, aboard, dropped)
	}
	info, err := os.Stat(f.ballastPath())
	if there := err == nil && info.Size() == ballastSize; there != aboard {
		t.Fatalf("the file is there: %v, want %v (%v)", there, aboard, err)
	}
}

func TestBallast(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, ballastFile), "came out short")
	f := openTest(t, dir)
	wantBallast(t, f, false, 0)
	if err := f.Prepare(); err != nil {
		t.Fatal(err)
	}
	wantBallast(t, f, true, 0)
	if !f.Drop() || f.Drop() {
		t.Error("dropped not once")
	}
	wantBallast(t, f, false, 1)
	for range 2 {
		if err := f.Load(); err != nil {
			t.Fatal(err)
		}
		wantBallast(t, f, true, 1)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	again := openTest(t, dir)
	if err := again.Load(); err != nil {
		t.Fatal(err)
	}
	wantBallast(t, again, true, 0)
}

// TestBallastInTheWay: what cannot be a ballast file is said in words of the folder.
func TestBallastInTheWay(t *testing.T) {
	f := openTest(t, t.TempDir())
	if err := os.MkdirAll(filepath.Join(f.ballastPath(), "below"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := f.Prepare(); fault.KindOf(err) != fault.Invalid || fault.ReasonOf(err) != "STORE_FOLDER" {
		t.Fatalf("got %v, want STORE_FOLDER", err)
	}
	wantBallast(t, f, false, 0)
}

// TestFullAtStart: a disk without space is refused, one whose ballast makes space is not.
func TestFullAtStart(t *testing.T) {
	f := openTest(t, tmpfs(t, "size=20m"))
	remove := fillUp(t, f, 0)
	wantFault(t, f.Prepare(), "STORE_FULL", "is full", "free at least 16 MiB")
	wantBallast(t, f, false, 0)
	wantFault(t, openTest(t, filepath.Join(f.Path(), "below")).Prepare(), "STORE_FULL", "is full")
	remove()
	if err := f.Prepare(); err != nil {
		t.Fatal(err)
	}
	wantBallast(t, f, true, 0)
	fillUp(t, f, 0)
	if err := f.Prepare(); err != nil {
		t.Fatal(err)
	}
	wantBallast(t, f, false, 1)
}

// TestRoomForBallast: the ballast comes back only where as much again stays free.
func TestRoomForBallast(t *testing.T) {
	f := openTest(t, tmpfs(t, "size=20m"))
	for _, c := range []struct {
		free   uint64
		aboard bool
	}{{ballastSize, false}, {2*ballastSize - 64<<10, false}, {2 * ballastSize, true}} {
		remove := fillUp(t, f, c.free)
		if err := f.Prepare(); err != nil {
			t.Fatal(err)
		}
		wantBallast(t, f, c.aboard, 0)
		remove()
	}
}

// TestLostFolder: where the disk does not answer, there is an error and no ballast.
func TestLostFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	f := openTest(t, dir)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Free(); err == nil {
		t.Error("a folder that is gone has free space")
	}
	if err := f.Load(); err == nil {
		t.Error("a folder that is gone has a ballast")
	}
	wantBallast(t, f, false, 0)
}
