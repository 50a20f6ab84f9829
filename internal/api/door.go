package api

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"parley/internal/agent/roster"
	"parley/internal/api/account"
	"parley/internal/api/agents"
	"parley/internal/api/calls"
	"parley/internal/api/control"
	"parley/internal/api/flows"
	"parley/internal/api/history"
	"parley/internal/api/links"
	"parley/internal/api/login"
	"parley/internal/api/rest"
	"parley/internal/api/web"
	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/room"
	"parley/internal/store"
)

// Rooms is what the door asks of live conferences; *room.Host is one.
type Rooms interface {
	Create(ctx context.Context, c conference.Create) (room.View, error)
	Do(ctx context.Context, id conference.ID, c conference.Command, o room.DoOptions) (room.View, error)
	control.Rooms
}

// Options of a door. Store, Rooms, Lines are needed.
type Options struct {
	Store      store.Store
	Rooms      Rooms
	Lines      calls.Lines
	Exchange   calls.Exchange // nil: no calls are placed or controlled
	Ways       calls.Ways     // out of this server; nil: there are none
	Recordings Recordings     // nil: there are none to be had
	Redirect   bool           // files of recordings are had from their store, where that has links
	Tapes      Tapes          // of calls; nil: there are none
	Flows      flows.Runs     // nil: flows are kept and not run
	More       []rest.Route   // routes of parts that the door does not know: webhooks, live streams
	Log        *slog.Logger   // nil: the default one
	TokenKey   []byte         // signs the tokens of agents, at least 32 bytes; nil: one of this process's own
	TokenCost  int            // of hashing an agent's password, as bcrypt counts it; 0: 10
	Realm      string         // of the digest authentication of extensions; "" is parley

	RateAddress  float64       // requests per second of one address, twice as many at once; 0: no limit. The original has 200.
	RateCustomer float64       // requests per second of one customer, likewise. The original has 16.7.
	Timeout      time.Duration // longest time of one request; 0 is 30 s
}

// Door is the API as an http.Handler.
type Door struct {
	o       Options
	routes  []rest.Route
	login   *login.Desk
	counts  *web.Counts
	handler http.Handler
	history *history.History
	links   *links.Signer
	control *control.Control
}

// New returns the API. It fails when the embedded description is broken.
func New(o Options) (*Door, error) {
	if o.Store == nil || o.Rooms == nil || o.Lines == nil {
		return nil, fmt.Errorf("api: store, rooms and lines are needed")
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	o.Realm = cmp.Or(o.Realm, "parley")
	o.Timeout = cmp.Or(o.Timeout, 30*time.Second)
	accounts := account.New(o.Store, o.Realm)
	people := roster.New(o.Store)
	if o.TokenKey == nil {
		o.TokenKey = []byte(rand.Text() + rand.Text())
	}
	if len(o.TokenKey) < 32 {
		return nil, fmt.Errorf("api: the key that signs tokens has %d bytes; give it 32 or more", len(o.TokenKey))
	}
	desk := login.New(login.Options{Roster: people, Key: o.TokenKey, Cost: o.TokenCost})
	d := &Door{o: o, login: desk, counts: web.NewCounts(), history: history.New(o.Store), links: links.New(o.TokenKey), control: control.New(o.Rooms)}
	d.routes = slices.Concat(d.conferenceRoutes(), d.participantRoutes(), d.recordingRoutes(), d.eventRoutes(), accounts.Routes(), d.history.Routes(), d.control.Routes(), o.More)
	d.routes = append(d.routes, calls.Routes(calls.Options{Store: o.Store, Lines: o.Lines, Exchange: o.Exchange, Ways: o.Ways})...)
	d.routes = append(d.routes, agents.Routes(agents.Options{Store: o.Store, Roster: people, Accounts: accounts, Hash: desk.Hash})...)
	d.routes = append(d.routes, flows.New(o.Store, o.Flows).Routes()...)
	guard := rest.Guard{
		Store: o.Store, Authenticate: whoever(accounts, desk), Customers: web.NewLimiter(o.RateCustomer), Log: o.Log, Timeout: o.Timeout,
	}
	mux := http.NewServeMux()
	for _, r := range d.routes {
		for _, prefix := range []string{"/v1.0", "/v1"} {
			mux.HandleFunc(r.Method+" "+prefix+r.Path, guard.Wrap(r))
		}
	}
	pages, err := d.pages()
	if err != nil {
		return nil, err
	}
	for pattern, do := range pages {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			web.Label(r, pattern)
			do(w, r)
		})
	}
	mux.HandleFunc("/", web.NotFound)
	frame := web.Frame{Log: o.Log, Address: web.NewLimiter(o.RateAddress), Counts: d.counts}
	d.handler = frame.Wrap(mux)
	return d, nil
}

// whoever returns what finds out whose a credential is: an agent's token, or an access key whatever it looks like.
func whoever(keys *account.Accounts, tokens *login.Desk) func(context.Context, string) (rest.Caller, error) {
	return func(ctx context.Context, secret string) (rest.Caller, error) {
		if !login.IsToken(secret) {
			return keys.Authenticate(ctx, secret)
		}
		who, err := tokens.Authenticate(ctx, secret)
		if fault.KindOf(err) == fault.Unauthenticated {
			if key, other := keys.Authenticate(ctx, secret); other == nil {
				return key, nil
			}
		}
		return who, err
	}
}

// Routes lists the operations below the version prefix as "METHOD /path", for comparison with the description.
func (d *Door) Routes() []string {
	var list []string
	for _, r := range d.routes {
		list = append(list, r.Method+" "+r.Path)
	}
	return list
}

// ServeHTTP answers one request.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) { d.handler.ServeHTTP(w, r) }

// Server returns an http.Server for handler, which holds the door, with limits on the size of headers and on the time that a client may take.
func (d *Door) Server(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       d.o.Timeout,
		WriteTimeout:      2 * d.o.Timeout,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(d.o.Log.Handler(), slog.LevelDebug),
	}
}

// Stats returns the answers so far by route and status, the requests under way, and the panics.
func (d *Door) Stats() (answers []web.Count, inFlight int, panics int64) { return d.counts.Read() }

// Bootstrap makes the first customer and its access key when the store is new. It returns the key when it made one: it is not shown again.
func Bootstrap(ctx context.Context, st store.Store, key string) (made string, err error) {
	return account.Bootstrap(ctx, st, key)
}
