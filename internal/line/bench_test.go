package line_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"parley/internal/call"
	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/line"
	"parley/internal/room"
	"parley/internal/store"
	"parley/internal/store/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	customer = "11111111-1111-4111-8111-111111111111"
	stranger = "22222222-2222-4222-8222-222222222222"
)

// flaky is a store that can be told to fail or to be slow.
type flaky struct {
	*memory.Store
	mu      sync.Mutex // guards what follows
	failing error
	delay   time.Duration
}

func (f *flaky) Append(ctx context.Context, c *store.Change) error {
	f.mu.Lock()
	err, delay := f.failing, f.delay
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

var errFull = fault.New(fault.Unavailable, "STORE_FULL", "the disk is full")

// bench is an Exchange under test, with real rooms, in virtual time.
type bench struct {
	*testing.T
	ctx   context.Context
	store *flaky
	media *fakeMedia
	rooms *room.Host
	x     *line.Exchange
	o     line.Options
	runs  sync.WaitGroup
}

// bubble runs f in virtual time, waits for all lines, and checks that nothing is left of any call.
func bubble(t *testing.T, o line.Options, f func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{T: t, ctx: t.Context(), store: &flaky{Store: memory.New()}, media: newFakeMedia(), o: o}
		quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
		b.rooms = room.New(room.Options{
			Store: b.store, Media: b.media, Log: quiet,
			Limits: conference.Limits{MaxAge: 24 * time.Hour, LeavingDeadline: 5 * time.Second, Retries: 2},
		})
		b.o.Store, b.o.Rooms, b.o.Media, b.o.Log = b.store, b.rooms, b.media, quiet
		b.x = line.New(b.o)
		ctx, cancel := context.WithCancel(b.ctx)
		var host sync.WaitGroup
		host.Go(func() { _ = b.rooms.Run(ctx) })
		defer func() {
			cancel()
			host.Wait()
		}()
		f(b)
		b.runs.Wait()
		time.Sleep(10 * time.Second) // what a room has left to write
		b.nothingLeft()
	})
}

func (b *bench) conference(s conference.Settings) conference.Conference {
	b.Helper()
	v, err := b.rooms.Create(b.ctx, conference.Create{CustomerID: customer, Settings: s})
	if err != nil {
		b.Fatal(err)
	}
	return v.Conference
}

func (b *bench) invite(target string, body []byte) line.Invite {
	return line.Invite{
		SIPCallID: "abc@phone", Source: call.Address{Type: "sip", Target: "alice@phone", TargetName: "Alice"},
		Destination: call.Address{Type: "sip", Target: target + "@parley"}, Target: target, Offer: body,
		Peer: netip.MustParseAddrPort("203.0.113.77:5060"),
	}
}

// accept takes a call without running it.
func (b *bench) accept(p *phone, in line.Invite) *line.Line {
	b.Helper()
	l, err := b.x.Accept(b.ctx, in, p)
	if err != nil {
		b.Fatalf("accept: %v", err)
	}
	return l
}

// run runs a line in a goroutine of its own, as a door does.
func (b *bench) run(ctx context.Context, l *line.Line) <-chan error {
	done := make(chan error, 1)
	b.runs.Go(func() { done <- l.Run(ctx) })
	return done
}

// dial calls a conference and waits until it is answered.
func (b *bench) dial(p *phone, c conference.Conference) (*line.Line, <-chan error) {
	b.Helper()
	l := b.accept(p, b.invite(string(c.ID), offer("sendrecv", "PCMU")))
	done := b.run(b.ctx, l)
	synctest.Wait()
	return l, done
}

func (b *bench) calls() (all []call.Call) {
	b.Helper()
	rows, err := b.store.List(context.Background(), store.Query{Kind: store.Call, Deleted: true, Limit: 1000})
	if err != nil {
		b.Fatal(err)
	}
	for _, r := range rows {
		var c call.Call
		if err := json.Unmarshal(r.Doc, &c); err != nil {
			b.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

// call returns the only call.
func (b *bench) call() call.Call {
	b.Helper()
	all := b.calls()
	if len(all) != 1 {
		b.Fatalf("%d calls", len(all))
	}
	return all[0]
}

func (b *bench) participants() (all []conference.Participant) {
	b.Helper()
	rows, err := b.store.List(context.Background(), store.Query{Kind: store.Conferencecall, Limit: 1000})
	if err != nil {
		b.Fatal(err)
	}
	for _, r := range rows {
		var p conference.Participant
		if err := json.Unmarshal(r.Doc, &p); err != nil {
			b.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

func (b *bench) participant() conference.Participant {
	b.Helper()
	all := b.participants()
	if len(all) != 1 {
		b.Fatalf("%d participants", len(all))
	}
	return all[0]
}

// log returns the types of all events.
func (b *bench) log(types ...string) (out []string) {
	b.Helper()
	events, _, err := b.store.Events(context.Background(), store.LogQuery{Types: types, Limit: 1000})
	if err != nil {
		b.Fatal(err)
	}
	for _, e := range events {
		out = append(out, e.Type)
	}
	return out
}

func (b *bench) wantLog(want ...string) {
	b.Helper()
	if got := b.log("call_*", "conferencecall_*"); !slices.Equal(got, want) {
		b.Errorf("log\n got %q\nwant %q", got, want)
	}
}

// nothingLeft checks that no call has left anything behind: no line, no session, no record that is not final, no second end.
func (b *bench) nothingLeft() {
	b.Helper()
	if n := b.x.Live(); n != 0 {
		b.Errorf("%d lines are live", n)
	}
	for i, s := range b.media.sessions {
		if !s.isClosed() {
			b.Errorf("session %d is not closed", i)
		}
	}
	if n := b.rooms.Stats().Seats; n != 0 {
		b.Errorf("%d seats are taken", n)
	}
	recovered := map[string]bool{}
	for _, c := range b.calls() {
		recovered[string(c.ID)] = c.HangupDetail == "lost"
		if c.Status != call.Ended || c.Ended.IsZero() || c.ConferenceID != "" || c.HangupBy == "" || c.HangupReason == "" {
			b.Errorf("call is %s by %q (%s), in conference %q", c.Status, c.HangupBy, c.HangupReason, c.ConferenceID)
		}
		events, _, err := b.store.Events(context.Background(), store.LogQuery{Resource: string(c.ID), Types: []string{"call_hangup"}, Limit: 10})
		if err != nil || len(events) != 1 {
			b.Errorf("call has %d call_hangup (%v)", len(events), err)
			continue
		}
		want, err := json.Marshal(c.Resource())
		if err != nil || string(events[0].Data) != string(want) {
			b.Errorf("record and log differ\nrecord %s\nlog    %s", want, events[0].Data)
		}
	}
	for _, p := range b.participants() {
		events, _, err := b.store.Events(context.Background(), store.LogQuery{Types: []string{"conferencecall_leaved", "call_hangup"}, Limit: 1000})
		if err != nil {
			b.Fatal(err)
		}
		left := slices.IndexFunc(events, func(e store.Event) bool { return e.Resource == string(p.ID) })
		hung := slices.IndexFunc(events, func(e store.Event) bool { return e.Resource == p.CallID })
		if left < 0 || hung < left && !recovered[p.CallID] {
			b.Errorf("conferencecall leaved at %d, its call ended at %d", left, hung)
		}
		if p.Status != conference.Leaved {
			b.Errorf("participant is %s", p.Status)
		}
	}
	b.noFlowLeft()
}

// noFlowLeft checks that every run of a flow has ended, also of calls that nobody answered.
func (b *bench) noFlowLeft() {
	b.Helper()
	events, _, err := b.store.Events(context.Background(), store.LogQuery{Types: []string{"activeflow_created", "activeflow_updated"}, Limit: 1000})
	if err != nil {
		b.Fatal(err)
	}
	last := map[string]store.Event{}
	for _, e := range events {
		last[e.Resource] = e
	}
	for id, e := range last {
		if !strings.Contains(string(e.Data), `"status":"ended"`) {
			b.Errorf("the run %s is not over: %s", id, e.Data)
		}
	}
}

func wantReason(t *testing.T, err error, reason string) {
	t.Helper()
	if err == nil || fault.ReasonOf(err) != reason {
		t.Errorf("error %v (%s), want %s", err, fault.ReasonOf(err), reason)
	}
}

func wantCall(t *testing.T, c call.Call, by call.Side, reason call.HangupReason) {
	t.Helper()
	if c.HangupBy != by || c.HangupReason != reason {
		t.Errorf("hung up by %s (%s, %q), want %s (%s)", c.HangupBy, c.HangupReason, c.HangupDetail, by, reason)
	}
}

func name(parts ...any) string { return strings.TrimSpace(fmt.Sprintln(parts...)) }
