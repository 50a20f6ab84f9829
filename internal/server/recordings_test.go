package server

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"parley/internal/conference"
	"parley/internal/conference/tape"
	"parley/internal/config"
	"parley/internal/fault"
	"parley/internal/loop"
	"parley/internal/mixer"
	"parley/internal/room"
	"parley/internal/store"
)

// TestStoreThatDoesNotAnswer: a bucket that cannot be reached is told of, and keeps nobody from making calls; the captures wait for it.
func TestStoreThatDoesNotAnswer(t *testing.T) {
	c := config.Default()
	c.Data, c.Recording.MinFree = t.TempDir(), 1
	c.S3.Bucket, c.S3.Endpoint, c.S3.Insecure, c.S3.AccessKey, c.S3.SecretKey = "meetings", "127.0.0.1:9", true, "a", "b"
	var said bytes.Buffer
	p := &parts{c: c, log: slog.New(slog.NewTextHandler(&said, nil))}
	files, err := p.openFiles(t.Context())
	if err != nil || !strings.Contains(said.String(), "cannot reach the store of files") {
		t.Fatalf("opened with %v, said %q", err, said.String())
	}
	if err := p.openRecordings(files); err != nil {
		t.Fatal(err)
	}
	defer p.recordings.Close()
	id := uuid.NewString()
	sound, err := p.recordings.Start(tape.Recording{ID: id})
	if err != nil {
		t.Fatal(err)
	}
	sound.See(mixer.Moment{Rate: 8000})
	sound.Stop("")
	if _, _, err := p.recordings.Finish(t.Context(), id, "wav"); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("finished with %v, want it to be tried again", err)
	}
	p.c.S3 = config.S3{}
	if files, err = p.openFiles(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.openRecordings(files); err != nil {
		t.Fatal(err)
	}
	defer p.recordings.Close()
	if len(p.unsettled) != 1 {
		t.Errorf("unsettled: %q", p.unsettled)
	}
	if f, _, err := p.recordings.Finish(t.Context(), id, "wav"); err != nil || f.Size == 0 {
		t.Errorf("when a store is there: %+v, %v", f, err)
	}
}

// TestRetention deletes what has been kept for long enough, with its sound, and nothing else; what a crash left behind is cleaned up.
func TestRetention(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	c := config.Default()
	c.Data, c.Recording.MinFree = t.TempDir(), 1
	p := &parts{c: c, log: slog.New(slog.DiscardHandler)}
	if err := p.openStore(ctx); err != nil {
		t.Fatal(err)
	}
	st := p.store.database
	files, err := p.openFiles(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.openRecordings(files); err != nil {
		t.Fatal(err)
	}
	p.rooms = room.New(room.Options{Store: st, Media: silence{}, Recorder: p.recordings, Log: p.log})
	var running sync.WaitGroup
	running.Go(func() { _ = p.rooms.Run(ctx) })
	defer func() {
		stop()
		running.Wait()
		p.recordings.Close()
		_ = p.closeStore()
	}()
	old := p.recorded(t)
	cut := time.Now()
	kept := p.recorded(t)
	for range 2 {
		if err := p.expireRecordings(ctx, cut); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := st.Get(ctx, store.Recording, old); err != nil || !r.Deleted {
		t.Errorf("the old one: deleted %v, %v", r.Deleted, err)
	}
	if _, err := p.recordings.Manifest(ctx, old); fault.KindOf(err) != fault.NotFound {
		t.Errorf("the old one's sound: %v", err)
	}
	if r, err := st.Get(ctx, store.Recording, kept); err != nil || r.Deleted {
		t.Errorf("the new one: deleted %v, %v", r.Deleted, err)
	}
	if _, err := p.recordings.Manifest(ctx, kept); err != nil {
		t.Errorf("the new one's sound: %v", err)
	}
	p.unsettled = []string{old, kept, uuid.NewString()}
	if err := p.settleRecordings(ctx); err != nil || p.unsettled != nil {
		t.Errorf("settle: %v, %v", err, p.unsettled)
	}
	if n := len(p.recordingSamples()); n < 5 {
		t.Errorf("%d figures", n)
	}
}

// recorded makes a recording and waits for its end.
func (p *parts) recorded(t *testing.T) string {
	t.Helper()
	v, err := p.rooms.Create(t.Context(), conference.Create{CustomerID: uuid.NewString()})
	if err != nil {
		t.Fatal(err)
	}
	id := v.Conference.ID
	do := func(c conference.Command) conference.Conference {
		t.Helper()
		v, err := p.rooms.Do(t.Context(), id, c, room.DoOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return v.Conference
	}
	rec := do(conference.StartRecording{}).Recordings.Active
	hints, end := p.store.Hints()
	defer end()
	do(conference.StopRecording{At: time.Now()})
	for {
		r, err := p.store.Get(t.Context(), store.Recording, rec)
		if err != nil {
			t.Fatal(err)
		}
		if !r.Live {
			return rec
		}
		<-hints
	}
}

// silence is a media loop in which nothing happens.
type silence struct{}

func (silence) NewRoom() room.Mixer { return quiet{} }

type quiet struct{ room.Mixer }

func (quiet) Tap(mixer.Tap) func() { return func() {} }
func (quiet) Close()               {}

func (quiet) Facts() <-chan loop.Fact { return nil }
