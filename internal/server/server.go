// Package server builds the whole from a configuration, runs it, and stops it in reverse order. It is the only place that makes the
// parts known to each other; it owns their goroutines, the health pages and the metrics, and gives memory back when there are no calls.
package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"parley/internal/agent/roster"
	"parley/internal/api"
	"parley/internal/api/feed"
	"parley/internal/conference"
	"parley/internal/config"
	"parley/internal/line"
	"parley/internal/line/script"
	"parley/internal/loop"
	"parley/internal/prompt"
	"parley/internal/recording/archive"
	"parley/internal/recording/calls"
	"parley/internal/room"
	"parley/internal/sip"
	"parley/internal/sip/registrar"
	"parley/internal/store"
	"parley/internal/store/sqlite"
	"parley/internal/store/vault"
	"parley/internal/trunk"
	"parley/internal/webhook"
)

// records is the store as all parts see it, which encrypts secrets, and the database below.
type records struct {
	*vault.Store
	database *sqlite.Store
}

// parts is everything that a server is made of, bottom first.
type parts struct {
	c          config.Config
	log        *slog.Logger
	store      records
	engine     *loop.Engine
	recordings *archive.Archive
	unsettled  []string // captures whose end was not told
	desk       *calls.Desk
	prompts    prompt.Library
	rooms      *room.Host
	flows      *script.Performer
	lines      *line.Exchange
	trunks     *trunk.Trunks
	agents     *roster.Follower
	phones     *sip.Server
	registrar  *registrar.Registrar
	webhooks   *webhook.Dispatcher
	feed       *feed.Feed
	guests     guests
	door       *api.Door
	health     health
}

// Serve runs a server until ctx ends, then stops it gracefully. out gets the short summary of where everything is. Errors of the start
// are one line that says what to do.
func Serve(ctx context.Context, c config.Config, out io.Writer, version string) error {
	began := time.Now()
	log := newLog(c.Log)
	slog.SetDefault(log)
	// The collector's wait for a processor is what makes a media loop late, so it runs less often than Go's default.
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(300)
	}
	p := &parts{c: c, log: log}
	key, err := p.open(ctx)
	if err != nil {
		return errors.Join(err, p.closeStore())
	}
	web, admin, err := p.listen()
	if err != nil {
		return errors.Join(err, p.closeStore())
	}
	run := newStack(log)
	p.start(run, web, admin)
	if err := p.recover(ctx); err != nil {
		return errors.Join(err, run.stop(), p.closeStore())
	}
	run.start("sip", p.phones.Run)
	p.health.started.Store(true)
	log.Info("ready", "version", version, "after", time.Since(began).Round(time.Millisecond))
	p.summary(out, version, key)

	select {
	case <-ctx.Done():
		log.Info("stopping")
		err = nil
	case err = <-run.failed:
	}
	p.health.stopping.Store(true)
	return errors.Join(err, run.stop(), p.closeStore())
}

// open makes every part, bottom first, and returns the first access key if it was made just now.
func (p *parts) open(ctx context.Context) (made string, err error) {
	if err := p.openStore(ctx); err != nil {
		return "", err
	}
	if made, err = p.firstKey(ctx); err != nil {
		return "", err
	}
	ip, low, high, err := p.c.Media()
	if err != nil {
		return "", err
	}
	if p.engine, err = loop.Open(loop.Options{IP: ip, Low: low, High: high, Loops: processors(), Busy: p.c.Limits.MediaBusy}); err != nil {
		return "", fmt.Errorf("media: %w", err)
	}
	files, err := p.openFiles(ctx)
	if err != nil {
		return "", fmt.Errorf("store of files: %w", err)
	}
	if err := p.openRecordings(files); err != nil {
		return "", err
	}
	if err := p.openPrompts(files); err != nil {
		return "", err
	}
	r := p.c.Room
	p.rooms = room.New(room.Options{
		Store: p.store, Media: room.Engine(p.engine), Recorder: p.recordings, Notice: p.notice, Prompts: p.prompts, Log: p.log, HealthInterval: r.HealthInterval,
		Limits: conference.Limits{
			MaxParticipants: r.MaxParticipants, MaxAge: r.MaxAge, LeavingDeadline: r.LeavingDeadline,
			FinishDeadline: p.c.Recording.FinishDeadline, MediaTimeout: r.MediaTimeout, Retries: r.HealthRetries, TimeoutCompat: p.c.API.TimeoutCompat,
		},
	})
	p.openChat()
	if err := p.openTrunks(ctx); err != nil {
		return "", err
	}
	p.openCalls()
	if err := p.openPhones(); err != nil {
		return "", err
	}
	if err := p.openAgents(ctx); err != nil {
		return "", err
	}
	key, err := p.tokenKey()
	if err != nil {
		return "", err
	}
	p.door, err = api.New(api.Options{
		TokenKey: key, Redirect: p.c.Recording.Redirect,
		Store: p.store, Rooms: p.rooms, Lines: p.lines, Exchange: p.lines, Ways: p.trunks, Recordings: p.recordings, Tapes: p.desk, Flows: p.flows, Log: p.log, Realm: p.c.Session.Realm,
		RateAddress: p.c.API.RateAddress, RateCustomer: p.c.API.RateCustomer, Timeout: p.c.API.Timeout,
		More: slices.Concat(p.openReaders(), p.openGuests(), p.trunkRoutes()),
	})
	p.health.checks = []check{{"store", p.store.database.Ping}, {"media", func(context.Context) error { return p.engine.Admit() }}}
	return made, err
}

// firstKey gives a new store its first customer and access key, and returns the key when it was made here. The file is written before the
// key is valid: a crash in between leaves a file that the next start takes up.
func (p *parts) firstKey(ctx context.Context) (string, error) {
	known, err := p.store.List(ctx, store.Query{Kind: store.Customer, Deleted: true, Limit: 1})
	if err != nil || len(known) > 0 {
		return "", err
	}
	if p.c.AccessKey != "" {
		_, err := api.Bootstrap(ctx, p.store, p.c.AccessKey)
		return "", err
	}
	file := filepath.Join(p.c.Data, "access-key")
	key := ""
	if kept, err := os.ReadFile(file); err == nil {
		key = strings.TrimSpace(string(kept))
	}
	if len(key) < 16 {
		key = "vb_" + rand.Text()
		if err := os.WriteFile(file, []byte(key+"\n"), 0o600); err != nil {
			return "", fmt.Errorf("keep the first access key: %w", err)
		}
	}
	_, err = api.Bootstrap(ctx, p.store, key)
	return key, err
}

// listen binds the HTTP addresses; admin is nil when there is no address of its own.
func (p *parts) listen() (web, admin net.Listener, err error) {
	bind := func(key, addr string) (net.Listener, error) {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, fmt.Errorf("address %s is not to be had (%w): stop what uses it or choose another with --%s", addr, err, key)
		}
		return l, nil
	}
	if web, err = bind("http", p.c.HTTP); err != nil || p.c.Admin == "" {
		return web, nil, err
	}
	if admin, err = bind("admin", p.c.Admin); err != nil {
		web.Close()
	}
	return web, admin, err
}

// start runs the parts below the SIP door, which opens only after the recovery.
func (p *parts) start(run *stack, web, admin net.Listener) {
	run.start("webhooks", p.webhooks.Run)
	run.start("media", p.engine.Run)
	run.start("recordings", p.keepRecordings)
	run.start("rooms", p.rooms.Run)
	run.start("flows", p.flows.Run)
	run.start("trunks", p.trunks.Run)
	run.start("calls", p.lines.Run)
	run.start("agents", p.agents.Run)
	run.start("memory", p.trim)
	mux := http.NewServeMux()
	mux.Handle("/", p.door)
	ops := mux
	if admin != nil {
		ops = http.NewServeMux()
	}
	ops.HandleFunc("GET /healthz", p.health.live)
	ops.HandleFunc("GET /readyz", p.health.ready)
	ops.Handle("GET /metrics", metrics(p.samples, p.engine))
	if admin != nil {
		run.start("admin", p.web(admin, ops))
	}
	run.start("http", p.web(web, mux))
	run.start("media streams", p.guests.streams.Run) // above http and rooms, which they listen to
	run.start("feed", p.feed.Run)                    // above http, which waits for streams to end
}

// web returns a part that serves HTTP until its context ends, then lets requests finish.
func (p *parts) web(l net.Listener, handler http.Handler) func(context.Context) error {
	s := p.door.Server(handler)
	return func(ctx context.Context) error {
		stopped := make(chan error, 1)
		context.AfterFunc(ctx, func() {
			grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			stopped <- s.Shutdown(grace)
		})
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return <-stopped
	}
}

// recover ends what a dead process left behind, in the order of a living one: participants leave before their calls end.
func (p *parts) recover(ctx context.Context) error {
	if err := p.rooms.Recover(ctx); err != nil {
		return fmt.Errorf("recover conferences: %w", err)
	}
	if err := p.recoverCalls(ctx); err != nil {
		return err
	}
	if err := p.desk.Recover(ctx); err != nil {
		return err
	}
	return p.settleRecordings(ctx)
}

func (p *parts) closeStore() error {
	if p.store.database == nil {
		return nil
	}
	return p.store.database.Close()
}

// summary tells where everything is.
func (p *parts) summary(out io.Writer, version, key string) {
	var b strings.Builder
	fmt.Fprintf(&b, "\nparley %s\n", version)
	row := func(what, where string) { fmt.Fprintf(&b, "  %-12s %s\n", what, where) }
	row("API", "http://"+p.c.HTTP+"/v1.0   description: http://"+p.c.HTTP+"/openapi.json")
	row("SIP", "sip:CONFERENCE-ID@"+p.c.SIP+" (UDP and TCP)")
	admin := p.c.Admin
	if admin == "" {
		admin = p.c.HTTP
	}
	row("operation", "http://"+admin+"/readyz  /healthz  /metrics")
	row("data", p.c.Data)
	switch {
	case key != "":
		row("access key", key+" (made just now, kept in "+filepath.Join(p.c.Data, "access-key")+")")
	case p.c.AccessKey == "":
		row("access key", "in "+filepath.Join(p.c.Data, "access-key")+", if it has not been deleted")
	}
	if p.c.Dev {
		row("mode", "--dev: anonymous calls are let in, loopback only")
		row("try", "parley conferences create --dial-in demo   then call sip:demo@"+p.c.SIP)
	}
	fmt.Fprintln(out, b.String())
}
