package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"parley/internal/fault"
	"parley/internal/store"
	"parley/internal/wall"
	"parley/internal/webhook/endpoint"
	"parley/internal/wire"
)

// result is what a worker has done with the first items of a lane. err says what stopped it that was not the endpoint.
type result struct {
	ln       *lane
	retry    bool
	outcomes []outcome
	err      error
}

type outcome struct {
	delivery Delivery
	attempt  Attempt
}

// work delivers items in order until one fails. It runs in a goroutine of its own.
func (c *courier) work(ctx context.Context, ln *lane, items []item, retry bool) {
	r := result{ln: ln, retry: retry}
	began := wall.Now()
	for _, it := range items {
		o, err := c.deliver(ctx, it)
		if err == nil {
			err = ctx.Err() // an attempt that was broken off tells nothing
		}
		if r.err = err; err != nil {
			break
		}
		r.outcomes = append(r.outcomes, o)
		if !o.attempt.ok() || wall.Since(began) > runTime {
			break
		}
	}
	c.results <- r
}

func (c *courier) deliver(ctx context.Context, it item) (o outcome, err error) {
	e := it.event
	if e == nil {
		rows, _, err := c.d.o.Store.Events(ctx, store.LogQuery{After: it.seq - 1, CustomerID: c.to.CustomerID, Limit: 1})
		if err != nil || len(rows) == 0 || rows[0].Seq != it.seq {
			return o, fmt.Errorf("read event %d: %w", it.seq, err)
		}
		e = &rows[0]
	}
	o.delivery = newDelivery(c.to.ID, c.keyOf(e), e)
	if it.attempts > 0 {
		rec, err := c.d.o.Store.Get(ctx, store.Delivery, o.delivery.ID)
		if err != nil {
			return o, fmt.Errorf("read delivery: %w", err)
		}
		if o.delivery, err = ReadDelivery(rec); err != nil {
			return o, err
		}
	}
	to, err := c.target(ctx, e)
	if err != nil {
		return o, err
	}
	sent, a, err := c.d.sender.send(ctx, to, e)
	if err != nil {
		return o, err
	}
	o.attempt = a
	o.delivery.note(sent, a)
	o.delivery.Attempts = it.attempts + 1
	return o, nil
}

// settle takes what a worker has done.
func (c *courier) settle(r result) {
	c.busy--
	if r.retry {
		c.retrying--
	}
	at := wall.Now()
	n := 0
	var failed *item
	for i := range r.outcomes {
		if failed = c.judge(&r.outcomes[i]); failed != nil {
			break
		}
		n++
	}
	if r.err != nil && failed == nil { // not the endpoint's fault: again, soon
		first := r.ln.items[n]
		failed = &item{attempts: first.attempts, next: at.Add(breath)}
	}
	c.lanes.done(r.ln, n, failed, at)
}

// judge decides what an attempt means for its delivery; it returns when the next attempt is due, nil for none.
func (c *courier) judge(o *outcome) (again *item) {
	d, a, at := &o.delivery, &o.attempt, now()
	switch {
	case a.ok():
		d.settle(Delivered, time.Time{})
		c.d.counts.delivered.Add(1)
		if !c.state.Failing.IsZero() {
			c.noteHealth(time.Time{})
		}
	default:
		c.d.counts.failed.Add(1)
		if c.state.Failing.IsZero() {
			c.noteHealth(time.Time(a.At))
		}
		if after, ok := wait(c.d.o.Schedule, d.Attempts, a.asked); ok {
			again = &item{attempts: d.Attempts, next: at.Add(after)}
			d.settle(Pending, again.next)
		} else {
			d.settle(Dead, time.Time{})
			c.d.counts.dead.Add(1)
		}
		if shared := c.to.Type == endpoint.OfActiveflows; shared && a.Status == http.StatusGone {
			again = nil
			d.settle(Dead, time.Time{})
		} else if shared { // it has many addresses: one that fails says nothing about the others
			break
		} else if a.Status == http.StatusGone {
			c.stop = endpoint.ReasonGone
		} else if at.Sub(c.state.Failing) >= c.d.o.DisableAfter {
			c.stop = endpoint.ReasonFailing
		}
	}
	if rec, err := d.record(); err == nil { // it was read from JSON
		c.notes = append(c.notes, rec)
	}
	return again
}

// restore puts pending deliveries back into their lanes.
func (l *lanes) restore(found []Delivery, c *courier) {
	slices.SortFunc(found, func(a, b Delivery) int { return int(a.Seq - b.Seq) })
	for _, d := range found {
		conference := d.ConferenceID
		if conference == wire.NilUUID {
			conference = ""
		}
		it := item{seq: d.Seq, eventID: d.EventID, attempts: d.Attempts, at: time.Time(d.Event), next: time.Time(d.Next)}
		l.add(c.laneOf(d.Lane, conference, d.EventID), it, wall.Now())
	}
}

// ask is a wish for redelivery: of one event, or of all after a place in the log.
type ask struct {
	eventID string
	after   int64
	reply   chan error // capacity one
}

// answer carries out a wish.
func (c *courier) answer(ctx context.Context, a ask) error {
	if a.eventID == "" {
		if err := c.d.o.Store.SetCursor(ctx, c.reader(), a.after); err != nil {
			return fmt.Errorf("move cursor: %w", err)
		}
		c.cursor, c.saved = a.after, a.after
		return nil
	}
	rec, err := c.d.o.Store.Get(ctx, store.Delivery, deliveryID(c.to.ID, a.eventID))
	if fault.KindOf(err) == fault.NotFound {
		return fault.New(fault.NotFound, "DELIVERY_NOT_FOUND", "this webhook has no delivery of that event; redeliver all after a place in the log")
	} else if err != nil {
		return fmt.Errorf("read delivery: %w", err)
	}
	d, err := ReadDelivery(rec)
	if err != nil || c.lanes.has[d.Seq] {
		return err
	}
	d.Attempts = 0
	d.settle(Pending, now())
	if rec, err = d.record(); err != nil {
		return err
	}
	if err := c.d.o.Store.Note(ctx, "", 0, []store.Record{rec}); err != nil {
		return fmt.Errorf("note delivery: %w", err)
	}
	c.lanes.restore([]Delivery{d}, c)
	return nil
}

func readHealth(ctx context.Context, st store.Store, id string) (h health, err error) {
	rec, err := st.Get(ctx, store.WebhookState, id)
	if fault.KindOf(err) == fault.NotFound {
		return h, nil
	}
	if err == nil {
		err = json.Unmarshal(rec.Doc, &h)
	}
	return h, err
}

// each calls do for all records that a query selects.
func each(ctx context.Context, st store.Store, q store.Query, do func(store.Record) error) error {
	for {
		page, err := st.List(ctx, q)
		if err != nil {
			return fmt.Errorf("list %s: %w", q.Kind, err)
		}
		for _, rec := range page {
			if err := do(rec); err != nil {
				return err
			}
		}
		if len(page) < q.Limit {
			return nil
		}
		last := page[len(page)-1]
		q.Before = store.Cursor{Created: last.Created, ID: last.ID}
	}
}
