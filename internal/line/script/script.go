package script

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"parley/internal/call"
	"parley/internal/flow"
	"parley/internal/flow/action"
	"parley/internal/flow/active"
	"parley/internal/flow/run"
	"parley/internal/line/script/berth"
	"parley/internal/line/script/reach"
	"parley/internal/line/script/record"
	"parley/internal/line/script/say"
	"parley/internal/prompt"
	"parley/internal/store"
	"parley/internal/webhook/target"
)

// Options of a Performer. Zero values mean the defaults named here.
type Options struct {
	Store   store.Store
	Prompts prompt.Library // nil: nothing is spoken or fetched (VOICE_UNAVAILABLE), what has to be heard is a tone
	HTTP    *http.Client   // for fetch and webhook_send; nil: public addresses only. Its CheckRedirect and Timeout are not used.
	Log     *slog.Logger
	// Call dials for runs that are on no call, and does not wait; nil: they cannot (CALLS_UNAVAILABLE). It may be called from any goroutine.
	Call func(ctx context.Context, p Plan, o *action.Calling) error

	Alone        int           // runs on no call at once; 1000
	AloneEach    int           // of them of one customer; 100, or as many as Alone
	Pending      int           // requests of webhook_send that nobody waits for; 256
	Senders      int           // of them at once; 8
	Linger       time.Duration // longest time in which Run, when it is to end, makes those that still wait; 5 s
	Timeout      time.Duration // longest time of one request of fetch and webhook_send; 10 s
	WriteTimeout time.Duration // longest wait for one write; 2 s
	MaxAge       time.Duration // longest time of a run on no call; 24 h
}

// Plan is a run that is to be performed.
type Plan struct {
	CustomerID string
	Env        run.Env // ActiveflowID: "" for a new one. Unavailable: nil for what this version cannot do.
	Actions    []flow.Action
	Status     call.Status       // of the call at the start; "" is progressing
	Variables  map[string]string // of the server (voipbin.…), besides those of Env

	WebhookURI, WebhookMethod string

	Keep func(active.Activeflow) (*store.Answer, error) // what is to be kept with the creation of the record; nil: nothing
	// Halted is told that somebody has ended the prepared run before its Perform, so that its call does not ring for nothing; nil: nobody. It must not
	// wait for anything. The Perform is still needed.
	Halted func(context.Context)

	walk *walk // of a prepared plan
}

// Performer performs flows. Its methods may be called from any goroutine.
type Performer struct {
	o       Options
	voice   say.Voice
	outside *reach.Caller
	berths  *berth.Berths       // taken by runs on no call
	starts  chan *walk          // runs on no call that begin; as many as berths
	late    chan *record.Record // whose end could not be written

	mu     sync.Mutex // guards what follows
	live   map[string]*walk
	closed bool // Run has ended: nothing starts any more
}

// New makes a Performer.
func New(o Options) *Performer {
	o.Log = cmp.Or(o.Log, slog.Default())
	o.Alone = cmp.Or(o.Alone, 1000)
	o.AloneEach = min(cmp.Or(o.AloneEach, 100), o.Alone)
	o.Pending = cmp.Or(o.Pending, 256)
	o.Senders = cmp.Or(o.Senders, 8)
	o.Linger = cmp.Or(o.Linger, 5*time.Second)
	o.Timeout = cmp.Or(o.Timeout, 10*time.Second)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, 2*time.Second)
	o.MaxAge = cmp.Or(o.MaxAge, 24*time.Hour)
	if o.HTTP == nil {
		o.HTTP = &http.Client{Transport: target.New(nil).Transport(o.Timeout)}
	}
	return &Performer{
		o: o, voice: say.Voice{Library: o.Prompts, Log: o.Log},
		outside: reach.New(reach.Options{HTTP: o.HTTP, Log: o.Log, Timeout: o.Timeout, Pending: o.Pending, Senders: o.Senders, Linger: o.Linger}),
		berths:  berth.New(o.Alone, o.AloneEach), starts: make(chan *walk, o.Alone), late: make(chan *record.Record, 1024), live: map[string]*walk{},
	}
}
