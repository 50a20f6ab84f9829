package line

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"parley/internal/call"
	"parley/internal/fault"
	"parley/internal/store"
)

const (
	retryFirst = 100 * time.Millisecond
	retryMost  = 2 * time.Second
)

// record is a call's record, as its owner writes it: one goroutine at a time.
type record struct {
	store      store.Store
	conference string // that its events belong to, or ""
	call       call.Call
	version    int64
	moved      bool           // somebody else has written: read again first
	late       []call.Command // what could not be written yet, in order
}

func newRecord(s store.Store, conferenceID string) *record {
	return &record{store: s, conference: conferenceID}
}

func keyOf(id call.ID) string { return "call/" + string(id) }

// write decides and appends the commands, with those that could not be written before, as one change. When it fails they are kept for
// the next write. Commands that the rules refuse are dropped: the call has moved on.
func (r *record) write(ctx context.Context, commands ...call.Command) error {
	commands = append(r.late, commands...)
	r.late = commands
	if r.moved {
		if err := r.load(ctx, r.call.ID); err != nil {
			return err
		}
	}
	next := r.call
	var change store.Change
	for _, c := range commands {
		events, err := next.Decide(c)
		if err != nil && next.ID == "" {
			return err // it is not even made
		}
		for _, e := range events {
			next.Apply(e)
			row, err := r.event(e)
			if err != nil {
				return err
			}
			change.Events = append(change.Events, row)
		}
	}
	if len(change.Events) > 0 {
		if err := r.append(ctx, &change, next); err != nil {
			return err
		}
	}
	r.late = nil
	return nil
}

func (r *record) event(e call.Event) (store.Event, error) {
	data, err := e.Data()
	if err != nil {
		return store.Event{}, fmt.Errorf("write call: %w", err)
	}
	return store.Event{
		ID: uuid.NewString(), Type: e.Type, At: e.At, CustomerID: e.Call.CustomerID, Conference: r.conference,
		Resource: string(e.Call.ID), Data: data,
	}, nil
}

func (r *record) append(ctx context.Context, change *store.Change, next call.Call) error {
	doc, err := json.Marshal(next)
	if err != nil {
		return fmt.Errorf("write call %s: %w", next.ID, err)
	}
	change.Key, change.Version = keyOf(next.ID), r.version
	change.Records = []store.Record{{
		Kind: store.Call, ID: string(next.ID), CustomerID: next.CustomerID, Conference: r.conference, Status: string(next.Status),
		Type: string(next.Type), Live: next.Status != call.Ended, Created: next.Created, Deleted: !next.Deleted.IsZero(), Doc: doc,
	}}
	if err := r.store.Append(ctx, change); err != nil {
		r.moved = errors.Is(err, store.ErrFenced)
		return fmt.Errorf("write call %s: %w", next.ID, err)
	}
	r.call, r.version = next, change.Records[0].Version
	return nil
}

// must writes again and again until it is written or ctx ends.
func (r *record) must(ctx context.Context, timeout time.Duration, commands ...call.Command) error {
	for wait := retryFirst; ; wait = min(2*wait, retryMost) {
		err := r.try(ctx, timeout, commands...)
		if err == nil {
			return nil
		}
		commands = nil // they are among the late ones now
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return err
		}
	}
}

// try is a write that does not wait for ever.
func (r *record) try(ctx context.Context, timeout time.Duration, commands ...call.Command) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return r.write(ctx, commands...)
}

// load reads the call as it stands in the store, whose conference stays what it was.
func (r *record) load(ctx context.Context, id call.ID) error {
	row, err := r.store.Get(ctx, store.Call, string(id))
	if err != nil {
		return fmt.Errorf("read call: %w", err)
	}
	return r.read(row)
}

func (r *record) read(row store.Record) error {
	var c call.Call
	if err := json.Unmarshal(row.Doc, &c); err != nil {
		return fmt.Errorf("read call %s: %w", row.ID, err)
	}
	r.call, r.version, r.conference, r.moved = c, row.Version, row.Conference, false
	return nil
}

// Hangup ends the call and returns it as it is then. A call that has ended comes back with fault.Conflict CALL_ALREADY_HANGUP, an unknown
// one is fault.NotFound CALL_NOT_FOUND. It waits until the end is written; when ctx ends before, the call still ends.
func (x *Exchange) Hangup(ctx context.Context, callID string) (call.Call, error) {
	l := x.line(call.ID(callID))
	if l == nil {
		return x.hangupOrphan(ctx, call.ID(callID))
	}
	l.press(nil)
	select {
	case <-l.finished:
		return l.record.call, nil
	case <-ctx.Done():
		return call.Call{}, fault.New(fault.Unavailable, "REQUEST_TIMEOUT", "the call is ending, but that is not written yet; look at it again later")
	}
}

// hangupOrphan is Hangup for a call without a line: one that has ended, or whose end could not be written.
func (x *Exchange) hangupOrphan(ctx context.Context, id call.ID) (call.Call, error) {
	r := newRecord(x.o.Store, "")
	if err := r.load(ctx, id); err != nil {
		if fault.KindOf(err) == fault.NotFound {
			return call.Call{}, fault.New(fault.NotFound, "CALL_NOT_FOUND", "there is no such call; check the id")
		}
		return call.Call{}, err
	}
	if r.call.Status == call.Ended {
		return r.call, fault.New(fault.Conflict, "CALL_ALREADY_HANGUP", "call %s has been hung up", id)
	}
	err := r.write(ctx, call.Recover{At: time.Now()})
	return r.call, err
}

// recoverAtOnce is how many calls are recovered at the same time, so that their appends share a sync.
const recoverAtOnce = 32

// Recover ends the calls that a dead process left behind, with reason failed. It is called once, before the first Accept.
func (x *Exchange) Recover(ctx context.Context) error {
	var group errgroup.Group
	group.SetLimit(recoverAtOnce)
	found := 0
	q := store.Query{Kind: store.Call, Live: true, Deleted: true, Limit: 1000}
	for more := true; more; {
		page, err := x.o.Store.List(ctx, q)
		if err != nil {
			_ = group.Wait()
			return fmt.Errorf("recover calls: %w", err)
		}
		for _, row := range page {
			found++
			q.Before = store.Cursor{Created: row.Created, ID: row.ID}
			group.Go(func() error {
				r := newRecord(x.o.Store, row.Conference)
				if err := r.read(row); err != nil {
					return err
				}
				return r.write(ctx, call.Recover{At: time.Now()})
			})
		}
		more = len(page) == q.Limit
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("recover calls: %w", err)
	}
	if err := x.recoverGroups(ctx); err != nil {
		return err
	}
	if found > 0 {
		x.o.Log.Info("recovered calls of the process before", "calls", found)
	}
	return nil
}
