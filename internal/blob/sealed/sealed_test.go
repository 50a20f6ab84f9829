package sealed_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"filippo.io/age"

	"parley/internal/blob"
	"parley/internal/blob/blobtest"
	"parley/internal/blob/dir"
	"parley/internal/blob/sealed"
	"parley/internal/fault"
)

func open(t *testing.T, folder string) blob.Store {
	t.Helper()
	s, err := dir.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newKey(t *testing.T) *age.X25519Identity {
	t.Helper()
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestStore(t *testing.T) {
	blobtest.Run(t, sealed.New(open(t, t.TempDir()), t.TempDir(), newKey(t)))
}

func TestWithoutKey(t *testing.T) {
	blobtest.Run(t, sealed.New(open(t, t.TempDir()), t.TempDir(), nil))
}

// TestKeys: what is stored cannot be read without the key, or with another; what was stored before there was one can be.
func TestKeys(t *testing.T) {
	folder, ctx := t.TempDir(), context.Background()
	content := bytes.Repeat([]byte("what was said in confidence "), 10000)
	key := newKey(t)
	put := func(s blob.Store, name string) {
		t.Helper()
		if _, err := s.Put(ctx, name, bytes.NewReader(content), int64(len(content))); err != nil {
			t.Fatal(err)
		}
	}
	put(open(t, folder), "a/open")
	put(sealed.New(open(t, folder), t.TempDir(), key), "a/closed")
	found := 0
	err := filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte("confidence")) {
			found++
		}
		return err
	})
	if err != nil || found != 1 {
		t.Fatalf("%d files can be read, %v", found, err)
	}
	s := sealed.New(open(t, folder), t.TempDir(), key)
	for _, name := range []string{"a/open", "a/closed"} {
		if got := blobtest.Read(t, s, name, 200_000, 70_000); !bytes.Equal(got, content[200_000:270_000]) {
			t.Errorf("%s: a range differs", name)
		}
	}
	for want, key := range map[string]*age.X25519Identity{"RECORDING_KEY_MISSING": nil, "RECORDING_KEY_WRONG": newKey(t)} {
		_, _, err := sealed.New(open(t, folder), t.TempDir(), key).Open(ctx, "a/closed", 0, -1)
		if fault.ReasonOf(err) != want {
			t.Errorf("opened with %v, want %s", err, want)
		}
	}
}

func TestReadKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	if _, err := sealed.ReadKey(path); err == nil {
		t.Error("no file is a key")
	}
	for text, ok := range map[string]bool{"": false, "nonsense": false, "# made today\n" + newKey(t).String() + "\n": true} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := sealed.ReadKey(path); (err == nil) != ok {
			t.Errorf("%.20q: %v", text, err)
		}
	}
}
