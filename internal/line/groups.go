package line

import (
	"context"
	"time"

	"parley/internal/call"
	"parley/internal/call/group"
	"parley/internal/fault"
	"parley/internal/line/ledger"
)

// calling is a groupcall that is being dialled: the record and what is left to do. One goroutine of the exchange owns it.
type calling struct {
	x      *Exchange
	order  Order
	plan   func() plan
	record *ledger.Group
	lines  map[string]*Line
	facts  chan group.Command
	hang   chan struct{}
	done   chan struct{}
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
		x: x, order: o, plan: p, record: ledger.NewGroup(x.o.Store, x.o.WriteTimeout), lines: map[string]*Line{}, facts: make(chan group.Command, 4*group.Most), hang: make(chan struct{}, 1), done: make(chan struct{}),
	}
	create := group.Create{
		At: time.Now(), ID: group.ID(newID()), CustomerID: o.CustomerID, FlowID: o.FlowID, Source: o.Source, Destinations: to,
		Methods: group.Methods{Ring: group.RingMethod(o.RingMethod), Answer: group.AnswerMethod(o.AnswerMethod)}, Links: group.Links{MasterCallID: o.MasterCallID},
	}
	if err := g.record.Write(ctx, create); err != nil {
		return Placed{}, err
	}
	g.dial(ctx)
	made := Placed{Groups: []group.Groupcall{g.record.Group}}
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
	x.groups[g.record.Group.ID] = g
	life := x.life
	x.work.Go(func() {
		defer func() {
			x.mu.Lock()
			delete(x.groups, g.record.Group.ID)
			x.mu.Unlock()
			close(g.done)
		}()
		g.run(life)
	})
	return true
}

// run takes what happens to the calls until the groupcall is over.
func (g *calling) run(ctx context.Context) {
	for g.record.Group.Status != group.Ended {
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
			g.x.o.Log.Error("groupcall not written", "groupcall", g.record.Group.ID, "error", err)
			return
		}
		if ctx.Err() == nil {
			g.dial(ctx)
		}
		for _, id := range g.record.Group.Surplus() {
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
	for turn := g.record.Group.Dial(); len(turn) > 0; turn = g.record.Group.Dial() {
		for _, i := range turn {
			dialed := group.Dialed{At: time.Now(), Destination: i}
			callees, err := g.x.callees(ctx, g.order, g.record.Group.Destinations[i])
			for _, c := range callees {
				var l *Line
				if l, err = g.x.dial(ctx, g.order.CustomerID, g.plan(), g.told(g.x.outboundTo(g.order, c))); err == nil {
					g.lines[string(l.id)] = l
					dialed.CallIDs = append(dialed.CallIDs, string(l.id))
				}
			}
			if err != nil {
				g.x.o.Log.Warn("destination of a groupcall not dialled", "groupcall", g.record.Group.ID, "destination", i, "error", err)
			}
			if err := g.must(context.WithoutCancel(ctx), dialed); err != nil {
				g.x.o.Log.Error("groupcall not written", "groupcall", g.record.Group.ID, "error", err)
				return
			}
		}
	}
}

// told has the groupcall hear of a call's answer and end.
func (g *calling) told(o *outbound) *outbound {
	o.group = string(g.record.Group.ID)
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
		g.x.o.Log.Error("a groupcall has more calls than it can follow", "groupcall", g.record.Group.ID)
	}
}

// must writes, with patience. A refusal means that the groupcall has moved on.
func (g *calling) must(ctx context.Context, c group.Command) (err error) {
	for wait, tries := ledger.RetryFirst, 0; tries < 10; wait, tries = min(2*wait, ledger.RetryMost), tries+1 {
		if err = g.record.Write(ctx, c); !retriable(err) {
			return nil
		}
		time.Sleep(wait)
	}
	return err
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
	return ledger.ReadGroup(ctx, x.o.Store, customerID, id)
}
