package sqlite

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"parley/internal/fault"
	"parley/internal/store"
)

// hold keeps the writer busy until the returned function is called.
func hold(t *testing.T, s *Store) (release func()) {
	t.Helper()
	began, end := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		err := s.do(context.Background(), "hold", func(*session) error { close(began); <-end; return nil })
		if err != nil {
			t.Errorf("hold the writer: %v", err)
		}
	})
	<-began
	return sync.OnceFunc(func() { close(end); wg.Wait() })
}

// TestGroupCommit: what waits while a transaction runs is committed together.
func TestGroupCommit(t *testing.T) {
	s := openTest(t, t.TempDir(), defaults)
	release := hold(t, s)
	defer release()
	const n = 100
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if err := s.Append(t.Context(), change()); err != nil {
				t.Error(err)
			}
		})
	}
	for s.Stats().Queue < n {
		runtime.Gosched()
	}
	release()
	wg.Wait()
	st := s.Stats()
	if st.Appends != n || st.Largest != n || st.Batches != 1 || st.Queue != 0 || st.Slowest == 0 || st.Latency < st.Slowest {
		t.Fatalf("%d changes that waited together: %+v", n, st)
	}
}

// TestWithdrawn: a change whose context ends while it waits, in front of a full queue or in it, never happens.
func TestWithdrawn(t *testing.T) {
	opts := defaults
	opts.queue = 1
	s := openTest(t, t.TempDir(), opts)
	release := hold(t, s)
	defer release()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	changes := []*store.Change{change(), change(), change()}
	for _, c := range changes {
		wg.Go(func() {
			if err := s.Append(ctx, c); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want %v", err, context.Canceled)
			}
		})
	}
	for s.Stats().Queue < 1 {
		runtime.Gosched()
	}
	cancel()
	wg.Wait()
	release()
	if err := s.Append(t.Context(), change()); err != nil { // behind the withdrawn one
		t.Fatal(err)
	}
	for _, c := range changes {
		if _, err := s.Get(t.Context(), store.Conference, c.Records[0].ID); fault.KindOf(err) != fault.NotFound {
			t.Errorf("a withdrawn change happened: %v", err)
		}
	}
	if st := s.Stats(); st.Appends != 1 || st.Refused != 0 {
		t.Errorf("%+v", st)
	}
}

// TestTaken: a change that is being written is waited for, so that its outcome is known.
func TestTaken(t *testing.T) {
	s := openTest(t, t.TempDir(), defaults)
	ctx, cancel := context.WithCancel(t.Context())
	began, end := make(chan struct{}), make(chan struct{})
	errs := make(chan error)
	go func() {
		errs <- s.do(ctx, "slow", func(w *session) error {
			close(began)
			<-end
			return w.exec("INSERT INTO cursors (reader, seq) VALUES ('slow', 1)")
		})
	}()
	<-began
	cancel()
	close(end)
	if err := <-errs; err != nil {
		t.Fatalf("written, but got %v", err)
	}
	if seq, err := s.Cursor(t.Context(), "slow"); seq != 1 || err != nil {
		t.Fatal(seq, err)
	}
}

// TestPoison: a job that breaks its transaction fails alone, whoever was in the same group.
func TestPoison(t *testing.T) {
	s := openTest(t, t.TempDir(), defaults)
	release := hold(t, s)
	defer release()
	var wg sync.WaitGroup
	const n = 20
	for i := range n {
		wg.Go(func() {
			if i%5 != 3 {
				if err := s.Append(t.Context(), change()); err != nil {
					t.Error(err)
				}
				return
			}
			err := s.do(t.Context(), "poison", func(w *session) error {
				return w.exec("INSERT INTO cursors (reader, seq) VALUES ('x', 'not a number')")
			})
			if classify(err) != other {
				t.Errorf("poison: %v", err)
			}
		})
	}
	for s.Stats().Queue < n {
		runtime.Gosched()
	}
	release()
	wg.Wait()
	if last, _, err := s.Last(t.Context(), ""); last != 2*16 || err != nil {
		t.Fatalf("the log ends at %d (%v), want 32", last, err)
	}
}

// TestCloseWhileWriting: what was queued is committed or refused, and what was acknowledged is there.
func TestCloseWhileWriting(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir, defaults)
	var mu sync.Mutex
	var acked []string
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				c := change()
				if err := s.Append(t.Context(), c); err != nil {
					if fault.ReasonOf(err) != "STORE_CLOSED" {
						t.Error(err)
					}
					return
				}
				mu.Lock()
				acked = append(acked, c.Records[0].ID)
				mu.Unlock()
			}
		})
	}
	for s.Stats().Appends < 50 {
		runtime.Gosched()
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if err := s.Ping(t.Context()); fault.ReasonOf(err) != "STORE_CLOSED" {
		t.Errorf("ping after close: %v", err)
	}
	s = openTest(t, dir, defaults)
	for _, id := range acked {
		if _, err := s.Get(t.Context(), store.Conference, id); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLockedByAnother: another program with the write lock makes changes wait, then be refused, and harms no reader.
func TestLockedByAnother(t *testing.T) {
	s := openTest(t, t.TempDir(), defaults)
	if err := s.do(t.Context(), "wait less", func(w *session) error { return w.exec("PRAGMA busy_timeout(50)") }); err != nil {
		t.Fatal(err)
	}
	conn, err := s.writing.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(t.Context(), change()); fault.ReasonOf(err) != "STORE_BUSY" || fault.KindOf(err) != fault.Unavailable {
		t.Errorf("got %v, want STORE_BUSY", err)
	}
	if _, _, err := s.Last(t.Context(), ""); err != nil {
		t.Errorf("read: %v", err)
	}
	if _, err := conn.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(t.Context(), change()); err != nil {
		t.Error(err)
	}
}

func TestSweep(t *testing.T) {
	s := openTest(t, t.TempDir(), defaults)
	now := time.Now()
	for i := range 3 {
		a := store.Answer{Key: string(rune('a' + i)), At: now.Add(time.Duration(i-2) * time.Minute)}
		if _, err := s.Claim(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	s.sweep(now.Add(-time.Minute))
	var left int
	if err := s.reading.QueryRow("SELECT count(*) FROM answers").Scan(&left); err != nil || left != 1 {
		t.Fatalf("%d answers are left, want 1 (%v)", left, err)
	}
}

// TestLogStaysShort: the write-ahead log starts again instead of growing, although there is always something to write.
func TestLogStaysShort(t *testing.T) {
	s := openTest(t, t.TempDir(), defaults)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 150 {
				if err := s.Append(t.Context(), change()); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	info, err := os.Stat(filepath.Join(s.folder.Path(), databaseFile+"-wal"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes of log, %+v", info.Size(), s.Stats())
	if st := s.Stats(); st.Checkpoints == 0 || info.Size() > 32<<20 {
		t.Errorf("%d bytes of log after %d changes, %d checkpoints", info.Size(), st.Appends, st.Checkpoints)
	}
}
