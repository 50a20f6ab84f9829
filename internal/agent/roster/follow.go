package roster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"parley/internal/agent"
	"parley/internal/fault"
	"parley/internal/store"
	"parley/internal/store/cause"
)

const (
	page  = 500
	sweep = 30 * time.Second // the log is looked at without a hint after that
	again = time.Second      // after a failure
)

// moves are the entries of the log that a status follows.
var moves = map[string]func(c agent.Calls, id string){
	"groupcall_created":     agent.Calls.Ring,
	"groupcall_progressing": agent.Calls.Answer,
	"groupcall_hangup":      agent.Calls.End,
	"call_created":          agent.Calls.Ring,
	"call_progressing":      agent.Calls.Answer,
	"call_hangup":           agent.Calls.End,
}

// Follower has the status of agents follow their calls.
type Follower struct {
	roster *Roster
	log    *slog.Logger
	place  int64
	calls  map[string]agent.Calls // by agent
}

// Follow prepares a follower of the calls that are made from now on. There is none yet: agents that a dead process left in a call are freed.
func (r *Roster) Follow(ctx context.Context, log *slog.Logger) (*Follower, error) {
	place, _, err := r.store.Last(ctx, "")
	if err != nil {
		return nil, fmt.Errorf("find the end of the log: %w", err)
	}
	q := store.Query{Kind: store.Agent, Status: []string{string(agent.Ringing), string(agent.Busy)}, Limit: 1000}
	for more := true; more; {
		list, err := r.store.List(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("read agents: %w", err)
		}
		for _, rec := range list {
			q.Before = store.Cursor{Created: rec.Created, ID: rec.ID}
			if err := r.follow(cause.Put(ctx, cause.ByRecovery), rec.CustomerID, rec.ID, nil); err != nil {
				return nil, err
			}
		}
		more = len(list) == q.Limit
	}
	return &Follower{r, log, place, map[string]agent.Calls{}}, nil
}

// Run follows until ctx ends.
func (f *Follower) Run(ctx context.Context) error {
	hints, end := f.roster.store.Hints()
	defer end()
	for {
		wait, wake := sweep, hints
		if err := f.catchUp(ctx); err != nil && ctx.Err() == nil {
			f.log.Warn("the status of agents cannot follow their calls", "error", err)
			wait, wake = again, nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// catchUp follows what the log has after the place. An entry that fails is taken again.
func (f *Follower) catchUp(ctx context.Context) error {
	for {
		rows, next, err := f.roster.store.Events(ctx, store.LogQuery{After: f.place, Types: []string{"call_*", "groupcall_*"}, Limit: page})
		if err != nil {
			return fmt.Errorf("read the log: %w", err)
		}
		for i := range rows {
			if err := f.move(ctx, &rows[i]); err != nil {
				return err
			}
			f.place = rows[i].Seq
		}
		if next == f.place && len(rows) == 0 {
			return nil
		}
		f.place = next
	}
}

// owned is in the text of what an agent owns.
var owned = []byte(`"owner_type":"agent"`)

// move takes one entry to its agent.
func (f *Follower) move(ctx context.Context, e *store.Event) error {
	do := moves[e.Type]
	if do == nil || !bytes.Contains(e.Data, owned) {
		return nil
	}
	var what struct {
		ID    string `json:"id"`
		Type  string `json:"owner_type"`
		Owner string `json:"owner_id"`
	}
	if err := json.Unmarshal(e.Data, &what); err != nil || what.Type != "agent" {
		return nil //nolint:nilerr // it is nobody's call; the store keeps nothing that is no JSON
	}
	calls := f.calls[what.Owner]
	if calls == nil {
		calls = agent.Calls{}
		f.calls[what.Owner] = calls
	}
	if do(calls, what.ID); len(calls) == 0 {
		delete(f.calls, what.Owner)
	}
	err := f.roster.follow(cause.Put(ctx, e.Cause), e.CustomerID, what.Owner, calls)
	if kind := fault.KindOf(err); kind == fault.NotFound || kind == fault.Conflict {
		return nil // it is gone
	}
	return err
}

// follow writes the status that an agent's calls make of it.
func (r *Roster) follow(ctx context.Context, customer, id string, calls agent.Calls) error {
	_, err := r.edit(ctx, customer, id, "agent_updated", func(rec *agent.Record) ([]store.Name, error) {
		rec.Follow(calls)
		return nil, nil
	})
	return err
}
