package webhook

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"parley/internal/fault"
	"parley/internal/store"
	"parley/internal/wall"
	"parley/internal/webhook/endpoint"
	"parley/internal/webhook/target"
	"parley/internal/wire"
)

// Options of a dispatcher. Store is needed; what is zero has the default that stands behind it.
type Options struct {
	Store        store.Store
	Log          *slog.Logger      // the default one
	Allow        []netip.Prefix    // addresses that are called although they are not public
	Schedule     []time.Duration   // wait before each attempt, give or take a tenth: DefaultSchedule
	Timeout      time.Duration     // for a complete answer: 15 s
	DisableAfter time.Duration     // of nothing but failures: 5 days
	Keep         time.Duration     // how long finished deliveries are listed: 30 days
	Workers      int               // requests at once for one endpoint: 32
	Pending      int               // events that one endpoint may have pending before its reading stops: 5000
	Parked       int               // the same in conferences that wait for a retry: 1000
	Transport    http.RoundTripper // instead of the guarded one, for tests
}

// Dispatcher delivers events to all endpoints. Its methods may be called from any goroutine.
type Dispatcher struct {
	o      Options
	book   *endpoint.Book
	sender *sender
	counts struct{ delivered, failed, dead atomic.Int64 }

	mu       sync.Mutex
	couriers map[string]*running // by the endpoint's id; guarded by mu
}

type running struct {
	*courier
	version int64 // of the endpoint's record
	cancel  context.CancelFunc
	done    chan struct{}
}

// New returns a dispatcher; Run makes it work.
func New(o Options) *Dispatcher {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if len(o.Schedule) == 0 {
		o.Schedule = DefaultSchedule
	}
	o.Timeout = cmp.Or(o.Timeout, 15*time.Second)
	o.DisableAfter = cmp.Or(o.DisableAfter, 5*24*time.Hour)
	o.Keep = cmp.Or(o.Keep, 30*24*time.Hour)
	o.Workers = cmp.Or(o.Workers, 32)
	o.Pending = cmp.Or(o.Pending, 5000)
	o.Parked = cmp.Or(o.Parked, 1000)
	guard := target.New(o.Allow)
	if o.Transport == nil {
		o.Transport = guard.Transport(o.Timeout)
	}
	return &Dispatcher{
		o: o, book: endpoint.NewBook(o.Store, guard.URL), sender: newSender(o.Transport, o.Timeout), couriers: map[string]*running{},
	}
}

// Book returns the endpoints.
func (d *Dispatcher) Book() *endpoint.Book { return d.book }

const followReader = "webhooks" // the cursor of Run

// Run serves all endpoints until ctx ends.
func (d *Dispatcher) Run(ctx context.Context) error {
	defer d.stopAll()
	defer d.sender.client.CloseIdleConnections()
	hints, end := d.o.Store.Hints()
	defer end()
	hourly := time.NewTicker(time.Hour)
	defer hourly.Stop()
	started := false
	for ctx.Err() == nil {
		err := d.follow(ctx)
		if err == nil && !started {
			err = each(ctx, d.o.Store, store.Query{Kind: store.Webhook, Live: true, Limit: 1000}, func(rec store.Record) error { return d.serve(ctx, rec) })
			started = err == nil
		}
		if err != nil && ctx.Err() == nil {
			d.o.Log.Warn("webhooks cannot go on yet", "error", err)
			pause(ctx, breath)
			continue
		}
		timer := time.NewTimer(sweep)
		select {
		case <-ctx.Done():
		case <-hints:
		case <-timer.C:
		case <-hourly.C:
			d.forget(ctx)
		}
		timer.Stop()
	}
	return nil
}

// follow reads what has happened to endpoints and customers.
func (d *Dispatcher) follow(ctx context.Context) error {
	at, err := d.o.Store.Cursor(ctx, followReader)
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		q := store.LogQuery{After: at, Types: []string{"customer_*", "webhook_*", "activeflow_created"}, Limit: batch}
		rows, next, err := d.o.Store.Events(ctx, q)
		if err != nil {
			return err
		}
		for i := range rows {
			if err := d.see(ctx, &rows[i]); err != nil {
				return fmt.Errorf("follow event %d: %w", rows[i].Seq, err)
			}
		}
		if len(rows) > 0 || next-at >= batch {
			if err := d.o.Store.SetCursor(ctx, followReader, next); err != nil {
				return err
			}
		}
		if at = next; len(rows) < batch {
			return nil
		}
	}
	return ctx.Err()
}

func (d *Dispatcher) see(ctx context.Context, e *store.Event) error {
	if strings.HasPrefix(e.Type, "customer_") {
		return d.book.Follow(ctx, e.Resource, e.Seq)
	}
	if strings.HasPrefix(e.Type, "activeflow_") {
		return d.seeActiveflow(ctx, e)
	}
	rec, err := d.o.Store.Get(ctx, store.Webhook, e.Resource)
	if err != nil {
		return err
	}
	if rec.Deleted {
		if err := d.abandon(ctx, rec); err != nil {
			return err
		}
	}
	return d.serve(ctx, rec)
}

// serve makes the endpoint's courier be as the record says.
func (d *Dispatcher) serve(ctx context.Context, rec store.Record) error {
	d.mu.Lock()
	has := d.couriers[rec.ID]
	d.mu.Unlock()
	if has != nil && has.version >= rec.Version && rec.Live {
		return nil
	}
	if has != nil {
		has.cancel()
		<-has.done
		d.mu.Lock()
		delete(d.couriers, rec.ID)
		d.mu.Unlock()
	}
	if !rec.Live {
		return nil
	}
	s, err := endpoint.ReadKept(rec)
	if err != nil {
		return err
	}
	own, cancel := context.WithCancel(ctx)
	r := &running{newCourier(d, s), rec.Version, cancel, make(chan struct{})}
	go func() {
		defer close(r.done)
		r.run(own)
	}()
	d.mu.Lock()
	d.couriers[rec.ID] = r
	d.mu.Unlock()
	return nil
}

// stopAll waits for all couriers; their contexts have ended.
func (d *Dispatcher) stopAll() {
	d.mu.Lock()
	all := d.couriers
	d.couriers = map[string]*running{}
	d.mu.Unlock()
	for _, r := range all {
		r.cancel()
		<-r.done
	}
}

// abandon ends what a deleted endpoint has not got.
func (d *Dispatcher) abandon(ctx context.Context, rec store.Record) error {
	if err := d.serve(ctx, rec); err != nil { // its courier must not write any more
		return err
	}
	q := store.Query{Kind: store.Delivery, CustomerID: rec.CustomerID, Live: true, Limit: batch}
	return each(ctx, d.o.Store, q, func(r store.Record) error {
		if r.Reference != rec.ID {
			return nil
		}
		del, err := ReadDelivery(r)
		if err != nil {
			return err
		}
		del.settle(Dead, time.Time{})
		if r, err = del.record(); err != nil {
			return err
		}
		return d.o.Store.Note(ctx, "", 0, []store.Record{r})
	})
}

// forget deletes deliveries that have been finished for long.
func (d *Dispatcher) forget(ctx context.Context) {
	for {
		n, err := d.o.Store.Forget(ctx, store.Delivery, now().Add(-d.o.Keep), 1000)
		if err != nil || n < 1000 {
			return // what an error leaves is for the next hour
		}
	}
}

// startTime is how long a redelivery waits for an endpoint that has been enabled just now.
const startTime = 3 * time.Second

// Redeliver delivers again to the customer's endpoint: the event with the id, or, without one, everything after a place in the log.
func (d *Dispatcher) Redeliver(ctx context.Context, customer, id, eventID string, after int64) error {
	a := ask{eventID, after, make(chan error, 1)}
	for end := wall.Now().Add(startTime); ; pause(ctx, startTime/100) {
		kept, err := d.book.Own(ctx, customer, id)
		if err != nil {
			return err
		}
		d.mu.Lock()
		r := d.couriers[id]
		d.mu.Unlock()
		switch {
		case kept.Status != endpoint.Enabled || !time.Time(kept.Deleted).IsZero():
			return fault.New(fault.Conflict, "WEBHOOK_DISABLED", "this webhook is disabled; enable it first, then it gets what it has missed")
		case wall.Now().After(end):
			return fault.New(fault.Unavailable, "WEBHOOK_STARTING", "deliveries to this webhook have not begun yet; try again")
		case r == nil:
			continue
		}
		select {
		case r.asks <- a:
			return <-a.reply
		case <-r.done:
		case <-ctx.Done():
			return fmt.Errorf("redeliver: %w", ctx.Err())
		}
	}
}

// Test sends an event to the customer's endpoint at once, enabled or not, and says what came of it: one of type webhook_test, or, when it is not
// nil, one like the sample. It is not in the log.
func (d *Dispatcher) Test(ctx context.Context, customer, id string, sample *store.Entry) (sent *Sent, a Attempt, err error) {
	s, err := d.book.Own(ctx, customer, id)
	if err != nil {
		return nil, a, err
	}
	c, err := s.Change("webhook_test", now())
	if err != nil {
		return nil, a, err
	}
	e := &c.Events[0]
	e.ID, e.Key = uuid.NewString(), endpoint.Key(id)
	if sample != nil {
		e.Type, e.Data = sample.Type, sample.Data
		if e.Conference = sample.ConferenceID; e.Conference == wire.NilUUID {
			e.Conference = ""
		}
	}
	return d.sender.send(ctx, &s, e)
}
