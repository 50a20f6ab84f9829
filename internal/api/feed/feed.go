package feed

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"parley/internal/agent"
	"parley/internal/api/rest"
	"parley/internal/fault"
	"parley/internal/store"
)

// Options of a feed. Store is needed.
type Options struct {
	Store    store.Store
	Log      *slog.Logger  // nil: the default one
	PerKey   int           // most streams at once of one access key or agent; 0: 100
	Beat     time.Duration // time between signs of life; 0: 10 s, as in the original
	Patience time.Duration // longest time that a client may take nothing, or say nothing; 0: 60 s

	// Say posts the message in a frame of type message and returns the frame that answers it. nil: such frames are ignored.
	Say func(ctx context.Context, customer string, frame []byte) []byte
}

// Feed serves the streams.
type Feed struct {
	o     Options
	tail  tail
	total atomic.Int64 // streams

	mu    sync.Mutex
	open  map[string]map[*ticket]bool // by access key or agent
	ready chan struct{}               // closed when Run has begun
	done  context.Context             // ends with Run
	once  sync.Once
}

// New returns a feed; Run makes it flow.
func New(o Options) *Feed {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	o.PerKey = cmp.Or(o.PerKey, 100)
	o.Beat = cmp.Or(o.Beat, 10*time.Second)
	o.Patience = cmp.Or(o.Patience, 60*time.Second)
	f := &Feed{o: o, open: map[string]map[*ticket]bool{}, ready: make(chan struct{})}
	f.tail = tail{store: o.Store, log: o.Log, see: f.see}
	return f
}

// farewell bounds how long Run waits for streams to say why they end.
const farewell = 2 * time.Second

// Run follows the log until ctx ends. Then all streams end, with a reason.
func (f *Feed) Run(ctx context.Context) error {
	if err := f.tail.start(ctx); err != nil {
		return fmt.Errorf("find the end of the log: %w", err)
	}
	own, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	f.done = own
	f.once.Do(func() { close(f.ready) })
	f.tail.follow(ctx)
	cancel(errStopping)
	for end := time.Now().Add(farewell); f.total.Load() > 0 && time.Now().Before(end); {
		<-time.After(10 * time.Millisecond)
	}
	return nil
}

// Open returns how many streams there are.
func (f *Feed) Open() int { return int(f.total.Load()) }

// Routes returns the routes of the streams.
func (f *Feed) Routes() []rest.Route {
	return []rest.Route{
		{Method: "GET", Path: "/events/stream", Do: f.events},
		{Method: "GET", Path: "/ws", Do: f.socket},
		{Method: "GET", Path: "/service_agents/ws", Do: f.socket, May: agent.CustomerAll}, // for agents; they have their own topics there
	}
}

// place checks where a reader wants to begin: -1 stands for the end.
func (f *Feed) place(ctx context.Context, after int64) (int64, error) {
	last, _, err := f.o.Store.Last(ctx, "")
	switch {
	case err != nil:
		return 0, fmt.Errorf("find the end of the log: %w", err)
	case after == -1:
		return last, nil
	case after < -1 || after > last:
		return 0, fault.New(fault.Invalid, "INVALID_ARGUMENT", "after is %d: give the number of a log entry, 0 to %d", after, last)
	}
	return after, nil
}
