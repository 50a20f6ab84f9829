package dir_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"parley/internal/blob/blobtest"
	"parley/internal/blob/dir"
	"parley/internal/fault"
)

func TestStore(t *testing.T) {
	root := filepath.Join(t.TempDir(), "files")
	s, err := dir.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	blobtest.Run(t, s)
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if mode := info.Mode().Perm(); d.IsDir() && mode != 0o700 || !d.IsDir() && mode != 0o600 {
			t.Errorf("%s has %v", path, mode)
		}
		if strings.Contains(path, ".partial/") {
			t.Errorf("%s was left", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestReopen keeps what was put and clears what was not.
func TestReopen(t *testing.T) {
	root := t.TempDir()
	s, err := dir.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(context.Background(), "a/b", strings.NewReader("x"), 1); err != nil {
		t.Fatal(err)
	}
	torn := filepath.Join(root, ".partial", "torn")
	if err := os.WriteFile(torn, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err = dir.Open(root); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(torn); !os.IsNotExist(err) {
		t.Error(err)
	}
	if got := blobtest.Read(t, s, "a/b", 0, -1); string(got) != "x" {
		t.Errorf("%q", got)
	}
	if _, err := dir.Open(filepath.Join(root, "a", "b")); fault.ReasonOf(err) != "BLOB_FOLDER_UNWRITABLE" {
		t.Error(err)
	}
}
