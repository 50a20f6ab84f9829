package line

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"parley/internal/call"
	"parley/internal/call/group"
	"parley/internal/fault"
	"parley/internal/store"
)

// calling is a groupcall that is being dialled: the record and what is left to do. One goroutine of the exchange owns it.
type calling struct {
	x     *Exchange
	order Order
	plan  func() plan
	state group.Groupcall
	row   int64 // version of the record
	lines map[string]*Line
	facts chan group.Command
	hang  chan struct{}
	done  chan struct{}
}

// placeGroup makes one groupcall of the destinations and has it dialled.
func (x *Exchange) placeGroup(ctx context.Context, o Order, p func() plan, to []call.Address) (Placed, error) {
	if o.Join != nil && len(to) == 1 {
		if callees, err := x.callees(ctx, o, to[0]); err != nil {
			return Placed{}, err
		} else if len(callees) == 1 { // no need of a group
			l, err := x.dial(ctx, o.CustomerID, p(), x.outboundTo(o, callees[0]))
			if err != nil {
				return Placed{}, err
			}
			return placed(l), nil
		}
	}
	g := &calling{
		x: x, order: o, plan: p, lines: map[string]*Line{}, facts: make(chan group.Command, 4*group.Most), hang: make(chan struct{}, 1), done: make(chan struct{}),
	}
	create := group.Create{
		At: time.Now(), ID: group.ID(newID()), CustomerID: o.CustomerID, FlowID: o.FlowID, Source: o.Source, Destinations: to,
		Methods: group.Methods{Ring: group.RingMethod(o.RingMethod), Answer: group.AnswerMethod(o.AnswerMethod)}, Links: group.Links{MasterCallID: o.MasterCallID},
	}
	if err := g.write(ctx, create); err != nil {
		return Placed{}, err
	}
	g.dial(ctx)
	made := Placed{Groups: []group.Groupcall{g.state}}
	if !x.runGroup(g) {
		return Placed{}, fault.New(fault.Unavailable, "STOPPING", "the server is stopping; try again when it is back")
	}
	return made, nil
}

// runGroup has a groupcall run in a goroutine of the exchange.
func (x *Exchange) runGroup(g *calling) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.life == nil || x.life.Err() != nil {
		return false
	}
	x.groups[g.state.ID] = g
	life := x.life
	x.work.Go(func() {
		defer func() {
			x.mu.Lock()
			delete(x.groups, g.state.ID)
			x.mu.Unlock()
			close(g.done)
		}()
		g.run(life)
	})
	return true
}

// run takes what happens to the calls until the groupcall is over.
func (g *calling) run(ctx context.Context) {
	for g.state.Status != group.Ended {
		var c group.Command
		select {
		case c = <-g.facts:
		case <-g.hang:
			c = group.Hangup{At: time.Now()}
		case <-ctx.Done():
			// The calls end by themselves now, and tell.
			if c = g.wait(); c == nil {
				return // Recover ends the record
			}
		}
		write := context.WithoutCancel(ctx)
		if err := g.must(write, c); err != nil {
			g.x.o.Log.Error("groupcall not written", "groupcall", g.state.ID, "error", err)
			return
		}
		if ctx.Err() == nil {
			g.dial(ctx)
		}
		for _, id := range g.state.Surplus() {
			if l := g.lines[id]; l != nil {
				l.press(nil)
			}
		}
	}
}

// wait is the next fact while the server stops, nil when none comes.
func (g *calling) wait() group.Command {
	select {
	case c := <-g.facts:
		return c
	case <-time.After(g.x.o.StopTimeout):
		return nil
	}
}

// dial calls whoever's turn it is.
func (g *calling) dial(ctx context.Context) {
	for turn := g.state.Dial(); len(turn) > 0; turn = g.state.Dial() {
		for _, i := range turn {
			dialed := group.Dialed{At: time.Now(), Destination: i}
			callees, err := g.x.callees(ctx, g.order, g.state.Destinations[i])
			for _, c := range callees {
				var l *Line
				if l, err = g.x.dial(ctx, g.order.CustomerID, g.plan(), g.told(g.x.outboundTo(g.order, c))); err == nil {
					g.lines[string(l.id)] = l
					dialed.CallIDs = append(dialed.CallIDs, string(l.id))
				}
			}
			if err != nil {
				g.x.o.Log.Warn("destination of a groupcall not dialled", "groupcall", g.state.ID, "destination", i, "error", err)
			}
			if err := g.must(context.WithoutCancel(ctx), dialed); err != nil {
				g.x.o.Log.Error("groupcall not written", "groupcall", g.state.ID, "error", err)
				return
			}
		}
	}
}

// told has the groupcall hear of a call's answer and end.
func (g *calling) told(o *outbound) *outbound {
	o.group = string(g.state.ID)
	var id string
	o.made = func(l *Line) { id = string(l.id) }
	o.answered = func() { g.tell(group.Answered{At: time.Now(), CallID: id}) }
	o.ended = func(c call.Call) { g.tell(group.CallEnded{At: time.Now(), CallID: id, Reason: c.HangupReason}) }
	return o
}

// tell never waits: the channel has room for an answer and an end of each call of the largest group; more places than that are not dialled.
func (g *calling) tell(c group.Command) {
	select {
	case g.facts <- c:
	default:
		g.x.o.Log.Error("a groupcall has more calls than it can follow", "groupcall", g.state.ID)
	}
}

// must writes, with patience. A refusal means that the groupcall has moved on.
func (g *calling) must(ctx context.Context, c group.Command) (err error) {
	for wait, tries := retryFirst, 0; tries < 10; wait, tries = min(2*wait, retryMost), tries+1 {
		if err = g.write(ctx, c); !retriable(err) {
			return nil
		}
		time.Sleep(wait)
	}
	return err
}

func (g *calling) write(ctx context.Context, c group.Command) error {
	ctx, cancel := context.WithTimeout(ctx, g.x.o.WriteTimeout)
	defer cancel()
	next := g.state
	events, err := next.Decide(c)
	if err != nil || len(events) == 0 {
		return err
	}
	var change store.Change
	for _, e := range events {
		next.Apply(e)
		data, err := e.Data()
		if err != nil {
			return fmt.Errorf("write groupcall: %w", err)
		}
		change.Events = append(change.Events, store.Event{
			ID: newID(), Type: e.Type, At: e.At, CustomerID: next.CustomerID, Resource: string(next.ID), Data: data,
		})
	}
	doc, err := json.Marshal(next)
	if err != nil {
		return fmt.Errorf("write groupcall %s: %w", next.ID, err)
	}
	change.Key, change.Version = "groupcall/"+string(next.ID), g.row
	change.Records = []store.Record{{
		Kind: store.Groupcall, ID: string(next.ID), CustomerID: next.CustomerID, Status: string(next.Status), Live: next.Status != group.Ended,
		Created: next.Created, Deleted: !next.Deleted.IsZero(), Doc: doc,
	}}
	if err := g.x.o.Store.Append(ctx, &change); err != nil {
		return fmt.Errorf("write groupcall %s: %w", next.ID, err)
	}
	g.state, g.row = next, change.Records[0].Version
	return nil
}

// HangupGroup ends a groupcall of the customer's and returns it as it is then, or when ctx ends.
func (x *Exchange) HangupGroup(ctx context.Context, customerID, id string) (group.Groupcall, error) {
	x.mu.Lock()
	g := x.groups[group.ID(id)]
	x.mu.Unlock()
	if g != nil && g.order.CustomerID == customerID {
		select {
		case g.hang <- struct{}{}:
		default: // it has been told
		}
		select {
		case <-g.done:
		case <-ctx.Done():
		}
	}
	state, _, err := x.group(ctx, customerID, id)
	return state, err
}

// group reads a groupcall of the customer's, with the version of its record.
func (x *Exchange) group(ctx context.Context, customerID, id string) (g group.Groupcall, version int64, err error) {
	row, err := x.o.Store.Get(ctx, store.Groupcall, id)
	if err != nil || row.CustomerID != customerID {
		if err == nil || fault.KindOf(err) == fault.NotFound {
			return g, 0, fault.New(fault.NotFound, "GROUPCALL_NOT_FOUND", "there is no such groupcall; check the id")
		}
		return g, 0, fmt.Errorf("read groupcall: %w", err)
	}
	if err := json.Unmarshal(row.Doc, &g); err != nil {
		return g, 0, fmt.Errorf("read groupcall %s: %w", id, err)
	}
	return g, row.Version, nil
}

// recoverGroups ends the groupcalls that a dead process left behind. Their calls are recovered by themselves.
func (x *Exchange) recoverGroups(ctx context.Context) error {
	q := store.Query{Kind: store.Groupcall, Live: true, Deleted: true, Limit: 1000}
	for more := true; more; {
		page, err := x.o.Store.List(ctx, q)
		if err != nil {
			return fmt.Errorf("recover groupcalls: %w", err)
		}
		for _, row := range page {
			q.Before = store.Cursor{Created: row.Created, ID: row.ID}
			g := calling{x: x, row: row.Version}
			if err := json.Unmarshal(row.Doc, &g.state); err != nil {
				return fmt.Errorf("read groupcall %s: %w", row.ID, err)
			}
			if err := g.write(ctx, group.Recover{At: time.Now()}); err != nil {
				return err
			}
		}
		more = len(page) == q.Limit
	}
	return nil
}
