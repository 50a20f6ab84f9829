// Package groups has groupcalls dialled: whose turn it is, who has answered, who is to be hung up then, and the record of it. How a phone is called is left to a
// Dial; each groupcall has one goroutine, which its owner lends.
package groups

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"parley/internal/call"
	"parley/internal/call/group"
	"parley/internal/fault"
	"parley/internal/line/ledger"
	"parley/internal/store"
	"parley/internal/wall"
)

// Phone is one that is being called.
type Phone struct {
	CallID string
	Hangup func()
}

// Dial calls all phones of a destination, and has the groupcall told of their answers and ends. It returns those that are being called, also with an error about
// others. The groupcall's goroutine calls it.
type Dial func(ctx context.Context, to call.Address, g *Groupcall) ([]Phone, error)

// Options of the groupcalls. All are needed.
type Options struct {
	Store        store.Store
	Log          *slog.Logger
	WriteTimeout time.Duration
	StopTimeout  time.Duration                    // how long a stopping server waits for the ends of calls
	Go           func(func(context.Context)) bool // lends a goroutine until the context ends; false while the server stops
}

// Host has the groupcalls that are live. Its methods may be called from any goroutine.
type Host struct {
	o Options

	mu   sync.Mutex // guards live
	live map[group.ID]*Groupcall
}

// New makes a Host.
func New(o Options) *Host { return &Host{o: o, live: map[group.ID]*Groupcall{}} }

// Groupcall is one that is being dialled: the record and what is left to do. One goroutine owns it; Answered and Ended may be called from any.
type Groupcall struct {
	o        *Options
	id       group.ID
	customer string

	dial   Dial
	record *ledger.Group
	phones map[string]Phone
	facts  chan group.Command
	hang   chan struct{}
	done   chan struct{}
}

// Place writes a groupcall's record and begins to dial. The groupcall goes on after it has returned.
func (h *Host) Place(ctx context.Context, c group.Create, dial Dial) (group.Groupcall, error) {
	g := &Groupcall{
		o: &h.o, id: c.ID, customer: c.CustomerID, dial: dial, record: ledger.NewGroup(h.o.Store, h.o.WriteTimeout), phones: map[string]Phone{},
		facts: make(chan group.Command, 4*group.Most), hang: make(chan struct{}, 1), done: make(chan struct{}),
	}
	if err := g.record.Write(ctx, c); err != nil {
		return group.Groupcall{}, err
	}
	g.next(ctx)
	made := g.record.Group
	h.mu.Lock()
	h.live[g.id] = g
	h.mu.Unlock()
	over := func() {
		h.mu.Lock()
		delete(h.live, g.id)
		h.mu.Unlock()
		close(g.done)
	}
	if !h.o.Go(func(life context.Context) { defer over(); g.run(life) }) {
		over()
		return group.Groupcall{}, fault.New(fault.Unavailable, "STOPPING", "the server is stopping; try again when it is back")
	}
	return made, nil
}

// Hangup ends a groupcall of the customer's and returns it as it is then, or when ctx ends.
func (h *Host) Hangup(ctx context.Context, customerID, id string) (group.Groupcall, error) {
	h.mu.Lock()
	g := h.live[group.ID(id)]
	h.mu.Unlock()
	if g != nil && g.customer == customerID {
		select {
		case g.hang <- struct{}{}:
		default: // it has been told
		}
		select {
		case <-g.done:
		case <-ctx.Done():
		}
	}
	return ledger.ReadGroup(ctx, h.o.Store, customerID, id)
}

// ID names the groupcall.
func (g *Groupcall) ID() string { return string(g.id) }

// Answered tells that a phone has answered.
func (g *Groupcall) Answered(callID string) {
	g.tell(group.Answered{At: wall.Now(), CallID: callID})
}

// Ended tells that a call is over.
func (g *Groupcall) Ended(callID string, reason call.HangupReason) {
	g.tell(group.CallEnded{At: wall.Now(), CallID: callID, Reason: reason})
}

// tell never waits: the channel has room for an answer and an end of each call of the largest group; more places than that are not dialled.
func (g *Groupcall) tell(c group.Command) {
	select {
	case g.facts <- c:
	default:
		g.o.Log.Error("a groupcall has more calls than it can follow", "groupcall", g.id)
	}
}

// run takes what happens to the calls until the groupcall is over.
func (g *Groupcall) run(ctx context.Context) {
	for g.record.Group.Status != group.Ended {
		var c group.Command
		select {
		case c = <-g.facts:
		case <-g.hang:
			c = group.Hangup{At: wall.Now()}
		case <-ctx.Done():
			// The calls end by themselves now, and tell.
			if c = g.wait(); c == nil {
				return // what recovers the process ends the record
			}
		}
		write := context.WithoutCancel(ctx)
		if err := g.must(write, c); err != nil {
			g.o.Log.Error("groupcall not written", "groupcall", g.id, "error", err)
			return
		}
		if ctx.Err() == nil {
			g.next(ctx)
		}
		for _, id := range g.record.Group.Surplus() {
			if p, ok := g.phones[id]; ok {
				p.Hangup()
			}
		}
	}
}

// wait is the next fact while the server stops, nil when none comes.
func (g *Groupcall) wait() group.Command {
	select {
	case c := <-g.facts:
		return c
	case <-time.After(g.o.StopTimeout):
		return nil
	}
}

// next calls whoever's turn it is.
func (g *Groupcall) next(ctx context.Context) {
	for turn := g.record.Group.Dial(); len(turn) > 0; turn = g.record.Group.Dial() {
		for _, i := range turn {
			dialed := group.Dialed{At: wall.Now(), Destination: i}
			phones, err := g.dial(ctx, g.record.Group.Destinations[i], g)
			if err != nil {
				g.o.Log.Warn("destination of a groupcall not dialled", "groupcall", g.id, "destination", i, "error", err)
			}
			for _, p := range phones {
				g.phones[p.CallID] = p
				dialed.CallIDs = append(dialed.CallIDs, p.CallID)
			}
			if err := g.must(context.WithoutCancel(ctx), dialed); err != nil {
				g.o.Log.Error("groupcall not written", "groupcall", g.id, "error", err)
				return
			}
		}
	}
}

// must writes, with patience. A refusal means that the groupcall has moved on.
func (g *Groupcall) must(ctx context.Context, c group.Command) (err error) {
	for wait, tries := ledger.RetryFirst, 0; tries < 10; wait, tries = min(2*wait, ledger.RetryMost), tries+1 {
		if err = g.record.Write(ctx, c); !retriable(err) {
			return nil
		}
		time.Sleep(wait)
	}
	return err
}

// retriable reports whether an error says that something could not be done now, not that it may not be done.
func retriable(err error) bool {
	kind := fault.KindOf(err)
	return err != nil && (kind == fault.Unavailable || kind == fault.Internal)
}
