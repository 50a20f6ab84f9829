// Package registration keeps our own registrations at others, and looks whether they are there: REGISTER with digest, refreshed before it
// expires, tried again ever more slowly when it fails, taken back at the end; and OPTIONS now and then. It owns up to two goroutines for
// each place and waits for them when Run ends. Which places there are and what calls over them mean is left to others.
package registration

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"parley/internal/sip/stack"
)

// Trunk is a place to register at or to look after. Two that are equal are the same.
type Trunk struct {
	ID             string
	Server         string // SIP or SIPS URI that requests go to; ;transport=udp, tcp or tls
	AOR            string // SIP URI that is registered, user@domain of the provider; "": nothing is registered
	User, Password string // digest credentials
	Expires        time.Duration
	Ping           time.Duration // time between two OPTIONS; 0: none
}

// State says how a trunk is.
type State struct {
	ID         string
	Registered bool
	Status     int       // of the last REGISTER; 408 when nothing came, 503 when it could not be sent, 0 before its end
	Reason     string    // why it is not registered, for people; "" when it is, or need not be
	Until      time.Time // of the registration
	Pinged     bool      // OPTIONS is sent, and Reachable and RTT say something
	Reachable  bool
	RTT        time.Duration
	Changed    time.Time // when Registered or Reachable changed last
}

// Timing of a client; zero values mean the defaults.
type Timing struct {
	Expires time.Duration // of a registration that names none, 10 min
	Retry   time.Duration // first wait after a failure, 30 s; it doubles with each one
	Most    time.Duration // longest wait, 30 min
}

// Client is the registering side of a server. Any goroutine may use it.
type Client struct {
	s   *stack.Stack
	t   Timing
	log *slog.Logger

	mu     sync.Mutex // guards what follows
	ctx    context.Context
	wanted []Trunk
	places map[string]*place
	all    sync.WaitGroup
}

// New makes a client without trunks.
func New(s *stack.Stack, t Timing) *Client {
	for v, def := range map[*time.Duration]time.Duration{&t.Expires: 10 * time.Minute, &t.Retry: 30 * time.Second, &t.Most: 30 * time.Minute} {
		if *v <= 0 {
			*v = def
		}
	}
	return &Client{s: s, t: t, log: s.Log, places: map[string]*place{}}
}

// Set says which trunks there are from now on. Those that are as before are left alone; others are ended, deregistered and begun anew. It may be
// called before Run, and returns at once.
func (c *Client) Set(trunks []Trunk) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wanted = append([]Trunk(nil), trunks...)
	if c.ctx != nil && c.ctx.Err() == nil {
		c.settle()
	}
}

// settle brings the running places to what is wanted. c.mu is held.
func (c *Client) settle() {
	stay := map[string]bool{}
	for _, t := range c.wanted {
		before := c.places[t.ID]
		if before != nil && before.trunk == t {
			stay[t.ID] = true
			continue
		}
		var after <-chan struct{}
		if before != nil {
			before.stop()
			after = before.gone
		}
		stay[t.ID] = true
		c.begin(t, after)
	}
	for id, p := range c.places {
		if !stay[id] {
			p.stop()
			delete(c.places, id)
		}
	}
}

// begin starts a place, as soon as the one that it follows is gone.
func (c *Client) begin(t Trunk, after <-chan struct{}) {
	ctx, stop := context.WithCancel(c.ctx)
	p := &place{c: c, trunk: t, stop: stop, gone: make(chan struct{}), state: State{ID: t.ID, Pinged: t.Ping > 0}}
	c.places[t.ID] = p
	c.all.Add(1)
	go func() {
		defer c.all.Done()
		defer close(p.gone)
		if after != nil {
			<-after
		}
		p.run(ctx)
	}()
}

// Run keeps the trunks until ctx ends, and returns when they are deregistered or do not answer. It may be called once.
func (c *Client) Run(ctx context.Context) {
	c.mu.Lock()
	c.ctx = ctx
	c.settle()
	c.mu.Unlock()
	<-ctx.Done()
	c.closed()
	c.all.Wait()
}

// closed returns when whoever is in Set has begun its places; later ones begin none.
func (c *Client) closed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wanted = nil
}

// States are those of all trunks, in no order.
func (c *Client) States() []State {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]State, 0, len(c.places))
	for _, p := range c.places {
		out = append(out, p.get())
	}
	return out
}
