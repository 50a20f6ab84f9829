// Package stream is the sound of live conferences and calls over WebSockets: what an ordinary listener hears goes out, what comes in is heard by all. Each stream
// has three goroutines: one reads, one writes, one asks for signs of life. A client that is too slow loses sound and is then disconnected; the media loop never
// waits for one. What the server could not send because it stood still itself is held against nobody.
package stream

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"parley/internal/api/rest"
	"parley/internal/api/web"
	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/mixer"
	"parley/internal/mixer/ear"
	"parley/internal/store"
)

// Rooms is where the streams of conferences listen and play; *room.Host is one.
type Rooms interface {
	// Attach shows every tick of the conference to the tap and plays the sound to everyone until detach has returned. life ends with the conference, by a
	// fault that says why.
	Attach(ctx context.Context, id conference.ID, t mixer.Tap, s mixer.Sound) (life context.Context, detach func(), err error)
}

// Calls is where the streams of calls do.
type Calls interface {
	// Attach has a stream follow a live call, wherever that sits, until detach has returned: tap makes the tap for the port with this tag, one at a time, and
	// the sound is heard where the call is. life ends with the call, by a fault that says why, such as CALL_ENDED. A call that is not live is a
	// fault.Conflict, CALL_ALREADY_HANGUP.
	Attach(ctx context.Context, callID string, tap func(tag string) mixer.Tap, s mixer.Sound) (life context.Context, detach func(), err error)
}

// Options of the streams. Rooms is needed.
type Options struct {
	Store    store.Store // where access keys are looked after; nil: they are not
	Rooms    Rooms
	Calls    Calls         // nil: calls have no streams
	Log      *slog.Logger  // nil: the default one
	PerKey   int           // most streams at once of one access key; 0: 20
	Beat     time.Duration // time between questions for a sign of life; 0: 10 s
	Patience time.Duration // longest time to its answer, which comes after what is under way: how far a client may be behind; 0: 5 s
}

// Streams serves them. Its methods may be called from any goroutine.
type Streams struct {
	o    Options
	quit context.Context // ends with Run
	end  context.CancelCauseFunc
	all  sync.WaitGroup
	lag  lag

	mu   sync.Mutex
	keys map[string]int // open ones by access key
	open map[*session]struct{}
	past Stats // of those that have ended
}

// New returns the streams; they end with Run.
func New(o Options) *Streams {
	o.Log = cmp.Or(o.Log, slog.Default())
	o.PerKey = cmp.Or(o.PerKey, 20)
	o.Beat = cmp.Or(o.Beat, 10*time.Second)
	o.Patience = cmp.Or(o.Patience, 5*time.Second)
	s := &Streams{o: o, lag: lag{begin: time.Now()}, keys: map[string]int{}, open: map[*session]struct{}{}}
	s.quit, s.end = context.WithCancelCause(context.Background())
	return s
}

// Run watches how punctual the server is until ctx ends, then ends all streams and returns when they are closed.
func (s *Streams) Run(ctx context.Context) error {
	s.lag.watch(ctx)
	s.mu.Lock()
	s.end(stopping())
	s.mu.Unlock()
	s.all.Wait()
	return nil
}

func stopping() error {
	return fault.New(fault.Unavailable, "STOPPING", "the server is stopping; try again when it is back")
}

// Routes returns the routes of the streams.
func (s *Streams) Routes() []rest.Route {
	routes := []rest.Route{{Method: "GET", Path: "/conferences/{id}/media_stream", Do: s.ofConference}}
	if s.o.Calls != nil {
		routes = append(routes, rest.Route{Method: "GET", Path: "/calls/{id}/media_stream", Do: s.ofCall})
	}
	return routes
}

// Stats of the streams.
type Stats struct {
	Open    int
	Waiting time.Duration // of sound that came in, in all streams
	Slow    int64         // disconnected because they were too slow
	Sent    uint64        // frames
	Lost    uint64        // frames that a client was too slow for
	Dropped uint64        // samples that came faster than they could be played
	Gaps    uint64        // times that what came in ran dry
}

// Stats returns a snapshot.
func (s *Streams) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.past
	for x := range s.open {
		x.count(&out)
		out.Waiting += x.inlet.Waiting()
	}
	out.Open = len(s.open)
	return out
}

// wish is what a client asks for.
type wish struct {
	form  form
	rate  int
	queue time.Duration
}

func read(r *rest.Request) (w wish, err error) {
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		return w, fault.New(fault.Invalid, "UPGRADE_REQUIRED", "this is a WebSocket; ask for the upgrade (RFC 6455)")
	}
	q := r.URL.Query()
	w.form = form(q.Get("encapsulation"))
	switch {
	case w.form == "":
		return w, fault.New(fault.Invalid, "MISSING_REQUEST_PARAMETER", "the parameter %q is needed: rtp, sln or audiosocket", "encapsulation")
	case w.form != rtp && w.form != sln && w.form != audiosocket:
		return w, wrong("encapsulation", "use rtp, sln or audiosocket")
	}
	if w.rate, err = number(q, "rate", 8000); err != nil {
		return w, err
	}
	if !slices.Contains([]int{8000, 16000, 48000}, w.rate) {
		return w, wrong("rate", "use 8000, 16000 or 48000 (Hz)")
	}
	ms, err := number(q, "queue_ms", 1000)
	if err == nil && (ms < 120 || ms > 30_000) {
		err = wrong("queue_ms", "use 120 to 30000")
	}
	w.queue = time.Duration(ms) * time.Millisecond
	return w, err
}

func number(q url.Values, name string, fallback int64) (int, error) {
	n, err := web.Int(q, name, fallback)
	if err == nil && n != int64(int32(n)) {
		err = wrong(name, "it is too large")
	}
	return int(n), err
}

func wrong(name, advice string) error {
	return fault.New(fault.Invalid, "INVALID_REQUEST_PARAMETER", "the parameter %q has an invalid value: %s", name, advice)
}

func (s *Streams) ofConference(r *rest.Request) (rest.Reply, error) {
	rec, err := r.Owned(store.Conference)
	if err != nil {
		return rest.Reply{}, err
	}
	return s.reply(r, "conference "+rec.ID, func(ring *mixer.Ring, in *mixer.Inlet) (context.Context, func(), error) {
		return s.o.Rooms.Attach(r.Context(), conference.ID(rec.ID), ear.New(ring, in, "", ear.Both), in)
	})
}

func (s *Streams) ofCall(r *rest.Request) (rest.Reply, error) {
	rec, err := r.Owned(store.Call)
	if err != nil {
		return rest.Reply{}, err
	}
	if !rec.Live {
		return rest.Reply{}, fault.New(fault.Conflict, "CALL_ALREADY_HANGUP", "call %s has been hung up; there is nothing to hear", rec.ID)
	}
	return s.reply(r, "call "+rec.ID, func(ring *mixer.Ring, in *mixer.Inlet) (context.Context, func(), error) {
		return s.o.Calls.Attach(r.Context(), rec.ID, func(tag string) mixer.Tap { return ear.New(ring, in, tag, ear.Both) }, in)
	})
}

// reply attaches a stream and upgrades the connection, in this order: what is refused is an answer like any other.
func (s *Streams) reply(r *rest.Request, what string, attach func(*mixer.Ring, *mixer.Inlet) (context.Context, func(), error)) (rest.Reply, error) {
	w, err := read(r)
	if err != nil {
		return rest.Reply{}, err
	}
	in, err := mixer.NewInlet(w.rate, w.queue)
	if err != nil {
		return rest.Reply{}, err
	}
	x := &session{streams: s, wish: w, key: r.Credential(), agent: r.AgentID != "", still: r.Still, what: what, ring: mixer.NewRing(""), inlet: in, speech: ear.NewSpeech(w.rate)}
	if err := s.enter(x); err != nil {
		return rest.Reply{}, err
	}
	life, detach, err := attach(x.ring, in)
	if err != nil {
		s.leave(x)
		return rest.Reply{}, err
	}
	return rest.Reply{Stream: func(w http.ResponseWriter) error {
		defer s.leave(x)
		defer detach()
		// A cookie travels with what other sites open; a credential that the client has to know does not.
		_, token := r.Cookie("token")
		_, key := r.Cookie("accesskey")
		byCookie := token == nil || key == nil
		c, err := websocket.Accept(w, r.Request, &websocket.AcceptOptions{InsecureSkipVerify: !byCookie})
		if err != nil {
			return nil // Accept has answered
		}
		x.c = c
		x.run(life, detach)
		return nil
	}}, nil
}

// enter counts a stream of the key; leave ends it.
func (s *Streams) enter(x *session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.quit.Err() != nil {
		return stopping()
	}
	if s.keys[x.key] >= s.o.PerKey {
		return fault.New(fault.Exhausted, "STREAM_LIMIT_EXCEEDED", "this access key or agent has %d streams open; close one first", s.o.PerKey)
	}
	s.keys[x.key]++
	s.open[x] = struct{}{}
	s.all.Add(1)
	return nil
}

func (s *Streams) leave(x *session) {
	s.mu.Lock()
	if s.keys[x.key]--; s.keys[x.key] == 0 {
		delete(s.keys, x.key)
	}
	delete(s.open, x)
	x.count(&s.past)
	s.mu.Unlock()
	s.all.Done()
}
