package sqlite

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"parley/internal/fault"
	"parley/internal/store"
)

// until appends as long as the condition does not hold; what is refused must be refused for want of space.
func until(t *testing.T, s *Store, what string, cond func(Stats, error) bool) (last *store.Change) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		c := change()
		err := s.Append(t.Context(), c)
		if err != nil && (fault.KindOf(err) != fault.Unavailable || fault.ReasonOf(err) != "STORE_FULL") {
			t.Fatalf("got %v, want STORE_FULL", err)
		}
		if err == nil {
			last = c
		}
		if cond(s.Stats(), err) {
			return last
		}
	}
	t.Fatalf("did not come: %s; %+v", what, s.Stats())
	return nil
}

func wantThere(t *testing.T, s *Store, c *store.Change) {
	t.Helper()
	if _, err := s.Get(t.Context(), store.Conference, c.Records[0].ID); err != nil {
		t.Fatalf("an acknowledged change is gone: %v", err)
	}
}

// fillUp writes a file until at most left bytes are free.
func fillUp(t *testing.T, dir string, left uint64) string {
	t.Helper()
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "filler")
	if free := st.Bavail * uint64(st.Bsize); free > left {
		write(t, path, string(make([]byte, free-left)))
	}
	return path
}

// TestDiskFull lives through a full disk: the ballast goes, then changes are refused while reads go on, then all is well again.
func TestDiskFull(t *testing.T) {
	dir := tmpfs(t, "size=40m")
	opts := defaults
	opts.retry = 10 * time.Millisecond
	s := openTest(t, dir, opts)
	if st := s.Stats(); !st.Ballast || st.Full {
		t.Fatalf("at the start: %+v", st)
	}
	filler := fillUp(t, dir, 256<<10)
	wantThere(t, s, until(t, s, "the ballast goes", func(st Stats, err error) bool {
		return st.Dropped == 1 && err == nil
	}))
	if st := s.Stats(); st.Ballast || st.Full || st.Failed != 0 {
		t.Fatalf("on the ballast's space: %+v", st)
	}
	last := until(t, s, "the disk is full", func(st Stats, err error) bool { return err != nil })
	if st := s.Stats(); !st.Full || st.Failed == 0 {
		t.Fatalf("on a full disk: %+v", st)
	}
	wantThere(t, s, last)
	if err := s.Ping(t.Context()); fault.ReasonOf(err) != "STORE_FULL" {
		t.Fatalf("ping on a full disk: %v", err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	wantThere(t, s, last)
	wantThere(t, s, until(t, s, "the ballast comes back", func(st Stats, err error) bool { return st.Ballast && !st.Full && err == nil }))
	if err := s.Ping(t.Context()); err != nil {
		t.Fatalf("ping with space again: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantThere(t, openTest(t, dir, opts), last)
}

// TestFullAtStart: a disk without space is refused, one whose ballast makes space is not.
func TestFullAtStart(t *testing.T) {
	dir := tmpfs(t, "size=20m")
	fillUp(t, dir, 0)
	wantRefused(t, dir, "STORE_FULL", "is full", "free at least 16 MiB")
	wantRefused(t, filepath.Join(dir, "below"), "STORE_FULL", "is full")
	if err := os.Remove(filepath.Join(dir, "filler")); err != nil {
		t.Fatal(err)
	}
	if err := openTest(t, dir, defaults).Close(); err != nil {
		t.Fatal(err)
	}
	fillUp(t, dir, 0)
	s := openTest(t, dir, defaults)
	if st := s.Stats(); st.Ballast || st.Dropped != 1 {
		t.Fatalf("started on a full disk with %+v", st)
	}
	if err := s.Append(t.Context(), change()); err != nil {
		t.Fatal(err)
	}
}

// TestDatabaseFull needs no disk of its own: the database itself is told to grow no more.
func TestDatabaseFull(t *testing.T) {
	opts := defaults
	opts.retry = time.Hour
	s := openTest(t, t.TempDir(), opts)
	limit := func(pages string) {
		t.Helper()
		err := s.do(context.Background(), "limit", func(w *session) error {
			var n int
			return w.conn.QueryRowContext(context.Background(), "PRAGMA max_page_count = "+pages).Scan(&n)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	limit("60")
	last := until(t, s, "the database is full", func(_ Stats, err error) bool { return err != nil })
	if st := s.Stats(); !st.Full || st.Ballast || st.Dropped != 1 {
		t.Fatalf("with a full database: %+v", st)
	}
	wantThere(t, s, last)
	limit("1000000")
	if err := s.Append(t.Context(), change()); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Full {
		t.Fatalf("with space again: %+v", st)
	}
}
