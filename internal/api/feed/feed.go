package feed

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"parley/internal/api/rest"
	"parley/internal/api/web"
	"parley/internal/fault"
	"parley/internal/store"
)

// Options of a feed. Store is needed.
type Options struct {
	Store    store.Store
	Log      *slog.Logger  // nil: the default one
	PerKey   int           // most streams at once of one access key; 0: 100
	Beat     time.Duration // time between signs of life; 0: 10 s, as in the original
	Patience time.Duration // longest time that a client may take for a write, or be silent; 0: 60 s
}

// Feed serves the streams.
type Feed struct {
	o    Options
	tail tail

	mu    sync.Mutex
	open  map[string]int // by access key
	total int
	ready chan struct{} // closed when Run has begun
	done  context.Context
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
	return &Feed{o: o, tail: tail{store: o.Store, log: o.Log}, open: map[string]int{}, ready: make(chan struct{})}
}

// Run follows the log until ctx ends, and with it all streams.
func (f *Feed) Run(ctx context.Context) error {
	if err := f.tail.start(ctx); err != nil {
		return fmt.Errorf("find the end of the log: %w", err)
	}
	f.done = ctx
	f.once.Do(func() { close(f.ready) })
	f.tail.follow(ctx)
	return nil
}

// Open returns how many streams there are.
func (f *Feed) Open() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.total
}

// Routes returns the routes of the streams.
func (f *Feed) Routes() []rest.Route {
	return []rest.Route{
		{Method: "GET", Path: "/events/stream", Do: f.events},
		{Method: "GET", Path: "/ws", Do: f.socket},
		{Method: "GET", Path: "/service_agents/ws", Do: f.socket}, // its name for agents, in the original
	}
}

// enter counts a stream of the key; leave ends it. The context ends with the feed, not with the request's limit of time.
func (f *Feed) enter(r *rest.Request) (ctx context.Context, leave func(), err error) {
	select {
	case <-f.ready:
	default:
		return nil, nil, fault.New(fault.Unavailable, "STREAMS_NOT_READY", "the server is starting; try again")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open[r.KeyID] >= f.o.PerKey {
		return nil, nil, fault.New(fault.Exhausted, "STREAM_LIMIT_EXCEEDED", "this access key has %d streams open; close one first", f.o.PerKey)
	}
	f.open[r.KeyID]++
	f.total++
	ctx, cancel := context.WithCancel(f.done)
	return ctx, sync.OnceFunc(func() {
		cancel()
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.open[r.KeyID]--; f.open[r.KeyID] == 0 {
			delete(f.open, r.KeyID)
		}
		f.total--
	}), nil
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

// events answers with Server-Sent Events (HTML standard, section 9.2): the id of each is its number, so that a browser resumes by itself.
func (f *Feed) events(r *rest.Request) (rest.Reply, error) {
	q := r.URL.Query()
	after, err := web.Int(q, "after", -1)
	if err != nil {
		return rest.Reply{}, err
	}
	if id := r.Header.Get("Last-Event-ID"); id != "" {
		if n, err := strconv.ParseInt(id, 10, 64); err == nil {
			after = n
		}
	}
	conference, err := web.UUID(q, "conference_id")
	if err != nil {
		return rest.Reply{}, err
	}
	want := store.LogQuery{Types: web.Words(q, "type"), Limit: 1}
	if err := want.Check(); err != nil {
		return rest.Reply{}, err
	}
	at, err := f.place(r.Context(), after)
	if err != nil {
		return rest.Reply{}, err
	}
	ctx, leave, err := f.enter(r)
	if err != nil {
		return rest.Reply{}, err
	}
	// A client that goes away ends the request's context, but so does the request's limit of time: only the first counts.
	stop := context.AfterFunc(r.Context(), func() {
		if context.Cause(r.Context()) == context.Canceled {
			leave()
		}
	})
	wanted := func(e *entry) bool {
		return (conference == "" || e.ConferenceID == conference) && store.OfType(e.Type, want.Types)
	}
	return rest.Reply{Stream: func(w http.ResponseWriter) error {
		defer leave()
		defer stop()
		s := &sse{w: w, out: http.NewResponseController(w), patience: f.o.Patience}
		if err := s.out.SetReadDeadline(time.Time{}); err != nil { // else the limit for reading the request would end it
			return err
		}
		return f.flow(ctx, flow{customer: r.CustomerID, at: at, wanted: wanted, send: s.send, beat: s.beat})
	}}, nil
}

// sse writes Server-Sent Events.
type sse struct {
	w        http.ResponseWriter
	out      *http.ResponseController
	patience time.Duration
}

func (s *sse) begin() error {
	if s.w.Header().Get("Content-Type") == "" {
		h := s.w.Header()
		h.Set("Content-Type", "text/event-stream")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Accel-Buffering", "no")
		s.w.WriteHeader(http.StatusOK)
	}
	return s.out.SetWriteDeadline(time.Now().Add(s.patience))
}

func (s *sse) send(list []*entry) error {
	if err := s.begin(); err != nil {
		return err
	}
	for _, e := range list {
		if _, err := s.w.Write(e.frame); err != nil {
			return err
		}
	}
	return s.out.Flush()
}

// beat writes a comment: it keeps proxies patient, and finds clients that have gone.
func (s *sse) beat() error {
	if err := s.begin(); err != nil {
		return err
	}
	if _, err := s.w.Write([]byte(": \n\n")); err != nil {
		return err
	}
	return s.out.Flush()
}

// flow is one reader's way along the log.
type flow struct {
	customer string
	at       int64
	wanted   func(*entry) bool
	send     func([]*entry) error
	beat     func() error
}

// flow sends what a reader wants until ctx ends, which is nil, or a write fails.
func (f *Feed) flow(ctx context.Context, r flow) error {
	if err := r.beat(); err != nil {
		return err
	}
	beat := time.NewTicker(f.o.Beat)
	defer beat.Stop()
	for {
		list, next, more, err := f.tail.after(ctx, r.customer, r.at)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		matching := list[:0:0]
		for _, e := range list {
			if r.wanted(e) {
				matching = append(matching, e)
			}
		}
		if len(matching) > 0 {
			if err := r.send(matching); err != nil {
				return err
			}
			hold(ctx)
		}
		r.at = next
		select {
		case <-ctx.Done():
			return nil
		case <-more:
		case <-beat.C:
			if err := r.beat(); err != nil {
				return err
			}
		}
	}
}

// hold waits for the pace of one reader.
func hold(ctx context.Context) {
	timer := time.NewTimer(pace)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
