package room_test

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"parley/internal/conference"
	"parley/internal/loop"
	"parley/internal/room"
	"parley/internal/store"
	"parley/internal/store/sqlite"
)

// TestOnDisk runs meetings in real time on the store of a server: rooms fill and end at the same time, then a full one is left to the
// next process.
func TestOnDisk(t *testing.T) {
	dir := t.TempDir()
	s, err := sqlite.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	host, media, stop := onDisk(t, s)
	ids := make([]conference.ID, 20)
	begin := time.Now()
	seats := make([]*room.Seat, 15*len(ids))
	var all sync.WaitGroup
	for i := range seats {
		id := &ids[i/15]
		if *id == "" {
			*id = create(t, host)
		}
		all.Go(func() { seats[i] = enter(t, host, media, *id) })
	}
	all.Wait()
	t.Logf("%d rooms with 15 participants each after %v", len(ids), time.Since(begin))
	begin = time.Now()
	for i, id := range ids {
		all.Go(func() {
			if i > 0 {
				if _, err := host.Do(t.Context(), id, conference.Terminate{At: time.Now(), Delete: true}, room.DoOptions{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	t.Logf("%d rooms ended after %v", len(ids)-1, time.Since(begin))
	for _, seat := range seats[15:] {
		if seat != nil {
			<-seat.Done()
		}
	}
	_ = s.Close() // the disk is gone before the process
	stop()

	if s, err = sqlite.Open(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	_, _, stop = onDisk(t, s)
	defer stop()
	for kind, want := range map[store.Kind]int{store.Conferencecall: 0, store.Conference: 1} {
		live, err := s.List(t.Context(), store.Query{Kind: kind, Live: true, Deleted: true, Limit: 1000})
		if err != nil || len(live) != want {
			t.Errorf("%d live %ss, want %d (%v)", len(live), kind, want, err)
		}
	}
}

func onDisk(t *testing.T, s store.Store) (*room.Host, *fakeMedia, func()) {
	t.Helper()
	media := newFakeMedia()
	host := room.New(room.Options{
		Store: s, Media: media, Limits: limits, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), StopTimeout: 200 * time.Millisecond,
	})
	if err := host.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var run sync.WaitGroup
	run.Go(func() { _ = host.Run(ctx) })
	return host, media, func() {
		cancel()
		run.Wait()
	}
}

func create(t *testing.T, host *room.Host) conference.ID {
	t.Helper()
	v, err := host.Create(t.Context(), conference.Create{CustomerID: customer})
	if err != nil {
		t.Fatal(err)
	}
	return v.Conference.ID
}

// enter joins, is heard, talks and presses a key.
func enter(t *testing.T, host *room.Host, media *fakeMedia, id conference.ID) *room.Seat {
	t.Helper()
	s, err := host.Join(t.Context(), id, conference.Join{CustomerID: customer, CallID: uuid.NewString()}, new(loop.Session))
	if err != nil {
		t.Error(err)
		return nil
	}
	for _, kind := range []loop.FactKind{loop.Connected, loop.SpeechStarted} {
		media.tell(string(s.ID()), kind, 0)
	}
	media.tell(string(s.ID()), loop.DigitPressed, '9')
	if err := s.Connected(t.Context()); err != nil {
		t.Error(err)
	}
	return s
}
