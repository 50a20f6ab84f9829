package sqlite

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"parley/internal/fault"
	"parley/internal/store"
)

// wantRefused opens dir and wants one line with the reason and the words.
func wantRefused(t *testing.T, dir, reason string, words ...string) {
	t.Helper()
	s, err := Open(t.Context(), dir)
	if err == nil {
		s.Close()
		t.Fatalf("%s was opened", dir)
	}
	if fault.ReasonOf(err) != reason || strings.Contains(err.Error(), "\n") {
		t.Fatalf("got %s %q, want one line and reason %s", fault.ReasonOf(err), err, reason)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Fatalf("%q does not say %q", err, w)
		}
	}
	t.Log(err)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// tmpfs mounts a small disk of its own, or skips the test.
func tmpfs(t *testing.T, options string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Skipf("SKIPPED: mounting a small disk needs more rights: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	return dir
}

func TestFolderIsMade(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a b", "50%?#")
	openTest(t, dir, defaults)
	for name, want := range map[string]fs.FileMode{
		"": fs.ModeDir | 0o700, databaseFile: 0o600, databaseFile + "-wal": 0o600, "lock": 0o600, "ballast": 0o600,
	} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("%q has mode %v, want %v", name, info.Mode(), want)
		}
	}
}

func TestSettings(t *testing.T) {
	s := openTest(t, t.TempDir(), defaults)
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "wal_autocheckpoint": "0", "query_only": "0"} {
		var got string
		if err := s.writing.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
			t.Errorf("writing %s is %q, want %q (%v)", pragma, got, want, err)
		}
	}
	if _, err := s.reading.Exec("DELETE FROM events"); classify(err) != readOnly {
		t.Errorf("a reading connection wrote: %v", err)
	}
	var strict int
	err := s.reading.QueryRow("SELECT count(*) FROM pragma_table_list WHERE NOT strict AND name NOT LIKE 'sqlite%' AND name NOT LIKE 'goose%'").Scan(&strict)
	if err != nil || strict != 0 {
		t.Errorf("%d tables are not strict (%v)", strict, err)
	}
}

func TestLock(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir, defaults)
	wantRefused(t, dir, "STORE_LOCKED", "process "+strconv.Itoa(os.Getpid()), "stop it or choose another --data")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	openTest(t, dir, defaults)
}

func TestNewer(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir, defaults)
	if _, err := s.writing.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (7, 1)"); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, dir, "STORE_NEWER", "newer Parley (schema 7, this one knows 2)", "run the newer binary or restore a backup")
}

func TestCorrupt(t *testing.T) {
	t.Run("not a database", func(t *testing.T) {
		dir := t.TempDir()
		write(t, filepath.Join(dir, databaseFile), strings.Repeat("this is a text. ", 1000))
		wantRefused(t, dir, "STORE_CORRUPT", "not a database", "restore a backup")
	})
	t.Run("damaged", func(t *testing.T) {
		dir := t.TempDir()
		if err := openTest(t, dir, defaults).Close(); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(filepath.Join(dir, databaseFile), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteAt([]byte(strings.Repeat("\xff", 2000)), 100); err != nil {
			t.Fatal(err)
		}
		wantRefused(t, dir, "STORE_CORRUPT", "damaged", "restore a backup")
	})
	t.Run("somebody else's", func(t *testing.T) {
		dir := t.TempDir()
		s := openTest(t, dir, defaults)
		if _, err := s.writing.Exec("DROP TABLE goose_db_version"); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		wantRefused(t, dir, "STORE_CORRUPT", "not made by Parley")
	})
}

func TestNoFolder(t *testing.T) {
	wantRefused(t, "", "STORE_FOLDER", "--data")
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, databaseFile), 0o700); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, dir, "STORE_FOLDER", "choose another --data")
}

func TestOpenHonoursContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	if _, err := Open(ctx, dir); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	openTest(t, dir, defaults)
}

// TestClaimsOfTheDead: a claim without an answer ends with its process, an answer does not.
func TestClaimsOfTheDead(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir, defaults)
	now := time.Now()
	running := store.Answer{Key: "running", At: now}
	done := store.Answer{Key: "done", At: now}
	for _, a := range []store.Answer{running, done} {
		if known, err := s.Claim(t.Context(), a); known != nil || err != nil {
			t.Fatal(known, err)
		}
	}
	done.Status = 200
	if err := s.Finish(t.Context(), done); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openTest(t, dir, defaults)
	if known, err := s.Claim(t.Context(), running); known != nil || err != nil {
		t.Errorf("the running claim is still known: %+v %v", known, err)
	}
	if known, err := s.Claim(t.Context(), done); known == nil || known.Status != 200 || err != nil {
		t.Errorf("the answer is gone: %+v %v", known, err)
	}
}

// TestEveryConnectionSyncs: every connection that may write syncs each commit, that of the writer and those that come and go.
func TestEveryConnectionSyncs(t *testing.T) {
	s := openTest(t, t.TempDir(), defaults)
	check := func(who string, ask func(pragma string) (string, error)) {
		t.Helper()
		for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2"} {
			if got, err := ask(pragma); err != nil || got != want {
				t.Errorf("%s: %s is %q, want %q (%v)", who, pragma, got, want, err)
			}
		}
	}
	check("the writer", func(pragma string) (got string, err error) {
		err = s.do(t.Context(), "ask", func(w *session) error { return w.row("PRAGMA "+pragma, nil, &got) })
		return got, err
	})
	stats := s.writing.Stats()
	if stats.MaxOpenConnections < 2 || stats.InUse < 1 {
		t.Fatalf("%+v", stats)
	}
	for n := stats.InUse; n < stats.MaxOpenConnections; n++ { // held until the end, so that each is another one
		c, err := s.writing.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		check("another", func(pragma string) (got string, err error) {
			return got, c.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got)
		})
	}
}
