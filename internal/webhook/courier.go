package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"parley/internal/store"
	"parley/internal/wall"
	"parley/internal/webhook/endpoint"
)

const (
	batch     = 256                    // events read at once
	runItems  = 16                     // items of a lane that go out before it gets in line again
	runTime   = 200 * time.Millisecond // the same by time
	sweep     = time.Minute            // the log is looked at without a hint after that
	breath    = time.Second            // before something that failed on our side is tried again
	readerKey = "webhook/"             // begins the name of an endpoint's cursor
)

// courier brings events to one endpoint. Everything but results and asks belongs to its goroutine.
type courier struct {
	d       *Dispatcher
	to      endpoint.Kept
	flows   flowTargets // when it is the endpoint of activeflows
	lanes   *lanes
	results chan result // as many as there are workers: they never wait
	asks    chan ask

	cursor, saved  int64 // the place in the log, and where a restart would begin
	busy, retrying int
	notes          []store.Record // not written yet
	state          health
	stop           string // why it is to be disabled
	stats          gauges
}

// health is what is kept of an endpoint between deliveries.
type health struct {
	Failing time.Time `json:"failing_since"`
}

func newCourier(d *Dispatcher, to endpoint.Kept) *courier {
	return &courier{d: d, to: to, flows: flowTargets{store: d.o.Store}, lanes: newLanes(), results: make(chan result, d.o.Workers), asks: make(chan ask)}
}

func (c *courier) reader() string { return readerKey + c.to.ID }

// run delivers until ctx ends or the endpoint is disabled.
func (c *courier) run(ctx context.Context) {
	hints, end := c.d.o.Store.Hints()
	defer end()
	for err := c.load(ctx); err != nil && ctx.Err() == nil; err = c.load(ctx) {
		c.d.o.Log.Warn("webhook cannot start yet", "webhook_id", c.to.ID, "error", err)
		pause(ctx, breath)
	}
	for ctx.Err() == nil {
		more, err := c.step(ctx)
		if err != nil && ctx.Err() == nil {
			c.d.o.Log.Warn("webhook cannot go on yet", "webhook_id", c.to.ID, "error", err)
			pause(ctx, breath)
			continue
		}
		if c.stop != "" && c.disable(ctx) {
			break
		}
		if !more {
			c.wait(ctx, hints)
		}
	}
	for c.busy > 0 { // they end with ctx, or within the timeout
		c.settle(<-c.results)
	}
	_ = c.write(context.WithoutCancel(ctx), c.cursor, nil)
}

// step does what there is to do without waiting: starts deliveries, takes what has come back, reads the log; more says that it has more.
func (c *courier) step(ctx context.Context) (more bool, err error) {
	for len(c.results) > 0 {
		c.settle(<-c.results)
	}
	c.start(ctx)
	fresh, next, more, err := c.read(ctx)
	if err != nil {
		return false, err
	}
	if err := c.write(ctx, next, fresh); err != nil {
		return false, err
	}
	at := wall.Now()
	for i := range fresh {
		e := &fresh[i]
		c.lanes.add(c.laneOf(c.keyOf(e), e.Conference, e.ID), item{seq: e.Seq, eventID: e.ID, at: e.At, event: e}, at)
	}
	c.start(ctx)
	c.stats.set(len(c.lanes.has), c.lanes.oldest(), c.state.Failing)
	return more, nil
}

// laneOf names the line that an event stands in: its conference's, or that of whatever it is about. Each activeflow has a line, for it has an
// address of its own.
func (c *courier) laneOf(key, conference, eventID string) string {
	switch {
	case c.to.Order == endpoint.BestEffort:
		return eventID
	case conference != "" && c.to.Type != endpoint.OfActiveflows:
		return conference
	}
	return key
}

// load takes up what was pending when the endpoint was last served.
func (c *courier) load(ctx context.Context) (err error) {
	st := c.d.o.Store
	if c.cursor, err = st.Cursor(ctx, c.reader()); err != nil {
		return err
	}
	if c.cursor == 0 {
		c.cursor = c.to.After
	}
	c.saved = c.cursor
	if c.state, err = readHealth(ctx, st, c.to.ID); err != nil {
		return err
	}
	c.lanes = newLanes()
	var found []Delivery
	q := store.Query{Kind: store.Delivery, CustomerID: c.to.CustomerID, Live: true, Limit: 1000}
	err = each(ctx, st, q, func(rec store.Record) error {
		if rec.Reference != c.to.ID {
			return nil
		}
		d, err := ReadDelivery(rec)
		found = append(found, d)
		return err
	})
	if err != nil {
		return err
	}
	c.lanes.restore(found, c)
	return nil
}

// read returns the endpoint's next events, none while too much is pending.
func (c *courier) read(ctx context.Context) (fresh []store.Event, next int64, more bool, err error) {
	room := min(batch, c.d.o.Pending-len(c.lanes.has))
	if room <= 0 || len(c.lanes.waiting) >= c.d.o.Parked {
		return nil, c.cursor, false, nil
	}
	rows, next, err := c.d.o.Store.Events(ctx, c.to.Filter(c.cursor, room))
	if err != nil {
		return nil, 0, false, fmt.Errorf("read the log: %w", err)
	}
	more = len(rows) == room
	if rows, err = c.wanted(ctx, rows); err != nil {
		return nil, 0, false, err
	}
	for _, e := range rows {
		if !c.lanes.has[e.Seq] { // after a redelivery some are on their way already
			fresh = append(fresh, e)
		}
	}
	return fresh, next, more, nil
}

// write makes everything durable that has happened, and moves the cursor over what is now pending.
func (c *courier) write(ctx context.Context, next int64, fresh []store.Event) error {
	records := c.notes
	for i := range fresh {
		d := newDelivery(c.to.ID, c.keyOf(&fresh[i]), &fresh[i])
		rec, err := d.record()
		if err != nil {
			return err
		}
		records = append(records, rec)
	}
	// A cursor that only passes what the endpoint does not want need not be safe: it would be passed again.
	if len(records) == 0 {
		if c.cursor = next; next-c.saved < 4*batch {
			return nil
		}
	}
	if err := c.d.o.Store.Note(ctx, c.reader(), next, records); err != nil {
		return fmt.Errorf("note deliveries: %w", err)
	}
	c.cursor, c.saved, c.notes = next, next, nil
	return nil
}

// wait waits for anything to do.
func (c *courier) wait(ctx context.Context, hints <-chan struct{}) {
	d := sweep
	if at, ok := c.lanes.due(); ok && c.mayRetry() && c.busy < c.d.o.Workers {
		d = max(0, min(d, wall.Until(at)))
	}
	timer := wall.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-hints:
	case r := <-c.results:
		c.settle(r)
	case a := <-c.asks:
		a.reply <- c.answer(ctx, a)
	case <-timer.C:
	}
}

// start begins deliveries while there are workers. Lanes that have failed get half of them at most, so that they never hold up the others.
func (c *courier) start(ctx context.Context) {
	for c.busy < c.d.o.Workers && c.stop == "" {
		ln := c.lanes.take(wall.Now(), c.mayRetry())
		if ln == nil {
			return
		}
		retry := ln.items[0].attempts > 0
		n := 1
		for !retry && n < runItems && n < len(ln.items) && ln.items[n].attempts == 0 {
			n++
		}
		ln.busy = n
		c.busy++
		if retry {
			c.retrying++
		}
		items := append([]item(nil), ln.items[:n]...)
		go c.work(ctx, ln, items, retry)
	}
}

func (c *courier) mayRetry() bool { return c.retrying < max(1, c.d.o.Workers/2) }

// disable ends the endpoint; the follower of endpoints sees it in the log.
func (c *courier) disable(ctx context.Context) bool {
	err := c.d.book.Disable(ctx, c.to.CustomerID, c.to.ID, c.stop)
	if err != nil {
		c.d.o.Log.Warn("webhook not disabled yet", "webhook_id", c.to.ID, "error", err)
		pause(ctx, breath)
		return false
	}
	c.d.o.Log.Info("webhook disabled", "webhook_id", c.to.ID, "reason", c.stop)
	return true
}

// noteHealth keeps since when the endpoint fails.
func (c *courier) noteHealth(failing time.Time) {
	c.state.Failing = failing
	doc, _ := json.Marshal(c.state) // a time of this century always marshals
	c.notes = append(c.notes, store.Record{
		Kind: store.WebhookState, ID: c.to.ID, CustomerID: c.to.CustomerID, Created: time.Time(c.to.Created), Doc: doc,
	})
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
