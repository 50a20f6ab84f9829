package room_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/loop"
	"parley/internal/prompt"
	"parley/internal/recording/archive"
	"parley/internal/recording/deck"
	"parley/internal/room"
	"parley/internal/store"
	"parley/internal/store/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const customer = "11111111-1111-4111-8111-111111111111"

// flaky is a store that can be told to fail, to be slow, or to vanish.
type flaky struct {
	*memory.Store
	mu      sync.Mutex // guards what follows
	failing error
	delay   time.Duration
	appends int
}

func (f *flaky) Append(ctx context.Context, c *store.Change) error {
	f.mu.Lock()
	err, delay := f.failing, f.delay
	f.appends++
	f.mu.Unlock()
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err != nil {
		return err
	}
	return f.Store.Append(ctx, c)
}

func (f *flaky) fail(err error) { f.mu.Lock(); f.failing = err; f.mu.Unlock() }

func (f *flaky) slow(d time.Duration) { f.mu.Lock(); f.delay = d; f.mu.Unlock() }

func (f *flaky) count() int { f.mu.Lock(); defer f.mu.Unlock(); return f.appends }

var errFull = fault.New(fault.Unavailable, "STORE_FULL", "the disk is full")

// bench is a Host under test in virtual time.
type bench struct {
	*testing.T
	ctx     context.Context
	store   *flaky
	media   *fakeMedia
	host    *room.Host
	archive *archive.Archive                     // nil: nothing is recorded
	wrap    func(*archive.Archive) deck.Recorder // nil: as it is
	prompts prompt.Library                       // nil: nothing is heard
	notice  func(ctx context.Context, customerID, kind string) (prompt.Sound, error)
	stop    func()
}

var limits = conference.Limits{
	MaxParticipants: 2000, MaxAge: 24 * time.Hour, LeavingDeadline: 5 * time.Second, MediaTimeout: 4 * time.Second, Retries: 2,
}

// bubble runs f in virtual time against a running Host, stops the Host and checks what must hold for every log.
func bubble(t *testing.T, f func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{T: t, ctx: t.Context(), store: &flaky{Store: memory.New()}}
		b.start()
		defer func() { b.stop() }() // also after a Fatal
		f(b)
		b.store.fail(nil)
		b.store.slow(0)
		b.stop()
		b.invariants()
	})
}

// start runs a new Host on the same store.
func (b *bench) start() {
	b.media = newFakeMedia()
	var recorder deck.Recorder
	if b.archive != nil {
		recorder = b.archive
		if b.wrap != nil {
			recorder = b.wrap(b.archive)
		}
	}
	b.host = room.New(room.Options{
		Recorder: recorder, Store: b.store, Media: b.media, Prompts: b.prompts, Notice: b.notice, Limits: limits, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err := b.host.Recover(b.ctx); err != nil {
		b.Fatalf("recover: %v", err)
	}
	ctx, cancel := context.WithCancel(b.ctx)
	done := make(chan error, 1)
	go func(h *room.Host) { done <- h.Run(ctx) }(b.host)
	b.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			b.Errorf("run: %v", err)
		}
		if ports, mixers := b.media.count(); ports != 0 || mixers != 0 {
			b.Errorf("after the stop %d ports and %d mixers are left", ports, mixers)
		}
	})
}

func (b *bench) create(c conference.Create) conference.ID {
	b.Helper()
	c.CustomerID = customer
	v, err := b.host.Create(b.ctx, c)
	if err != nil {
		b.Fatalf("create: %v", err)
	}
	if v.Conference.Status != conference.Progressing || v.Version != 2 || v.Seq == 0 {
		b.Fatalf("created %s at version %d, seq %d", v.Conference.Status, v.Version, v.Seq)
	}
	return v.Conference.ID
}

func (b *bench) join(id conference.ID) *room.Seat {
	b.Helper()
	s, err := b.host.Join(b.ctx, id, conference.Join{CustomerID: customer, CallID: uuid.NewString()}, new(loop.Session))
	if err != nil {
		b.Fatalf("join: %v", err)
	}
	return s
}

// enter joins and lets audio flow.
func (b *bench) enter(id conference.ID) *room.Seat {
	b.Helper()
	s := b.join(id)
	b.media.tell(string(s.ID()), loop.Connected, 0)
	synctest.Wait()
	return s
}

func (b *bench) do(id conference.ID, c conference.Command) room.View {
	b.Helper()
	v, err := b.host.Do(b.ctx, id, c, room.DoOptions{})
	if err != nil {
		b.Fatalf("%T: %v", c, err)
	}
	return v
}

func (b *bench) conference(id conference.ID) (c conference.Conference) {
	b.Helper()
	b.read(store.Conference, string(id), &c)
	return c
}

func (b *bench) participant(s *room.Seat) (p conference.Participant) {
	b.Helper()
	b.read(store.Conferencecall, string(s.ID()), &p)
	return p
}

func (b *bench) read(kind store.Kind, id string, to any) {
	b.Helper()
	r, err := b.store.Get(context.Background(), kind, id)
	if err == nil {
		err = json.Unmarshal(r.Doc, to)
	}
	if err != nil {
		b.Fatal(err)
	}
}

// log returns the types of the events of a conference, without the prefixes.
func (b *bench) log(id conference.ID) (types []string) {
	b.Helper()
	for _, e := range b.events(id) {
		types = append(types, strings.ReplaceAll(strings.TrimPrefix(e.Type, "conferencecall_"), "conference_", "c_"))
	}
	return types
}

func (b *bench) events(id conference.ID) (all []store.Event) {
	b.Helper()
	for after := int64(0); ; {
		page, next, err := b.store.Events(context.Background(), store.LogQuery{Conference: string(id), After: after, Limit: 1000})
		if err != nil {
			b.Fatal(err)
		}
		if len(page) == 0 {
			return all
		}
		all, after = append(all, page...), next
	}
}

func (b *bench) wantLog(id conference.ID, want ...string) {
	b.Helper()
	if got := b.log(id); !slices.Equal(got, want) {
		b.Errorf("log\n got %q\nwant %q", got, want)
	}
}

// wantEnd waits until the seat has ended and says why.
func (b *bench) wantEnd(s *room.Seat, want conference.LeaveReason) {
	b.Helper()
	select {
	case <-s.Done():
		if s.Cause() != want {
			b.Errorf("seat ended with %q, want %q", s.Cause(), want)
		}
	case <-time.After(50 * time.Millisecond): // the media loop takes a tick to let somebody go
		b.Errorf("seat has not ended, want %q", want)
	}
	synctest.Wait()
}

func (b *bench) wantOpen(s *room.Seat) {
	b.Helper()
	synctest.Wait()
	select {
	case <-s.Done():
		b.Fatalf("seat ended with %q", s.Cause())
	default:
	}
}

func wantReason(t *testing.T, err error, reason string) {
	t.Helper()
	if err == nil || fault.ReasonOf(err) != reason {
		t.Errorf("error %v (%s), want %s", err, fault.ReasonOf(err), reason)
	}
}

// invariants are what holds for every log, whatever happened: the log's last word on each resource is its record, versions have no gaps,
// nobody is left behind, each end and each pair is complete.
func (b *bench) invariants() {
	b.Helper()
	ctx := context.Background()
	conferences, err := b.store.List(ctx, store.Query{Kind: store.Conference, Deleted: true, Limit: 1000})
	if err != nil {
		b.Fatal(err)
	}
	for _, r := range conferences {
		last := map[string]json.RawMessage{}
		count := map[string]int{}
		for i, e := range b.events(conference.ID(r.ID)) {
			if e.Version != int64(i+1) {
				b.Errorf("entry %d of %s has version %d", i, r.ID, e.Version)
			}
			count[e.Type]++
			if e.Type != conference.ConferencecallDigitReceived {
				last[e.Resource] = e.Data
			}
		}
		b.wantSame(r, last[r.ID], new(conference.Conference))
		b.balanced(r, count)
	}
	calls, err := b.store.List(ctx, store.Query{Kind: store.Conferencecall, Limit: 1000})
	if err != nil {
		b.Fatal(err)
	}
	for _, r := range calls {
		if r.Live {
			b.Errorf("conferencecall %s is still %s", r.ID, r.Status)
		}
		events, _, err := b.store.Events(ctx, store.LogQuery{Resource: r.ID, Types: []string{"conferencecall_leaved"}, Limit: 10})
		if err != nil || len(events) != 1 {
			b.Errorf("conferencecall %s leaved %d times (%v)", r.ID, len(events), err)
			continue
		}
		b.wantSame(r, events[0].Data, new(conference.Participant))
	}
}

func (b *bench) balanced(r store.Record, count map[string]int) {
	for _, pair := range [][2]string{
		{conference.ConferencecallJoining, conference.ConferencecallLeaved},
		{conference.ConferencecallLeaving, conference.ConferencecallLeaved},
		{conference.ConferencecallSpeechStarted, conference.ConferencecallSpeechStopped},
	} {
		if count[pair[0]] != count[pair[1]] {
			b.Errorf("%s: %d %s, %d %s", r.ID, count[pair[0]], pair[0], count[pair[1]], pair[1])
		}
	}
	ended := 0
	if r.Status == "terminated" {
		ended = 1
	}
	if n := count[conference.ConferenceDeleted]; n != ended || r.Live != (ended == 0) {
		b.Errorf("%s is %s (live: %v) and has %d conference_deleted", r.ID, r.Status, r.Live, n)
	}
}

// wantSame compares the log's last word with the record.
func (b *bench) wantSame(r store.Record, logged json.RawMessage, doc any) {
	b.Helper()
	if err := json.Unmarshal(r.Doc, doc); err != nil {
		b.Fatal(err)
	}
	var resource any
	switch d := doc.(type) {
	case *conference.Conference:
		resource = d.Resource()
	case *conference.Participant:
		resource = d.Resource()
	}
	stored, err := json.Marshal(resource)
	if err != nil {
		b.Fatal(err)
	}
	if !bytes.Equal(stored, logged) {
		b.Errorf("record and log of %s %s differ\nrecord %s\nlog    %s", r.Kind, r.ID, stored, logged)
	}
}
